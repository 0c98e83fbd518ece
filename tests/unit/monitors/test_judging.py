"""When a fault is believed: told against an inspector that answers from a dictionary, and a clock that is set."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.monitors.base import ContentMonitor
from waved.monitors.content import Answer, Checks, examine
from waved.monitors.corruption import Corruption
from waved.monitors.file_size import FileSize
from waved.monitors.judging import RECHECK, Hindrance, Judging, Result
from waved.plan.guards import CorruptionMonitor, FileSizeMonitor

SETTLE = 0.05
BAD = b"const const a\n"
BROKEN = b"def def f()\n"
GOOD = b"x = 1\n"


class Files:
    """A folder, an inspector of it, and a clock."""

    def __init__(self, *more: ContentMonitor, first: dict[str, bytes] | None = None) -> None:
        self.now = 100.0
        self.content: dict[str, bytes] = {}
        self.first = first
        self.asked: list[str] = []
        self.deadline: float | None = None
        self._waiting: deque[tuple[int, str, Checks, bytes | None]] = deque()
        self._number = 0
        corruption = Corruption(CorruptionMonitor(kind="corruption", patterns=["const const"], settle=SETTLE))
        self.judging = Judging((corruption, *more), self, self.baseline, lambda: self.now)  # type: ignore[arg-type]

    def baseline(self, path: str) -> bytes | None:
        if self.first is None:
            raise LookupError(path)
        return self.first.get(path)

    # what Judging asks of an inspector

    @property
    def full(self) -> bool:
        return len(self._waiting) >= 4

    def ask(self, path: str, checks: Checks, data: bytes | None = None) -> int:
        self._number += 1
        self._waiting.append((self._number, path, checks, data))
        self.asked.append(path)
        return self._number

    def answers(self) -> list[tuple[int, Answer]]:
        found = []
        while self._waiting:
            number, path, checks, data = self._waiting.popleft()
            data = self.content.get(path) if data is None else data
            found.append((number, Answer("gone") if data is None else examine(path, data, checks)))
        return found

    # what tests do

    def write(self, path: str, data: bytes | None) -> None:
        if data is None:
            self.content.pop(path, None)
        else:
            self.content[path] = data
        self.judging.changed(path)

    def after(self, seconds: float) -> list[Result | Hindrance]:
        """What is found while time goes on in steps of a millisecond."""
        found: list[Result | Hindrance] = []
        end = self.now + seconds
        while self.now < end:
            found += self.judging.step()
            self.now += 0.001
        return found + list(self.judging.step())

    def faults(self, seconds: float) -> list[tuple[str, str]]:
        return [
            (each.path, each.verdict.summary)
            for each in self.after(seconds)
            if isinstance(each, Result) and each.verdict is not None
        ]


def test_a_good_file_costs_one_look() -> None:
    files = Files()
    files.write("a.py", GOOD)
    assert all(isinstance(each, Result) and each.verdict is None for each in files.after(1.0))
    assert files.asked == ["a.py"]
    assert files.judging.idle
    assert files.judging.deadline() is None


def test_a_line_that_matches_is_believed_after_a_second_look_and_not_before() -> None:
    files = Files(first={})
    files.write("a.ts", BAD)
    assert files.faults(RECHECK * 0.8) == []
    assert files.faults(RECHECK) == [("a.ts", 'a.ts:1: matches the pattern "const const"')]
    assert files.judging.idle


def test_a_file_that_does_not_parse_is_believed_when_it_has_settled() -> None:
    files = Files(first={})
    files.write("a.py", BROKEN)
    assert files.faults(SETTLE * 0.8) == []
    assert len(files.faults(SETTLE)) == 1


def test_a_file_that_is_written_in_pieces_is_not_judged_half_way() -> None:
    files = Files(first={})
    whole = b"def first(a,\n          b):\n    return (a +\n            b)\n"
    for end in range(1, len(whole), 3):
        files.write("a.py", whole[:end])
        assert files.faults(SETTLE * 0.6) == []
    files.write("a.py", whole)
    assert files.faults(1.0) == []


def test_a_bad_line_is_found_although_the_file_is_never_left_alone() -> None:
    files = Files(first={})
    text, found = b"", []
    for number in range(100):
        text += BAD if number == 50 else b"log line\n"
        files.write("a.log", text)
        found += files.faults(0.005)
    assert found
    assert found[0][0] == "a.log"


def test_a_bad_line_does_not_wait_for_a_slower_monitor() -> None:
    size = FileSize(FileSizeMonitor(kind="file-size", paths=["**"], max_lines=2, settle=5.0))
    files = Files(size, first={})
    files.write("a.txt", b"1\n2\n3\n4\n")
    assert files.faults(0.3) == []
    files.write("a.txt", b"1\n2\n3\n4\n" + BAD)
    assert len(files.faults(0.1)) == 1


def test_a_fault_that_is_gone_at_the_second_look_is_not_told() -> None:
    files = Files(first={})
    files.write("a.ts", BAD)
    files.after(0.002)
    files.write("a.ts", b"const a = 1;\n")
    assert files.faults(1.0) == []


def test_what_was_broken_before_is_held_against_nobody_until_it_has_been_good() -> None:
    files = Files(first={"a.py": BROKEN})
    files.write("a.py", BROKEN + b"more\n")
    assert files.faults(1.0) == []
    files.write("a.py", GOOD)
    files.after(0.1)
    files.write("a.py", BROKEN)
    assert len(files.faults(1.0)) == 1


def test_a_removed_file_is_good() -> None:
    files = Files(first={})
    files.write("a.ts", BAD)
    assert files.faults(0.1)
    files.write("a.ts", None)
    (result,) = files.after(0.1)
    assert isinstance(result, Result)
    assert result.verdict is None


def test_in_a_hurry_nothing_waits_to_settle() -> None:
    files = Files(first={})
    files.write("a.py", BROKEN)
    files.after(0.003)
    files.judging.hurry(True)
    assert len(files.faults(RECHECK * 2)) == 1
    assert files.judging.idle


def test_a_pattern_that_tires_three_times_is_asked_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(first={})
    slow = Answer("read", digest=b"1", size=1, lines=1, slow=("const const",))
    patterns = []

    def answers() -> list[tuple[int, Answer]]:
        found = []
        while files._waiting:
            number, _, checks, _ = files._waiting.popleft()
            patterns.append(checks.patterns)
            found.append((number, slow if checks.patterns else Answer("read", digest=b"1", size=1)))
        return found

    monkeypatch.setattr(files, "answers", answers)
    hindrances = []
    for number in range(5):
        files.write(f"{number}.txt", GOOD)
        hindrances += [each for each in files.after(0.1) if isinstance(each, Hindrance)]
    assert [each.path for each in hindrances] == ["0.txt", "1.txt", "2.txt"]
    assert patterns == [("const const",)] * 3 + [()] * 2


_WRITES = st.lists(
    st.tuples(
        st.sampled_from(["a.py", "b.py", "c.txt"]),
        st.sampled_from([GOOD, BAD, BROKEN, b"", None]),
        st.floats(0.0, 0.12),
    ),
    max_size=25,
)


@given(_WRITES)
def test_in_the_end_what_is_said_of_each_file_is_true(writes: list[tuple[str, bytes | None, float]]) -> None:
    files = Files(first={"a.py": GOOD, "b.py": GOOD})
    said: dict[str, bool] = {}
    for path, data, pause in writes:
        files.write(path, data)
        for result in files.after(pause):
            assert isinstance(result, Result)
            said[result.path] = result.verdict is None
    for result in files.after(1.0):
        assert isinstance(result, Result)
        said[result.path] = result.verdict is None
    assert files.judging.idle
    for path, good in said.items():
        data = files.content.get(path)
        if data == b"" and path == "c.txt":
            continue  # whether it had content depends on whether that was ever looked at
        assert good == (data in (GOOD, None) or (data == BROKEN and path == "c.txt")), path
