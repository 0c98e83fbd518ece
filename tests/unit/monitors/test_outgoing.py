"""Changes on their way: none is lost, none is told twice, and they are attributed as late as possible."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from waved.monitors.base import RESTORED, Batch, Kind, Sighting
from waved.monitors.outgoing import INTERVAL, MOST_CHANGES, Outgoing, Touch
from waved.workspace.attribution import Running

ROOT = Path("/somewhere/ws")
A, B = Running("a", "ra", (), "w", 0.0), Running("b", "rb", (), "w", 0.0)


def make() -> tuple[Outgoing, list[Batch]]:
    batches: list[Batch] = []
    return Outgoing(ROOT, batches.append), batches


def test_changes_wait_a_second_and_learn_meanwhile_who_made_them() -> None:
    outgoing, batches = make()
    outgoing.changed("x", "added", Touch(10.0, (A, B)))
    outgoing.send(10.5, clean=False)
    assert batches == []
    assert outgoing.deadline() == 10.0 + INTERVAL
    assert outgoing.writer("x").assignment == ""
    outgoing.said("b", "/somewhere/ws/x", 10.6)
    assert outgoing.writer("x").run == "rb"
    outgoing.send(11.0, clean=False)
    assert [(each.path, each.kind, each.writer, each.run) for each in batches[0].changes] == [("x", "added", "b", "rb")]
    assert outgoing.deadline() is None


def test_what_is_said_of_paths_outside_is_nothing() -> None:
    outgoing, _ = make()
    outgoing.changed("passwd", "modified", Touch(10.0, (A, B)))
    for path in ("/etc/passwd", "../passwd", "/somewhere/ws/../../etc/passwd", "/somewhere/wsx/passwd", "a\0b", ""):
        outgoing.said("b", path, 10.0)
    assert outgoing.writer("passwd").assignment == ""
    outgoing.said("a", "./sub/../passwd", 10.0)
    assert outgoing.writer("passwd").assignment == "a"


def test_what_waved_writes_is_nobodys_doing() -> None:
    outgoing, batches = make()
    outgoing.said("a", "x", 10.0)
    outgoing.changed("x", "modified", Touch(10.0, (A,), restored=True))
    outgoing.send(20.0, clean=True)
    assert batches[0].changes[0].how == RESTORED
    assert batches[0].changes[0].writer == ""


def test_a_clean_batch_comes_once_after_changes() -> None:
    outgoing, batches = make()
    outgoing.changed("x", "modified", Touch(10.0, (A,)))
    outgoing.send(11.5, clean=False)
    outgoing.send(11.6, clean=True)
    outgoing.send(11.7, clean=True)
    assert [each.clean for each in batches] == [False, True]


def test_a_problem_is_said_once() -> None:
    outgoing, batches = make()
    for _ in range(3):
        outgoing.problem("too many folders")
        outgoing.send(1.0, clean=True)
    assert [each.problems for each in batches] == [("too many folders",)]


def test_a_flood_goes_in_batches() -> None:
    outgoing, batches = make()
    for number in range(2 * MOST_CHANGES + 5):
        outgoing.changed(f"f{number}", "added", Touch(10.0, (A,)))
    outgoing.send(10.0, clean=False)
    assert [len(each.changes) for each in batches] == [MOST_CHANGES, MOST_CHANGES]
    outgoing.send(10.0 + 2 * INTERVAL, clean=True)
    assert len({change.path for each in batches for change in each.changes}) == 2 * MOST_CHANGES + 5


def test_bytes_that_are_no_text_are_spelled() -> None:
    outgoing, batches = make()
    name = os.fsdecode(b"caf\xe9")
    outgoing.changed(name, "added", Touch(1.0, (A,)))
    outgoing.sightings.append(Sighting("m", f"{name}: wrong", subject=name, path=name, evidence="é"))
    outgoing.send(10.0, clean=False, lost=f"{name} is gone")
    (batch,) = batches
    assert batch.changes[0].path == "caf\\xe9"
    (seen,) = batch.sightings
    assert (seen.summary, seen.path, seen.subject, seen.evidence) == ("caf\\xe9: wrong", "caf\\xe9", "caf\\xe9", "é")
    assert batch.lost == "caf\\xe9 is gone"


_KINDS = st.sampled_from(["added", "modified", "removed"])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.sets(st.sampled_from("abc")))
def test_what_is_told_leads_from_what_was_to_what_is(steps: list[tuple[str, bool]], before: set[str]) -> None:
    outgoing, batches = make()
    now = set(before)
    for path, exists in steps:
        kind: Kind
        if exists:
            kind = "modified" if path in now else "added"
            now.add(path)
        elif path in now:
            kind = "removed"
            now.discard(path)
        else:
            continue
        outgoing.changed(path, kind, Touch(1.0, ()))
    outgoing.send(100.0, clean=False)
    told = set(before)
    for batch in batches:
        for change in batch.changes:
            assert (change.kind == "added") == (change.path not in before)
            (told.discard if change.kind == "removed" else told.add)(change.path)
    assert told == now
