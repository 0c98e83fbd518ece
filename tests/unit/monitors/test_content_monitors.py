"""Corruption, file size and ownership: what they call wrong, and what they leave alone."""

from __future__ import annotations

from waved.monitors.base import ASK_PAST, RESTORED, Change, Past, Verdict
from waved.monitors.content import Answer, Checks, examine
from waved.monitors.corruption import Corruption
from waved.monitors.file_size import FileSize
from waved.monitors.ownership import Ownership
from waved.plan.guards import CorruptionMonitor, FileSizeMonitor, OwnershipMonitor
from waved.workspace.attribution import Running

NEW = Past(loaded=True, known=True)


def corruption(**settings: object) -> Corruption:
    return Corruption(CorruptionMonitor(kind="corruption", **settings))


def look(monitor: Corruption, path: str, data: bytes) -> Answer:
    return examine(path, data, monitor.checks())


def past(monitor: Corruption, path: str, data: bytes) -> Past:
    return Past(loaded=True, known=True, first=look(monitor, path, data))


def test_a_pattern_is_certain_at_once_and_a_parse_error_is_not() -> None:
    monitor = corruption(patterns=["const const"])
    found = monitor.judge("a.ts", look(monitor, "a.ts", b"const const a = 1;\n"), NEW)
    assert isinstance(found, Verdict)
    assert (found.at_once, found.severity, found.line) == (True, "critical", 1)
    assert found.summary == 'a.ts:1: matches the pattern "const const"'
    assert "does not parse" in found.evidence
    found = monitor.judge("a.py", look(monitor, "a.py", b"def def f():\n"), NEW)
    assert isinstance(found, Verdict)
    assert not found.at_once
    assert found.summary.startswith("a.py:1: no longer parses: ")


def test_only_what_the_plan_wants_is_looked_for() -> None:
    monitor = corruption(paths=["src/**"], exclude=["**/*.min.js"], parse=False, markers=False, emptied=False)
    assert monitor.wants("src/a.js")
    assert not monitor.wants("src/a.min.js")
    assert not monitor.wants("docs/a.md")
    answer = examine("src/a.py", b"<<<<<<< a\n=======\n>>>>>>> b\n", Checks(("x",), markers=True, parse=True))
    assert monitor.judge("src/a.py", answer, NEW) is None
    assert monitor.judge("src/a.py", look(monitor, "src/a.py", b""), past(monitor, "src/a.py", b"x = 1\n")) is None


def test_what_was_so_before_the_session_is_not_corruption() -> None:
    monitor = corruption(patterns=["TODO"])
    broken = look(monitor, "a.py", b"def def f(): TODO\n")
    assert monitor.judge("a.py", broken, Past()) == ASK_PAST
    assert monitor.judge("a.py", broken, past(monitor, "a.py", b"TODO (\n")) is None
    more = look(monitor, "a.py", b"def def f(): TODO\nTODO\n")
    found = monitor.judge("a.py", more, past(monitor, "a.py", b"TODO (\n"))
    assert isinstance(found, Verdict)
    assert "on 2 lines" in found.summary


def test_a_file_that_was_good_once_has_no_excuse() -> None:
    monitor = corruption()
    first = past(monitor, "a.py", b"def def\n").first
    assert isinstance(
        monitor.judge("a.py", look(monitor, "a.py", b"def def\n"), Past(sound=True, first=first)), Verdict
    )


def test_emptied_means_that_there_was_something() -> None:
    monitor = corruption()
    empty = look(monitor, "a.txt", b" \n")
    assert monitor.judge("a.txt", empty, Past()) == ASK_PAST
    assert monitor.judge("a.txt", empty, NEW) is None
    assert monitor.judge("a.txt", empty, past(monitor, "a.txt", b"\n")) is None
    for before in (past(monitor, "a.txt", b"text\n"), Past(sound=True, content=True)):
        found = monitor.judge("a.txt", empty, before)
        assert isinstance(found, Verdict)
        assert found.summary == "a.txt: it had content, and is empty"
    assert monitor.judge("p/__init__.py", empty, past(monitor, "p/__init__.py", b"x = 1\n")) is None


