"""Writing into a workspace full of what agents made: no link is followed, nothing of others is replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from waved.report.placing import PlacingError, change, put


def ours(beginning: bytes) -> bool:
    return beginning.startswith(b"ours")


def test_a_file_is_made_with_its_folders_and_replaced_if_it_is_ours(tmp_path: Path) -> None:
    put(tmp_path, "docs/session/report.md", b"ours 1", ours)
    put(tmp_path, "docs/session/report.md", b"ours 2", ours)
    assert (tmp_path / "docs/session/report.md").read_bytes() == b"ours 2"
    assert [each.name for each in (tmp_path / "docs/session").iterdir()] == ["report.md"]


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_bytes(b"an agent's")
    with pytest.raises(PlacingError, match=r"report\.md is not waved's"):
        put(tmp_path, "report.md", b"ours", ours)
    assert (tmp_path / "report.md").read_bytes() == b"an agent's"


@pytest.mark.parametrize("path", ["link/report.md", "link"])
def test_no_link_is_followed_or_replaced(tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "report.md").write_bytes(b"ours, it says")
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "link").symlink_to(outside if "/" in path else outside / "report.md")
    with pytest.raises(PlacingError):
        put(workspace, path, b"ours", ours)
    with pytest.raises(PlacingError):
        change(workspace, path, lambda _: b"changed")
    assert (outside / "report.md").read_bytes() == b"ours, it says"
    assert (workspace / "link").is_symlink()


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.md")
    with pytest.raises(PlacingError, match="no file"):
        put(tmp_path, "report.md", b"ours", ours)
    assert stat.S_ISFIFO((tmp_path / "report.md").stat().st_mode)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlacingError):
        put(tmp_path, "file/report.md", b"ours", ours)


def test_a_change_keeps_the_mode_and_says_whether_there_was_one(tmp_path: Path) -> None:
    log = tmp_path / "change_log.md"
    log.write_bytes(b"a\n")
    log.chmod(0o640)
    assert change(tmp_path, "change_log.md", lambda before: before + b"b\n")
    assert not change(tmp_path, "change_log.md", lambda before: before)
    assert log.read_bytes() == b"a\nb\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o640


def test_a_file_that_is_written_to_meanwhile_is_left(tmp_path: Path) -> None:
    log = tmp_path / "change_log.md"
    log.write_bytes(b"a\n")

    def slow(before: bytes) -> bytes:
        log.write_bytes(b"somebody was faster\n")
        return before + b"b\n"

    with pytest.raises(PlacingError, match="meanwhile"):
        change(tmp_path, "change_log.md", slow)
    assert log.read_bytes() == b"somebody was faster\n"
    assert [each.name for each in tmp_path.iterdir()] == ["change_log.md"]
