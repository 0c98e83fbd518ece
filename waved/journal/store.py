"""Append and read events (invariant 1). SQLite in WAL mode with synchronous=FULL: what was committed stays.

Tables: `waved.journal.schema`. `meta` also holds the clock's base (see `waved.reactor.clock`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from waved import failpoints
from waved.domain.events import Event, SessionEnded, SessionPruned, SessionSubmitted
from waved.domain.history import Wanted, is_named
from waved.errors import ResourceError, WavedError
from waved.journal import pruning, salvage
from waved.journal.images import Images
from waved.journal.reserve import Reserve
from waved.journal.rows import Row, events_of
from waved.journal.schema import BOUNDS, SCHEMA, describe, enter, migrate, transaction


class Entry(NamedTuple):
    """A session as the journal lists it: number of its first event and of its end (0: it goes on), id, name."""

    submitted: int
    session: str
    name: str
    ended: int


class Past(NamedTuple):
    """A session that has ended, as it is found by. Times on waved's clock; `began`, `finished` 0: cannot be read."""

    session: str
    name: str
    workspace: str
    outcome: str
    began: float
    finished: float


class JournalError(WavedError):
    """The journal cannot be opened, or is of a newer version. It is left as it is."""

    code = "journal"


class Journal:
    """One writer (the reactor's thread). Raises JournalError when the database cannot be used.

    A journal of an older schema is migrated, after a copy was made of it. One that is damaged is put aside, and a new
    one begun with what could be read of it (`problems` says so).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = _open(path)
            self.images = Images(self._db, path)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"the journal {path} cannot be opened: {error}",
                "mend what is wrong with its disk or its rights (it is not overwritten),"
                " or name another state folder in WAVED_STATE_DIR",
            ) from None
        self.last_seq: int = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        self.reserve = Reserve(self._db)
        self.gaps = [_gap(text) for text in (self.meta("gaps") or "").split()]
        """Ranges of numbers (first, last) that were lost with a damaged journal."""

    def problems(self) -> list[str]:
        """What is wrong with the journal, for people."""
        found = [
            f"a journal could not be read and was put aside as {aside}: what could be read of it goes on;"
            " move the file away when you need it no more"
            for aside in salvage.those_aside(self.path)
        ]
        return [*found, self.reserve.problem] if self.reserve.problem else found

    def meta(self, name: str) -> str | None:
        """A remembered setting of the journal itself."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Remember a setting of the journal itself; raises ResourceError when the disk does not take it."""
        try:
            self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def append(self, events: Sequence[Event], summaries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write events, whose `seq` the caller has given (`last_seq` + 1, …), in one durable transaction.

        `summaries`: what a list shows of sessions that end with these events. Raises ResourceError when the disk does
        not take them; then none of them is written.
        """
        rows = [
            (event.seq, event.session, event.time, event.kind, msgpack.packb(event.stored(), use_bin_type=True))
            for event in events
        ]
        try:
            failpoints.hit("journal.before-commit")
            with transaction(self._db):
                self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
                for event in events:
                    if event.kind in BOUNDS:
                        self._enter(event, summaries or {})
                    elif isinstance(event, SessionPruned):
                        pruning.begin(self._db, event)
                failpoints.hit("journal.in-transaction")
        except (sqlite3.Error, OSError) as error:
            raise self._unwritable(error) from None
        self.last_seq = events[-1].seq
        failpoints.hit("journal.after-commit")
        for event in events:
            if isinstance(event, SessionEnded):
                self.images.forget(event.session)
        self.reserve.used(len(events))

    def _enter(self, event: Event, summaries: Mapping[str, Mapping[str, Any]]) -> None:
        name = event.session
        if isinstance(event, SessionSubmitted):
            name = str(event.plan.get("session", {}).get("name", name))
        summary = summaries.get(event.session)
        packed = msgpack.packb(summary, use_bin_type=True) if summary is not None else None
        enter(self._db, event.seq, event.session, event.kind, name, packed)
        describe(self._db, event.session, event.kind, event.time, event.data())

    def _unwritable(self, error: sqlite3.Error | OSError) -> ResourceError:
        if isinstance(error, sqlite3.Error) and salvage.is_damage(error):
            with contextlib.suppress(OSError):
                salvage.mark(self.path)
            return ResourceError(
                f"the journal {self.path} is damaged: {error}",
                "restart waved (agents go on meanwhile): it is put aside, and what can be read of it goes on",
            )
        return ResourceError(
            f"the journal {self.path} cannot be written: {error}", "free some disk space; nothing new is started before"
        )

    def read(self, *, after: int = 0, session: str = "", kinds: Collection[str] = (), limit: int = 500) -> list[Row]:
        """Rows with a sequence number above `after`, oldest first; of any session and kind when those are empty."""
        conditions: list[str] = ["seq > ?"]
        values: list[int | str] = [after]
        if session:
            conditions.append("session = ?")
            values.append(session)
        if kinds:
            conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values += kinds
        query = f"SELECT * FROM events WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT ?"  # noqa: S608 — only fixed texts
        found = self._db.execute(query, (*values, limit))
        return [Row._make(row) for row in found]

    def of_session(self, session: str, after: int = 0) -> Iterator[Event]:
        """Every event of a session with a number above `after`, oldest first; see `events_of` for what it raises."""
        return events_of(self._db, session, after)

    def of_kinds(self, session: str, *kinds: str) -> list[Event]:
        """The events of these kinds of a session, oldest first; 100,000 at most."""
        return [row.event() for row in self.read(session=session, kinds=frozenset(kinds), limit=100_000)]

    def count_of(self, session: str) -> int:
        """How many events a session has."""
        return int(self._db.execute("SELECT count(*) FROM events WHERE session = ?", (session,)).fetchone()[0])

    def all(self) -> Iterator[Row]:
        """Every row, oldest first, without holding them all in memory."""
        return map(Row._make, self._db.execute("SELECT * FROM events ORDER BY seq"))

    def sessions(self) -> list[Entry]:
        """Every session there is, oldest first."""
        found = self._db.execute("SELECT submitted, session, name, ended FROM sessions ORDER BY submitted")
        return [Entry._make(row) for row in found]

    def past(self, wanted: Wanted | None = None) -> Iterator[Past]:
        """The sessions that have ended and are wanted, newest first; the caller stops when it has enough."""
        condition, values = (wanted or Wanted()).sql()
        columns = "session, name, workspace, outcome, coalesce(began, 0.0), coalesce(finished, 0.0)"
        query = f"SELECT {columns} FROM sessions WHERE ended > 0{condition} ORDER BY submitted DESC"  # noqa: S608 — only fixed texts
        return map(Past._make, self._db.execute(query, values))

    def going(self) -> dict[str, str]:
        """Sessions that are being pruned, and their workspaces."""
        return pruning.going(self._db)

    def prune_some(self, session: str) -> bool:
        """Delete some of the events of a session that is being pruned; whether some are left.

        Raises ResourceError when the disk does not take it; then nothing is deleted.
        """
        try:
            left = pruning.take_some(self._db, session)
        except (sqlite3.Error, OSError) as error:
            raise self._unwritable(error) from None
        failpoints.hit("prune.after-events")
        return left

    def pruned(self, sessions: Collection[str]) -> None:
        """Nothing is left of these sessions, which were being pruned. A disk that refuses has them looked at again."""
        with contextlib.suppress(sqlite3.Error):
            pruning.finish(self._db, sessions)

    def summary(self, session: str) -> dict[str, Any] | None:
        """What was kept for lists of a session that has ended; None when nothing was."""
        row = self._db.execute("SELECT summary FROM sessions WHERE session = ?", (session,)).fetchone()
        if row is None or row[0] is None:
            return None
        kept: dict[str, Any] = msgpack.unpackb(row[0], raw=False)
        return kept

    def keep_summaries(self, summaries: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what a list shows of ended sessions. A disk that does not take it costs time, not truth."""
        rows = [(msgpack.packb(summary, use_bin_type=True), session) for session, summary in summaries.items()]
        with contextlib.suppress(sqlite3.Error), transaction(self._db):
            self._db.executemany("UPDATE sessions SET summary = ? WHERE session = ? AND ended > 0", rows)

    def unreported(self) -> list[str]:
        """Sessions that have ended and whose report was to be written and is not, oldest first."""
        query = (
            "SELECT session FROM sessions WHERE ended > 0 AND EXISTS ("
            "SELECT 1 FROM events AS asked WHERE asked.session = sessions.session AND asked.seq > sessions.ended"
            " AND asked.kind = 'report.writing' AND NOT EXISTS ("
            "SELECT 1 FROM events AS done WHERE done.session = asked.session AND done.seq > asked.seq"
            " AND done.kind = 'report.written')) ORDER BY submitted"
        )
        with contextlib.suppress(sqlite3.Error):  # a report is not worth a start that fails
            return [str(row[0]) for row in self._db.execute(query)]
        return []

    def lost_of(self, entry: Entry) -> str:
        """Why a session's events cannot be trusted to be complete; "" when they can."""
        for first, last in self.gaps:
            if entry.submitted <= last and (not entry.ended or entry.ended >= first):
                return f"events {first} to {last} were lost with a damaged journal"
        return ""

    def last_of(self, session: str) -> int:
        """The highest sequence number of a session; 0 when it has none."""
        row = self._db.execute("SELECT coalesce(max(seq), 0) FROM events WHERE session = ?", (session,)).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in."""
        self._db.close()


def needs_migration(path: Path) -> bool:
    """Whether the journal is of an older schema. Changes nothing. Raises JournalError when it cannot be used."""
    try:
        return path.exists() and 0 < _schema_of(path) < SCHEMA
    except sqlite3.DatabaseError as error:
        if salvage.is_damage(error):
            return False
        raise JournalError(f"the journal {path} cannot be opened: {error}") from None


def _open(path: Path) -> sqlite3.Connection:
    """The journal, of this version's schema. Raises JournalError, and what sqlite3 and the disk raise."""
    found = _inspect(path)
    if 0 < found < SCHEMA:
        salvage.backup(path, found)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=True, timeout=5.0)
    try:
        db.create_function("named", 2, is_named, deterministic=True)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        migrate(db, found)
    except BaseException:
        db.close()
        raise
    return db


