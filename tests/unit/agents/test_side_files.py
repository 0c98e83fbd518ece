"""Files in which programs report what they do not print."""

from __future__ import annotations

from pathlib import Path

from waved.agents.activity import Activity, Said
from waved.agents.reader import SIDE, STDOUT, Judgement, SideFile
from waved.agents.side_files import LARGEST, SideFileTail


class Echo:
    """Says what it is fed, and from where."""

    finished = False
    too_long = 0

    def __init__(self, *side_files: SideFile) -> None:
        self.side_files = side_files

    def feed(self, data: bytes | memoryview, stream: int = STDOUT) -> list[Activity]:
        return [Said(f"{stream - SIDE}:{bytes(data).decode()}")]

    def close(self) -> list[Activity]:
        return []

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        return Judgement(None)


def texts(activities: list[Activity]) -> list[str]:
    return [activity.text for activity in activities if isinstance(activity, Said)]


def test_what_is_appended_is_read_once(tmp_path: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"
    tail = SideFileTail(Echo(SideFile(log), SideFile(other)))
    assert tail
    assert tail.poll() == []
    log.write_text("one")
    other.write_text("two")
    assert texts(tail.poll()) == ["0:one", "1:two"]
    assert tail.poll() == []
    with log.open("a") as opened:
        opened.write(" more")
    assert texts(tail.poll()) == ["0: more"]


def test_a_long_file_comes_in_pieces_and_wholly_in_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 1_000_000)
    tail = SideFileTail(Echo(SideFile(log)))
    (first,) = texts(tail.poll())
    assert len(first) == 2 + 256 * 1024
    assert sum(len(text) - 2 for text in [first, *texts(tail.drain())]) == 1_000_000


def test_a_file_written_anew_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "trajectory"
    tail = SideFileTail(Echo(SideFile(file, whole=True)))
    file.write_text("[1]")
    assert texts(tail.poll()) == ["0:[1]"]
    assert tail.poll() == []
    (tmp_path / "new").write_text("[1, 2]")
    (tmp_path / "new").rename(file)
    assert texts(tail.drain()) == ["0:[1, 2]"]


def test_what_cannot_be_read_is_nothing_new(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as opened:
        opened.truncate(LARGEST + 1)
    tail = SideFileTail(Echo(SideFile(huge, whole=True), SideFile(tmp_path), SideFile(tmp_path / "no")))
    assert tail.drain() == []
    assert not SideFileTail(Echo())
