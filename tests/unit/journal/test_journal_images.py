"""Images beside the journal: which there are is the journal's word; and when they are made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from waved.domain import events as ev
from waved.domain.image import ImageError, encode
from waved.errors import ResourceError
from waved.journal import images, salvage
from waved.journal.images import Image, folder_of, own_code
from waved.journal.store import Journal
from waved.masking import Masks
from waved.reactor import imaging
from waved.reactor.imaging import Imaging
from waved.reactor.restore import restore
from waved.reactor.sessions import Sessions, replay

PLAN = {"session": {"name": "s"}, "wave": [{"name": "w", "agent": [{"name": "a", "command": "true"}]}]}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite")) as opened:
        yield opened


def add(journal: Journal, *events: ev.Event) -> list[ev.Event]:
    """Append events, numbered."""
    for seq, event in enumerate(events, journal.last_seq + 1):
        event.seq, event.time = seq, float(seq)
    journal.append(events)
    return list(events)


def begun(journal: Journal, name: str, events: int = 3) -> None:
    """A session that goes on, with so many events."""
    add(journal, ev.SessionSubmitted(name, PLAN, "/w"), *(ev.SessionResumed(name, "x") for _ in range(events - 1)))


def imaged(journal: Journal, name: str) -> Image:
    """An image of a session as it is now, kept."""
    session = replay(journal.of_session(name))
    made = images.write(
        journal.path, name, session.last_seq, journal.count_of(name), encode(session), own_code()
    )  # fmt: skip
    assert journal.images.keep(made)
    return made


def files(journal: Journal) -> set[str]:
    return {path.name for path in folder_of(journal.path).iterdir()}


def test_a_kept_image_is_read_after_reopening_and_only_what_came_since_is_folded(journal: Journal) -> None:
    begun(journal, "s", 5)
    begun(journal, "t", 2)
    made = imaged(journal, "s")
    add(journal, ev.SessionHeld("s", "why"), ev.SessionHeld("t", "why"))
    asked: list[int] = []

    def read(session: str, after: int) -> Iterator[ev.Event]:
        asked.append(after)
        return other.of_session(session, after)

    with closing(Journal(journal.path)) as other:
        assert other.images.known == {"s": made}
        found = restore(read, other.images, "s")
        assert (found.events, found.imaged, found.unused) == (6, 5, "")
        assert found.session == replay(journal.of_session("s"))
        assert asked == [0, made.seq - 1]
        sessions = Sessions(other, Masks())
        tallies = sessions.recover()
        assert (tallies["s"].imaged, tallies["s"].since) == (5, 1)
        assert (tallies["t"].imaged, tallies["t"].since) == (0, 3)


def test_a_newer_image_replaces_the_older_one(journal: Journal) -> None:
    begun(journal, "s")
    first = imaged(journal, "s")
    add(journal, ev.SessionHeld("s", "why"))
    second = imaged(journal, "s")
    assert first.file != second.file
    assert files(journal) == {second.file}
    journal.images.discard(second)
    assert files(journal) == {second.file}, "it is the one that is in use"


def test_the_end_of_a_session_takes_its_image_along(journal: Journal) -> None:
    begun(journal, "s")
    begun(journal, "t")
    imaged(journal, "s")
    kept = imaged(journal, "t")
    add(journal, ev.SessionEnded("s", "succeeded"))
    assert files(journal) == {kept.file}
    with closing(Journal(journal.path)) as other:
        assert set(other.images.known) == {"t"}


def test_an_end_that_is_not_written_leaves_the_image(journal: Journal) -> None:
    begun(journal, "s")
    made = imaged(journal, "s")
    with pytest.raises(ResourceError):
        journal.append([ev.SessionEnded("s", "succeeded", seq=1)])  # a number that is taken
    assert files(journal) == {made.file}
    assert journal.images.known == {"s": made}
    with closing(Journal(journal.path)) as other:
        assert other.images.known == {"s": made}


def test_files_that_the_journal_does_not_name_are_removed(journal: Journal) -> None:
    begun(journal, "s")
    made = imaged(journal, "s")
    (folder_of(journal.path) / "s.99").write_bytes(b"x")
    (folder_of(journal.path) / "s.100.tmp").write_bytes(b"x")
    journal.images.tidy()
    assert files(journal) == {made.file}


def test_a_journal_that_does_not_take_the_row_leaves_no_file(journal: Journal) -> None:
    begun(journal, "s")
    session = replay(journal.of_session("s"))
    made = images.write(journal.path, "s", session.last_seq, 3, encode(session), own_code())
    with closing(sqlite3.connect(journal.path)) as other:
        other.execute("DROP TABLE images")
    assert not journal.images.keep(made)
    assert files(journal) == set()


def test_no_image_is_written_into_the_last_room_of_a_disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ROOM", 1 << 62)
    with pytest.raises(ImageError, match="MB left"):
        images.write(journal.path, "s", 1, 1, b"x", "code")
    assert files(journal) == set()


def test_a_salvaged_journal_begins_without_images(journal: Journal) -> None:
    begun(journal, "s")
    imaged(journal, "s")
    journal.close()
    salvage.mark(journal.path)
    with closing(Journal(journal.path)) as other:
        assert other.images.known == {}
        assert len(salvage.those_aside(journal.path)) == 1


def test_an_image_of_another_journal_is_not_used(journal: Journal, tmp_path: Path) -> None:
    begun(journal, "other")
    begun(journal, "s")
    made = imaged(journal, "s")
    (tmp_path / "b").mkdir()
    with closing(Journal(tmp_path / "b" / "journal.sqlite")) as second:
        begun(second, "s", 3)
        begun(second, "other", 9)
        folder_of(second.path).mkdir()
        (folder_of(second.path) / made.file).write_bytes((folder_of(journal.path) / made.file).read_bytes())
        second.images.keep(made)
        found = restore(second.of_session, second.images, "s")
        assert "another journal" in found.unused
        assert found.session == replay(second.of_session("s"))


def test_a_damaged_image_is_never_believed(journal: Journal) -> None:
    begun(journal, "s", 40)
    made = imaged(journal, "s")
    path = folder_of(journal.path) / made.file
    whole = path.read_bytes()
    expected = replay(journal.of_session("s"))
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        found = restore(journal.of_session, journal.images, "s")
        assert (found.unused, found.imaged, found.events) == (f"{made.file} is damaged", 0, 40)
        assert found.session == expected
    path.write_bytes(whole)
    assert restore(journal.of_session, journal.images, "s").imaged == 40


def test_other_sources_are_other_code() -> None:
    assert images.code_of("a") != images.code_of("b")
    assert own_code() == own_code()


# --- when they are made -----------------------------------------------------------------------------------------------


class Helper:
    """Runs no program: tells what would have been imaged."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], None]] = []

    def run(self, job: Callable[[], None], on_defect: Any) -> None:
        self.jobs.append(job)


