"""The journal: what was appended stays, whole; what cannot be read is left as it is (invariant 1)."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.domain import events as ev
from waved.errors import ResourceError
from waved.journal.store import SCHEMA, Journal, JournalError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def held(seq: int, session: str = "s", reason: str = "why") -> ev.SessionHeld:
    return ev.SessionHeld(session, reason, seq=seq, time=seq / 8)


def seqs(journal: Journal) -> list[int]:
    return [row.seq for row in journal.all()]


def test_what_was_appended_is_there_after_reopening(path: Path) -> None:
    events: list[ev.Event] = [
        ev.SessionSubmitted("s", {"session": {"name": "é"}}, "/w", waived=["disk"], seq=1, time=0.1),
        ev.RunEnded("s", "s/a#1", "signalled", None, 9, leftovers=["7 sh"], cpu_seconds=0.25, seq=2, time=1e9 + 1 / 3),
        ev.DaemonStopped("", "asked", seq=3, time=5.0),
    ]
    with closing(Journal(path)) as journal:
        journal.append(events)
    with closing(Journal(path)) as journal:
        assert journal.last_seq == 3
        rows = journal.read()
    back = [ev.from_data(row.kind, row.session, row.seq, row.time, row.fields()) for row in rows]
    assert back == events
    assert [event.seq for event in back] == [1, 2, 3]


def test_what_was_appended_is_there_without_closing(path: Path) -> None:
    journal = Journal(path)
    journal.append([held(1)])
    with closing(Journal(path)) as other:  # as after kill -9: the first one never closed
        assert seqs(other) == [1]
    journal.close()


def test_a_sequence_number_is_used_once_and_a_batch_is_all_or_nothing(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.append([held(1), held(2)])
        with pytest.raises(ResourceError):
            journal.append([held(3), held(2)])
        assert seqs(journal) == [1, 2]
        assert journal.last_seq == 2
        journal.append([held(3)])
        assert seqs(journal) == [1, 2, 3]


def test_settings_are_remembered(path: Path) -> None:
    with closing(Journal(path)) as journal:
        assert journal.meta("clock") is None
        journal.set_meta("clock", "1")
        journal.set_meta("clock", "2")
    with closing(Journal(path)) as journal:
        assert journal.meta("clock") == "2"
        assert journal.meta("schema") == str(SCHEMA)


_SESSIONS = st.lists(st.sampled_from(["s", "t", ""]), max_size=30)


@settings(deadline=None, max_examples=50)  # each makes a database
@given(_SESSIONS, st.integers(0, 35), st.sampled_from(["", "s", "t", "nobody"]), st.integers(1, 35))
def test_read_is_a_slice_of_the_history(sessions: list[str], after: int, session: str, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Journal(Path(folder) / "journal.sqlite")) as journal:
        if sessions:
            journal.append([held(seq, name) for seq, name in enumerate(sessions, 1)])
        expected = [seq for seq, name in enumerate(sessions, 1) if seq > after and session in ("", name)]
        found = journal.read(after=after, session=session, limit=limit)
        assert [row.seq for row in found] == expected[:limit]
        of_session = [seq for seq, name in enumerate(sessions, 1) if name == session]
        assert journal.last_of(session) == max(of_session, default=0)


# --- what cannot be used is left as it is ---------------------------------------------------------------------------


def refusal(path: Path) -> JournalError:
    """The error a journal is refused with; the file is the same afterwards."""
    before = path.read_bytes()
    with pytest.raises(JournalError) as caught:
        Journal(path)
    assert path.read_bytes() == before
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("schema", [str(SCHEMA + 1), "eleven"])
def test_a_journal_of_a_newer_waved(path: Path, schema: str) -> None:
    with closing(Journal(path)) as journal:
        journal.append([held(1)])
        journal.set_meta("schema", schema)
    assert f"is of schema {schema}; this version of waved knows {SCHEMA}" in refusal(path).message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "nowhere" / "journal.sqlite")


# --- no room --------------------------------------------------------------------------------------------------------


@contextmanager
def full_database(journal: Journal) -> Iterator[None]:
    """The database may not grow."""
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    yield
    journal._db.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def full_disk(journal: Journal) -> Iterator[None]:
    """No file may grow beyond what the write-ahead log has now: writes fail in the middle, as on a full disk."""
    size = journal.path.with_name(journal.path.name + "-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 6000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("fault", [full_database, full_disk])
def test_without_room_nothing_is_half_written_and_it_goes_on_when_there_is_room(path: Path, fault: object) -> None:
    assert callable(fault)
    large: list[ev.Event] = [held(seq, reason="x" * 3000) for seq in range(3, 40)]
    with closing(Journal(path)) as journal:
        journal.append([held(1), held(2)])
        with fault(journal):
            for _ in range(2):
                with pytest.raises(ResourceError, match="cannot be written") as caught:
                    journal.append(large)
                assert "free some disk space" in caught.value.hint
                assert (seqs(journal), journal.last_seq) == ([1, 2], 2)
        journal.append(large)
        assert seqs(journal) == list(range(1, 40))
    with closing(Journal(path)) as journal:
        assert seqs(journal) == list(range(1, 40))
        assert journal._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_sessions_whose_report_is_not_written_are_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    plan = {"session": {"name": "s"}}
    told: list[ev.Event] = []
    for name, after in (
        ("written", [ev.ReportWriting("written"), ev.ReportWritten("written", kept=True)]),
        ("due", [ev.ReportWriting("due")]),
        ("none", []),
        ("again", [ev.ReportWriting("again"), ev.SessionRetried("again", ["a"])]),
        ("twice", [ev.ReportWriting("twice"), ev.ReportWritten("twice"), ev.SessionRetried("twice", ["a"]),
                   ev.SessionEnded("twice", "failed"), ev.ReportWriting("twice")]),
    ):  # fmt: skip
        told += [ev.SessionSubmitted(name, plan, "/w"), ev.SessionEnded(name, "succeeded"), *after]
    for number, event in enumerate(told, 1):
        event.seq, event.time = number, float(number)
    journal.append(told)
    assert journal.unreported() == ["due", "twice"]
    journal.close()
