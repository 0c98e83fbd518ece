"""The journal's tables, version by version.

A version that was released never changes: what is new is a function at the end of `MIGRATIONS`. A new journal is made
by running them all, so a migrated journal and a new one cannot differ. `tests/fixtures/journal` keeps a journal of
every released version, which must open and fold to the same views.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgpack

from waved.domain import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator


def _events(db: sqlite3.Connection) -> None:
    """Schema 1: the events, and settings of the journal itself."""
    db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, session TEXT NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL,"
        " data BLOB NOT NULL)"
    )
    db.execute("CREATE INDEX events_by_session ON events (session, seq)")


def _sessions(db: sqlite3.Connection) -> None:
    """Schema 2: which sessions there are, whether they go on, and what a list shows of those that do not; images of
    long ones that go on.

    Without it a start reads every submission and folds every event, and a list folds every session it shows.
    """
    db.execute("DROP INDEX IF EXISTS bounds")
    db.execute(
        "CREATE TABLE sessions (submitted INTEGER PRIMARY KEY, session TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
        " ended INTEGER NOT NULL DEFAULT 0, summary BLOB)"
    )
    db.execute(
        "CREATE TABLE images (session TEXT PRIMARY KEY, seq INTEGER NOT NULL, events INTEGER NOT NULL,"
        " code TEXT NOT NULL, file TEXT NOT NULL, checksum TEXT NOT NULL) WITHOUT ROWID"
    )
    index_sessions(db)


def _history(db: sqlite3.Connection) -> None:
    """Schema 3: what past sessions are found by, and what was pruned: which sessions are being taken out, and which
    numbers their events had. A number that is missing and not among them was lost.
    """
    for column in (
        "began REAL",
        "finished REAL",
        "workspace TEXT NOT NULL DEFAULT ''",
        "outcome TEXT NOT NULL DEFAULT ''",
    ):
        db.execute(f"ALTER TABLE sessions ADD COLUMN {column}")
    db.execute("CREATE INDEX sessions_by_workspace ON sessions (workspace)")
    db.execute("CREATE TABLE pruning (session TEXT PRIMARY KEY, workspace TEXT NOT NULL) WITHOUT ROWID")
    db.execute("CREATE TABLE pruned (first INTEGER PRIMARY KEY, last INTEGER NOT NULL)")
    describe_sessions(db)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_events, _sessions, _history)
"""From nothing to schema 1, from 1 to 2, …: each runs in a transaction of its own."""
SCHEMA = len(MIGRATIONS)
"""The version this waved writes."""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; raises what sqlite3 raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def migrate(db: sqlite3.Connection, found: int) -> None:
    """Bring a journal of schema `found` (0: an empty file) to this version, a step at a time."""
    for number, step in enumerate(MIGRATIONS[found:], found + 1):
        with transaction(db):
            step(db)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(number),))


def index_sessions(db: sqlite3.Connection) -> None:
    """Fill `sessions` from the events. A submission that cannot be read, or is missing, names itself by its id."""
    query = (
        "SELECT seq, session, kind, data FROM events"
        " WHERE kind IN ('session.submitted', 'session.ended', 'session.retried') ORDER BY seq"
    )
    for seq, session, kind, data in db.execute(query).fetchall():
        enter(db, seq, session, kind, name_in(session, data) if kind == ev.SessionSubmitted.kind else "")
    headless = (
        "INSERT OR IGNORE INTO sessions (submitted, session, name)"
        " SELECT min(seq), session, session FROM events WHERE session != ''"
        " AND session NOT IN (SELECT session FROM sessions) GROUP BY session"
    )
    db.execute(headless)


BOUNDS = frozenset({ev.SessionSubmitted.kind, ev.SessionEnded.kind, ev.SessionRetried.kind})
"""Events that `enter` has something to do for."""


def enter(db: sqlite3.Connection, seq: int, session: str, kind: str, name: str, summary: bytes | None = None) -> None:
    """Note in `sessions` what an event of one of the `BOUNDS` means."""
    if kind == ev.SessionSubmitted.kind:
        db.execute("INSERT INTO sessions (submitted, session, name) VALUES (?, ?, ?)", (seq, session, name))
    elif kind == ev.SessionEnded.kind:
        db.execute("UPDATE sessions SET ended = ?, summary = ? WHERE session = ?", (seq, summary, session))
        db.execute("DELETE FROM images WHERE session = ?", (session,))
    else:
        db.execute("UPDATE sessions SET ended = 0, summary = NULL WHERE session = ?", (session,))


def describe_sessions(db: sqlite3.Connection) -> None:
    """Fill what past sessions are found by from the events. What cannot be read is left empty."""
    query = (
        "SELECT session, kind, time, data FROM events"
        " WHERE kind IN ('session.submitted', 'session.ended', 'session.retried') ORDER BY seq"
    )
    for session, kind, time, data in db.execute(query).fetchall():
        describe(db, session, kind, time, _fields(data))


def describe(db: sqlite3.Connection, session: str, kind: str, time: float, fields: Mapping[str, Any]) -> None:
    """Note what a session is found by, of an event of one of the `BOUNDS` whose `enter` was done."""
    if kind == ev.SessionSubmitted.kind:
        workspace = str(fields.get("workspace", ""))
        db.execute("UPDATE sessions SET began = ?, workspace = ? WHERE session = ?", (time, workspace, session))
    elif kind == ev.SessionEnded.kind:
        outcome = str(fields.get("outcome", ""))
        db.execute("UPDATE sessions SET finished = ?, outcome = ? WHERE session = ?", (time, outcome, session))
    else:
        db.execute("UPDATE sessions SET finished = NULL, outcome = '' WHERE session = ?", (session,))


def take_out(db: sqlite3.Connection, session: str) -> None:
    """From now on there is no such session; its events and files are yet to go."""
    db.execute("INSERT OR IGNORE INTO pruning SELECT session, workspace FROM sessions WHERE session = ?", (session,))
    db.execute("DELETE FROM sessions WHERE session = ?", (session,))


def name_in(session: str, data: bytes) -> str:
    """The plan's name in a stored submission."""
    try:
        return str(_fields(data)["plan"]["session"]["name"])
    except (KeyError, TypeError):  # the session says so itself when it is read
        return session


def pruned_in(data: bytes) -> str:
    """The session that a stored `session.pruned` speaks of; "" when it is damaged."""
    return str(_fields(data).get("pruned", ""))


def _fields(data: bytes) -> dict[str, Any]:
    """The fields of a stored event; none when it is damaged."""
    try:
        found = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except Exception:  # noqa: BLE001 — damaged bytes raise many kinds
        return {}
    return found if isinstance(found, dict) else {}