class Told(Imaging):
    """Images are made at once, of all that there is."""

    def __init__(self, journal: Any, helpers: Any) -> None:
        super().__init__(journal, helpers)
        self.made: list[tuple[str, int]] = []
        self.problem = ""

    def _work(self, sessions: list[str], until: int) -> None:
        rows = []
        for name in sessions:
            tally = self._tallies[name]
            events = tally.imaged + tally.since
            self.made.append((name, events))
            rows.append(Image(name, until, events, "c", f"{name}.{until}", "")._asdict())
        self._done(sessions, [] if self.problem else rows, self.problem)


class Kept:
    """A journal that keeps every image."""

    last_seq = 0

    def __init__(self) -> None:
        self.images = self
        self.rows: dict[str, Image] = {}

    def keep(self, made: Image) -> bool:
        self.rows[made.session] = made
        return True

    def discard(self, made: Image) -> None:
        raise AssertionError(made)


def told(monkeypatch: pytest.MonkeyPatch, at_least: int) -> tuple[Told, Callable[..., None]]:
    monkeypatch.setenv(imaging.VARIABLE, str(at_least))
    helper = Helper()
    watch = Told(Kept(), helper)

    def happen(*events: ev.Event) -> None:
        watch.count(events)
        while helper.jobs:
            helper.jobs.pop()()

    return watch, happen


def test_the_work_for_images_grows_with_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, happen = told(monkeypatch, 100)
    happen(ev.SessionSubmitted("s", PLAN, "/w"))
    for _ in range(100_000):
        happen(ev.SessionResumed("s", ""))
    sizes = [events for _, events in watch.made]
    assert sizes[0] == 100
    assert all(later >= earlier * 1.25 for earlier, later in pairwise(sizes))
    assert sum(sizes) < 6 * 100_000
    assert sizes[-1] > 100_000 / 1.3, "a start has little to fold"


def test_many_sessions_share_one_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, happen = told(monkeypatch, 100)
    for number in range(50):
        happen(ev.SessionSubmitted(f"s{number}", PLAN, "/w"))
    assert watch.made == []
    for _ in range(49):
        happen(ev.SessionResumed("s7", ""))
    assert not watch.made
    happen(ev.SessionResumed("s7", ""))
    assert watch.made == [("s7", 51)], "the one with the most; the others are not worth it yet"


def test_after_a_failure_it_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, happen = told(monkeypatch, 100)
    watch.problem = "killed"
    happen(ev.SessionSubmitted("s", PLAN, "/w"))
    for _ in range(1000):
        happen(ev.SessionResumed("s", ""))
    assert [events for _, events in watch.made] == [100, 200, 400, 800]


def test_a_session_that_has_ended_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, happen = told(monkeypatch, 100)
    for number in range(300):
        happen(ev.SessionSubmitted(f"s{number}", PLAN, "/w"), ev.SessionEnded(f"s{number}", "succeeded"))
    assert watch.made == []
