"""G1: missing, empty, too small or too few outputs fail, and the detail names the file and what was found."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.gates.outputs import check_outputs
from waved.plan.models import Output

Privileges = Callable[[], AbstractContextManager[None]]


def check(workspace: Path, path: str, **limits: int) -> tuple[bool, str]:
    (result,) = check_outputs(workspace, [Output(path=path, **limits)])
    assert result.path == path
    return result.ok, result.detail


def write(workspace: Path, path: str, content: str = "text") -> None:
    (workspace / path).parent.mkdir(parents=True, exist_ok=True)
    (workspace / path).write_text(content)


def test_one_file(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md", "x" * 2048)
    assert check(tmp_path, "docs/a.md") == (True, "docs/a.md (2 KB)")
    assert check(tmp_path, "docs/*.md") == (True, "docs/a.md (2 KB)")


def test_many_files(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md", "1")
    write(tmp_path, "docs/deep/b.md", "22")
    assert check(tmp_path, "docs/**/*.md", min_files=2) == (True, "2 files (3 bytes)")


def test_results_keep_the_order_of_the_plan(tmp_path: Path) -> None:
    write(tmp_path, "b")
    results = check_outputs(tmp_path, [Output(path="a"), Output(path="b"), Output(path="c")])
    assert [(result.path, result.ok) for result in results] == [("a", False), ("b", True), ("c", False)]


@pytest.mark.parametrize(
    ("path", "limits", "detail"),
    [
        ("docs/none.txt", {}, "docs/none.txt does not exist"),
        ("docs/*.rst", {}, "no file matches docs/*.rst"),
        ("nowhere/else/*.md", {}, "no file matches nowhere/else/*.md: nowhere does not exist"),
        ("docs/Raport.md", {}, 'docs/Raport.md does not exist; did you mean "report.md"?'),
        ("docs/report.md/*.md", {}, "no file matches docs/report.md/*.md: docs/report.md is a file, not a folder"),
        ("docs", {}, "docs is a folder; a file is wanted"),
        ("docs/pipe", {}, "docs/pipe is not a regular file; a file is wanted"),
        ("docs/empty.md", {}, "docs/empty.md is empty"),
        ("docs/empty.md", {"min_size": 10}, "docs/empty.md is empty, at least 10 bytes wanted"),
        ("docs/report.md", {"min_size": 10}, "docs/report.md has only 6 bytes, at least 10 bytes wanted"),
        ("docs/*.md", {}, "docs/empty.md is empty"),
        (
            "docs/*.md",
            {"min_size": 2048},
            "docs/empty.md is empty, at least 2 KB wanted (and 1 other file too small: docs/report.md)",
        ),
        ("docs/r*.md", {"min_files": 3}, "only 1 file matches docs/r*.md, at least 3 wanted: docs/report.md"),
        ("hollow/**", {}, "no file matches hollow/**"),
        ("hollow/", {}, "no file matches hollow/"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: str, limits: dict[str, int], detail: str) -> None:
    write(tmp_path, "docs/report.md", "report")
    write(tmp_path, "docs/empty.md", "")
    os.mkfifo(tmp_path / "docs/pipe")
    (tmp_path / "hollow/inner").mkdir(parents=True)
    assert check(tmp_path, path, **limits) == (False, detail)


def test_links(tmp_path: Path) -> None:
    workspace = tmp_path / "repo"
    write(workspace, "inside.md")
    write(tmp_path, "outside.md")
    (workspace / "good.md").symlink_to("inside.md")
    (workspace / "bad.md").symlink_to("../outside.md")
    (workspace / "broken.md").symlink_to("nothing")
    (workspace / "circle.md").symlink_to("circle.md")
    (workspace / "folder").symlink_to("..")
    assert check(workspace, "good.md") == (True, "good.md (4 bytes)")
    out = "is a symbolic link, which leads out of the workspace and does not count"
    assert check(workspace, "bad.md") == (False, f"bad.md {out}")
    assert check(workspace, "folder/outside.md") == (False, f"folder {out}")
    assert check(workspace, "b*.md") == (False, "no file matches b*.md")
    broken = "is a symbolic link, and what it points to does not exist"
    assert check(workspace, "broken.md") == (False, f"broken.md {broken}")
    assert not check(workspace, "circle.md")[0]


def test_a_folder_that_may_not_be_read(open_folder: Path, no_privileges: Privileges) -> None:
    write(open_folder, "closed/a.md")
    (open_folder / "closed").chmod(0)
    with no_privileges():
        assert check(open_folder, "closed/*.md") == (False, "no file matches closed/*.md: closed may not be read")
        assert check(open_folder, "closed/a.md") == (
            False,
            "closed/a.md does not exist: closed/a.md: Permission denied",
        )


def test_a_file_that_may_not_be_read_is_there_all_the_same(open_folder: Path, no_privileges: Privileges) -> None:
    write(open_folder, "secret.md")
    (open_folder / "secret.md").chmod(0)
    with no_privileges():
        assert check(open_folder, "secret.md") == (True, "secret.md (4 bytes)")


def test_a_file_that_vanishes_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.md")
    write(tmp_path, "b.md")
    monkeypatch.setattr("waved.gates.outputs.globs.find", lambda *_: ["a.md", "b.md", "gone.md"])
    assert check(tmp_path, "*.md") == (True, "2 files (8 bytes)")
    monkeypatch.setattr("waved.gates.outputs.globs.find", lambda *_: ["gone.md"])
    assert check(tmp_path, "*.md") == (False, "no file matches *.md")


def test_no_workspace(tmp_path: Path) -> None:
    assert check(tmp_path / "gone", "a.md") == (False, f"the workspace {tmp_path}/gone is not there")
    write(tmp_path, "file")
    assert not check(tmp_path / "file", "a.md")[0]


def test_odd_names_stay_printable(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[31m\n.md")).write_text("")
    ok, detail = check(tmp_path, "*.md")
    assert not ok
    assert detail.isprintable()
    assert detail.encode("utf-8")
    assert "\\udcff" in detail


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
def test_any_pattern_a_plan_accepts_gives_a_result(tmp_path_factory: pytest.TempPathFactory, pattern: str) -> None:
    workspace = tmp_path_factory.getbasetemp()
    output = Output.model_construct(path=pattern, min_size=1, min_files=1)
    (result,) = check_outputs(workspace, [output])
    assert result.detail.isprintable()
    assert result.detail


def test_what_waved_itself_wrote_is_nobody_s_output_unless_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("waved-report.md", "change_log.md"):
        (tmp_path / "docs" / name).write_text("…")
    own = {"docs/waved-report.md", "docs/change_log.md"}
    wanted = [Output(path="docs/*.md"), Output(path="docs/change_log.md")]
    assert [result.ok for result in check_outputs(tmp_path, wanted, own)] == [False, True]
    (tmp_path / "docs" / "api.md").write_text("…")
    assert check_outputs(tmp_path, wanted, own)[0].files == ("docs/api.md",)