def _inspect(path: Path) -> int:
    """The schema of the journal; 0 when there is none yet. Changes nothing, but puts aside what is damaged.

    Raises JournalError for a newer one, or what is no journal; and what sqlite3 and the disk raise.
    """
    salvage.finish(path)
    if salvage.marked(path):
        salvage.start_anew(path)
    if not path.exists() or not path.stat().st_size:
        return 0
    try:
        return _schema_of(path)
    except sqlite3.DatabaseError as error:
        if not salvage.is_damage(error):
            raise
    salvage.start_anew(path)
    return SCHEMA


def _schema_of(path: Path) -> int:
    with closing(salvage.read_only(path)) as db:
        tables = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return 0
        if not {"meta", "events"} <= tables:
            raise JournalError(
                f"{path} is a database, but no journal of waved's",
                "move it aside, or name another state folder in WAVED_STATE_DIR",
            )
        row = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        text = str(row[0]) if row is not None else "none"
        if not text.isdigit() or int(text) > SCHEMA:
            raise JournalError(
                f"the journal {path} is of schema {text}; this version of waved knows {SCHEMA}",
                "install the newer waved that wrote it, or name another state folder in WAVED_STATE_DIR",
            )
        db.execute("SELECT max(seq) FROM events").fetchone()
        return int(text)


def _gap(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last)