def test_what_is_no_file_is_not_corrupt() -> None:
    monitor = corruption()
    for state in ("gone", "link", "large", "special", "unreadable", "died"):
        assert monitor.judge("a.py", Answer(state), NEW) is None


def size(lines: int, before: int | None, known: bool = True, **settings: object) -> Verdict | str | None:
    monitor = FileSize(FileSizeMonitor(kind="file-size", paths=["**"], **settings))
    first = None if before is None else Answer("read", lines=before)
    return monitor.judge("a.py", Answer("read", lines=lines), Past(loaded=True, known=known, first=first))


def test_limits_of_length_and_growth() -> None:
    assert size(300, None) is None
    found = size(301, 299)
    assert isinstance(found, Verdict)
    assert (found.severity, found.at_once) == ("warning", False)
    assert found.summary == "a.py has 301 lines (limit: 300)"
    found = size(801, 300)
    assert isinstance(found, Verdict)
    assert found.severity == "critical"
    assert "grown by 501 lines to 801" in found.summary
    assert isinstance(size(501, None), Verdict)
    assert size(9000, 8000, max_lines=None, max_growth=None) is None


def test_growth_is_not_made_up_where_the_past_is_not_known() -> None:
    found = size(2000, None, known=False)
    assert isinstance(found, Verdict)
    assert found.severity == "warning"


def test_long_files_of_old_may_stay_but_not_grow() -> None:
    assert size(900, 900, existing="allow") is None
    assert size(880, 900, existing="allow") is None
    assert isinstance(size(901, 900, existing="allow"), Verdict)
    assert isinstance(size(350, 200, existing="allow"), Verdict)
    assert isinstance(size(900, 900), Verdict)


def owner(name: str, *owned: str, wave: str = "w") -> Running:
    return Running(name, f"r-{name}", owned, wave, 0.0)


def test_a_stranger_who_writes_is_seen_until_the_owner_or_waved_does() -> None:
    monitor = Ownership(OwnershipMonitor(kind="ownership"))
    monitor.running([owner("front", "client"), owner("back", "server/**")])
    assert monitor.wants("client/a")
    assert not monitor.wants("docs/a")
    (seen,) = monitor.changed([Change("client/a", "removed", "back", "its own output says so", "r-back")])
    assert seen.summary == "back removed client/a, which front owns"
    assert (seen.subject, seen.assignment, seen.run) == ("client/a", "back", "r-back")
    (over,) = monitor.changed([Change("client/a", "added", "front")])
    assert over.cleared
    assert list(monitor.changed([Change("client/a", "modified", "front")])) == []
    assert len(list(monitor.changed([Change("client/a", "modified", "back")]))) == 1
    (over,) = monitor.changed([Change("client/a", "modified", "", RESTORED)])
    assert over.cleared


def test_nobody_is_accused_who_is_not_known_or_owns_the_path_too() -> None:
    monitor = Ownership(OwnershipMonitor(kind="ownership"))
    monitor.running([owner("one", "shared/**"), owner("two", "shared/*")])
    assert list(monitor.changed([Change("shared/a", "added", ""), Change("shared/a", "added", "two")])) == []


def test_who_has_ended_still_owns_until_another_wave_begins() -> None:
    monitor = Ownership(OwnershipMonitor(kind="ownership"))
    monitor.running([owner("front", "client"), owner("back", "server")])
    monitor.running([owner("back", "server")])
    assert len(list(monitor.changed([Change("client/a", "added", "back")]))) == 1
    monitor.running([])
    monitor.running([owner("judge", "reports", wave="next")])
    assert list(monitor.changed([Change("client/b", "added", "judge")])) == []
