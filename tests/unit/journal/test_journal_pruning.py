"""Sessions that are pruned: what is missing then is known to be missing rightly, whatever happens in between."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.domain import events as ev
from waved.journal import pruning, salvage
from waved.journal.schema import migrate
from waved.journal.store import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def say(journal: Journal, *events: ev.Event) -> None:
    for event in events:
        event.seq = journal.last_seq + 1
        event.time = float(event.seq)
        journal.append([event])


def interleaved(journal: Journal, *names: str, events: int = 6) -> None:
    """Sessions that went on at the same time, and have ended."""
    say(journal, *(ev.SessionSubmitted(name, {"session": {"name": name}}, f"/{name}") for name in names))
    for _ in range(events):
        say(journal, *(ev.SessionResumed(name) for name in names))
    say(journal, *(ev.SessionEnded(name, "succeeded") for name in names))


def prune(journal: Journal, name: str) -> None:
    say(journal, ev.SessionPruned("", name, name))
    while journal.prune_some(name):
        pass
    journal.pruned([name])


def missing(path: Path) -> set[int]:
    with closing(sqlite3.connect(path)) as db:
        there = {row[0] for row in db.execute("SELECT seq FROM events")}
    return set(range(1, max(there) + 1)) - there


def noted(path: Path) -> list[tuple[int, int]]:
    with closing(sqlite3.connect(path)) as db:
        return pruning.noted(db)


def test_a_pruned_session_is_gone_and_its_numbers_are_noted(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a", "b", "c")
        last = journal.last_seq
        prune(journal, "b")
        assert [entry.session for entry in journal.sessions()] == ["a", "c"]
        assert list(journal.of_session("b")) == []
        assert len(list(journal.of_session("a"))) == 8
        assert journal.going() == {}
        assert journal.last_seq == last + 1
        assert [past.session for past in journal.past()] == ["c", "a"]
    assert {number for first, end in noted(path) for number in range(first, end + 1)} == missing(path)


def test_numbers_are_never_given_twice_though_the_newest_events_are_pruned(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a")
        prune(journal, "a")
        last = journal.last_seq
    with closing(Journal(path)) as journal:
        assert journal.last_seq == last


def test_ranges_grow_together_when_all_that_lay_between_is_pruned(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a", "b", "c")
        for name in "abc":
            prune(journal, name)
    assert len(noted(path)) == 1, "all that is left is what was said of pruning itself"


def test_what_is_begun_is_known_to_the_next_daemon(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a", "b", events=30)
        say(journal, ev.SessionPruned("", "a", "a"))
        pruning.take_some(journal._db, "a", 3)
    with closing(Journal(path)) as journal:
        assert journal.going() == {"a": "/a"}
        assert [entry.session for entry in journal.sessions()] == ["b"]
        assert not journal.prune_some("a")
        journal.pruned(["a"])
        assert journal.going() == {}


def damaged(path: Path) -> None:
    """The journal failed as damaged, though every row can be read."""
    salvage.mark(path)


def test_a_salvage_does_not_take_what_was_pruned_for_lost(path: Path) -> None:
    with closing(Journal(path)) as journal:
        say(journal, ev.SessionSubmitted("live", {"session": {"name": "live"}}, "/live"))
        interleaved(journal, "a", "b")
        prune(journal, "a")
        before = noted(path)
    damaged(path)
    with closing(Journal(path)) as journal:
        assert [entry.session for entry in journal.sessions()] == ["live", "b"]
        live, b = journal.sessions()
        assert journal.lost_of(b) == ""
        assert [first for first, _ in journal.gaps] == [max(first for first, _ in journal.gaps)], "only after the last"
        assert journal.lost_of(live) != "", "what came after the last that could be read is not known"
    assert noted(path) == before


def test_a_salvage_goes_on_with_what_was_being_pruned(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a", "b")
        say(journal, ev.SessionPruned("", "a", "a"))
        pruning.take_some(journal._db, "a", 1)
    damaged(path)
    with closing(Journal(path)) as journal:
        assert [entry.session for entry in journal.sessions()] == ["b"]
        assert journal.going() == {"a": "/a"}


def test_a_session_that_has_an_old_ones_id_is_not_pruned_by_a_salvage(path: Path) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a")
        prune(journal, "a")
        interleaved(journal, "a")
    damaged(path)
    with closing(Journal(path)) as journal:
        assert [entry.session for entry in journal.sessions()] == ["a"]
        assert journal.going() == {}


def test_a_disk_that_takes_nothing_deletes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Journal(path)) as journal:
        interleaved(journal, "a")
        say(journal, ev.SessionPruned("", "a", "a"))

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(pruning, "note", full)
        with pytest.raises(Exception, match="cannot be written"):
            journal.prune_some("a")
        assert len(list(journal.of_session("a"))) == 8


@given(st.lists(st.integers(1, 60), unique=True, max_size=40), st.randoms(use_true_random=False))
def test_noted_ranges_are_exactly_what_was_noted_and_as_few_as_can_be(numbers: list[int], rng: random.Random) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, 0)
    everything = set(numbers)
    rng.shuffle(numbers)
    while numbers:
        some, numbers = sorted(numbers[:5]), numbers[5:]
        for first, last in pruning.ranges(some):
            pruning.note(db, first, last)
            pruning.note(db, first, last)  # twice is once
    found = pruning.noted(db)
    db.close()
    assert {number for first, last in found for number in range(first, last + 1)} == everything
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


@given(st.sets(st.integers(1, 40)), st.integers(1, 40), st.integers(1, 40))
def test_what_is_missing_and_not_pruned_was_lost(pruned: set[int], first: int, last: int) -> None:
    known = list(pruning.ranges(sorted(pruned)))
    lost = {number for start, end in pruning.without(first, last, known) for number in range(start, end + 1)}
    assert lost == set(range(first, last + 1)) - pruned
