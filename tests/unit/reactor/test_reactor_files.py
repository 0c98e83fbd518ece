"""A session's files for an export: which are told of, that nothing else is, and that secrets are masked in pieces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.errors import NotFoundError
from waved.masking import Mask
from waved.reactor import files

SECRET = "s3cr3t-Value/9000"
MASK = Mask({SECRET: "TOKEN"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    session = tmp_path / "session"
    run = session / "runs" / "api+one.2"
    run.mkdir(parents=True)
    (session / "report").mkdir()
    for name in ("plan.toml", "report.html", "environment", ".hidden", "report/page.html"):
        (session / name).write_text(name)
    for name in ("spec.json", "prompt.md", "output", "output.4096", "output.index", "exit", "lock", "anything"):
        (run / name).write_text(name)
    (run / "context.json").symlink_to("/etc/passwd")
    os.mkfifo(session / "pipe")
    return session


def test_what_is_told_of_is_what_belongs_into_an_export(folder: Path) -> None:
    run = "runs/api+one.2"
    assert [each["path"] for each in files.listed(folder)["files"]] == sorted(
        ["plan.toml", "report.html", "report/page.html"]
        + [f"{run}/{name}" for name in ("spec.json", "prompt.md", "output", "output.4096", "exit")]
    )
    for each in files.listed(folder)["files"]:
        assert files.read(folder, each["path"], 0, 100, MASK)["data"] == Path(each["path"]).name.encode() or (
            each["path"] == "report/page.html"
        )


@pytest.mark.parametrize(
    "path",
    ["environment", "../session/plan.toml", "/etc/passwd", "runs/api+one.2/lock", "runs/api+one.2/context.json", "pipe",
     "runs/../environment", "runs/api+one.2/output.index", "", "runs", "report/../environment", "nothing", "plan\0"],
)  # fmt: skip
def test_nothing_else_is_read(folder: Path, path: str) -> None:
    with pytest.raises(NotFoundError):
        files.read(folder, path, 0, 100, MASK)


def test_a_folder_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "output").write_text("secret")
    (folder / "runs" / "evil.1").symlink_to(tmp_path / "elsewhere")
    assert not [each for each in files.listed(folder)["files"] if "evil" in each["path"]]
    with pytest.raises(NotFoundError):
        files.read(folder, "runs/evil.1/output", 0, 100, MASK)


def in_pieces(folder: Path, limit: int) -> bytes:
    whole, offset = b"", 0
    while True:
        piece = files.read(folder, "plan.toml", offset, limit, MASK)
        whole += piece["data"]
        if piece["next"] <= offset or piece["next"] >= piece["size"]:
            return whole
        offset = piece["next"]


LINE = st.lists(st.sampled_from(["x", "é", SECRET, " ", "\n", "\n", "word "]), max_size=12).map("".join)


@settings(max_examples=60, deadline=None)
@given(text=LINE, limit=st.integers(40, 200))
def test_no_secret_is_left_however_the_pieces_fall(
    tmp_path_factory: pytest.TempPathFactory, text: str, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("s")
    (folder / "plan.toml").write_text(text)
    shown = in_pieces(folder, limit).decode()
    assert SECRET not in shown
    assert shown.count("\n") == text.count("\n")
    if max(map(len, text.encode().split(b"\n"))) < limit - 1 and text.endswith("\n"):
        assert shown == MASK.text(text), "with lines shorter than a piece it is as if it were masked at once"


def test_bytes_that_are_no_text_come_through(folder: Path) -> None:
    content = bytes(range(256)) * 20
    (folder / "plan.toml").write_bytes(content)
    assert in_pieces(folder, 100) == content
