"""Append and read events (invariant 1). SQLite in WAL mode with synchronous=FULL: what was committed stays.

Schema 1: `events(seq, session, time, kind, data)`, data in msgpack; `meta(name, value)` with the schema version and
the clock's base (see `waved.reactor.clock`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from waved import failpoints
from waved.domain.events import Event
from waved.errors import ResourceError, WavedError

SCHEMA = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_session ON events (session, seq);
CREATE INDEX IF NOT EXISTS bounds ON events (seq, kind)
    WHERE kind IN ('session.submitted', 'session.ended', 'session.retried');
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is stored; `data` is msgpack."""

    seq: int
    session: str
    time: float
    kind: str
    data: bytes

    def fields(self) -> dict[str, Any]:
        """The event's own fields."""
        unpacked: dict[str, Any] = msgpack.unpackb(self.data, raw=False, strict_map_key=False)
        return unpacked


class JournalError(WavedError):
    """The journal cannot be opened: unreadable, or of a newer version. It is left as it is."""

    code = "journal"


class Journal:
    """One writer (the reactor's thread). Raises JournalError when the database cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=True, timeout=5.0)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_CREATE)
            self._check_schema()
            self.last_seq: int = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise JournalError(
                f"the journal {path} cannot be read: {error}",
                "move it aside (it is not overwritten), or name another state folder in WAVED_STATE_DIR",
            ) from None

    def _check_schema(self) -> None:
        found = self.meta("schema")
        if found is None:
            self.set_meta("schema", str(SCHEMA))
        elif not found.isdigit() or int(found) > SCHEMA:
            raise JournalError(
                f"the journal {self.path} is of schema {found}; this version of waved knows {SCHEMA}",
                "install the newer waved that wrote it, or name another state folder in WAVED_STATE_DIR",
            )

    def meta(self, name: str) -> str | None:
        """A remembered setting of the journal itself."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Remember a setting of the journal itself."""
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    def append(self, events: Sequence[Event]) -> None:
        """Write events, whose `seq` the caller has given (`last_seq` + 1, …), in one durable transaction.

        Raises ResourceError when the disk does not take them; then none of them is written.
        """
        failpoints.hit("journal.before-commit")
        rows = [
            (event.seq, event.session, event.time, event.kind, msgpack.packb(event.data(), use_bin_type=True))
            for event in events
        ]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
                failpoints.hit("journal.in-transaction")
                self._db.execute("COMMIT")
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise ResourceError(
                f"the journal {self.path} cannot be written: {error}",
                "free some disk space; nothing new is started before",
            ) from None
        self.last_seq = events[-1].seq
        failpoints.hit("journal.after-commit")

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
        return [Row(*row) for row in found]

    def all(self) -> Iterator[Row]:
        """Every row, oldest first, without holding them all in memory."""
        for row in self._db.execute("SELECT * FROM events ORDER BY seq"):
            yield Row(*row)

    def bounds(self) -> Iterator[Row]:
        """Where sessions begin, end and are opened again, oldest first: enough to know which of them go on."""
        query = (
            "SELECT * FROM events WHERE kind IN ('session.submitted', 'session.ended', 'session.retried') ORDER BY seq"
        )
        for row in self._db.execute(query):
            yield Row(*row)

    def last_of(self, session: str) -> int:
        """The highest sequence number of a session; 0 when it has none."""
        row = self._db.execute("SELECT coalesce(max(seq), 0) FROM events WHERE session = ?", (session,)).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in."""
        self._db.close()
