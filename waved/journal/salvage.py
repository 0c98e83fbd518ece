"""A journal that cannot be read is put aside, never overwritten; what can still be read of it goes into a new one.

Sequence numbers have no gaps but those of pruned sessions, which are noted, so what is missing is known exactly. A
session that went on while numbers are missing is not trusted any more (`gaps`): folding the rest could start a run a
second time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgpack

from waved.domain import events as ev
from waved.journal import pruning
from waved.journal.schema import describe_sessions, index_sessions, migrate, pruned_in, take_out, transaction

_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SIDECARS = ("-wal", "-shm")
MARK = ".damaged"
"""Suffix of a file that says: this journal failed as damaged while it was written; salvage it at the next start."""
ASIDE = ".unreadable-"
_SALVAGED = ".salvaged"
Stored = tuple[int, str, float, str, bytes]


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file itself is wrong, not the disk, the rights, or a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _UNREADABLE


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot change anything. Raises what sqlite3 raises."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def marked(path: Path) -> bool:
    """Whether the journal was found damaged while it was written."""
    return path.with_name(path.name + MARK).exists()


def mark(path: Path) -> None:
    """Remember that the journal is damaged. Raises OSError."""
    path.with_name(path.name + MARK).touch()


def put_aside(path: Path) -> Path:
    """Rename a journal and what belongs to it; returns its new name."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    aside = path.with_name(f"{path.name}{ASIDE}{stamp}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}{ASIDE}{stamp}-{number}")
    for suffix in _SIDECARS:
        sidecar = path.with_name(path.name + suffix)
        if sidecar.exists():
            sidecar.rename(aside.with_name(aside.name + suffix))
    path.rename(aside)
    path.with_name(path.name + MARK).unlink(missing_ok=True)
    return aside


def those_aside(path: Path) -> list[Path]:
    """Every journal that was put aside beside `path`, oldest first."""
    found = sorted(path.parent.glob(f"{path.name}{ASIDE}*"))
    return [each for each in found if not each.name.endswith(_SIDECARS)]


def salvage(damaged: Path, into: sqlite3.Connection) -> int:
    """Copy every event that can be read into a new, empty journal; how many that were.

    Numbers that are missing are kept in `meta` as `gaps` ("first-last", separated by blanks).
    """
    count, gaps, expected = 0, [], 1
    pruned, begun = _pruned(damaged)
    with transaction(into):
        for first, last in pruned:
            pruning.note(into, first, last)
        for row in _readable(damaged):
            if row[0] > expected:
                gaps += [f"{first}-{last}" for first, last in pruning.without(expected, row[0] - 1, pruned)]
            expected = row[0] + 1
            into.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
            count += 1
        # What came after the last one is not known: numbers go on behind a gap, so that none is given twice.
        gaps.append(f"{expected}-{expected + MARGIN - 1}")
        said = ev.JournalSalvaged("", read=count)
        into.execute(
            "INSERT INTO events VALUES (?, '', ?, ?, ?)",
            (expected + MARGIN, time.time(), said.kind, msgpack.packb(said.data())),
        )
        into.execute("INSERT OR REPLACE INTO meta VALUES ('gaps', ?)", (" ".join(gaps),))
        index_sessions(into)
        describe_sessions(into)
        _prune_again(into, begun)
    return count


MARGIN = 1_000_000
"""Numbers left out after the last event that could be read: clients may have seen higher ones."""


def _pruned(damaged: Path) -> tuple[list[pruning.Range], dict[str, str]]:
    """The numbers that are rightly missing, and the sessions that were being pruned; nothing where that cannot be read:
    then they count as lost.
    """
    try:
        with closing(read_only(damaged)) as db:
            return pruning.noted(db), pruning.going(db)
    except sqlite3.DatabaseError:
        return [], {}


def _prune_again(into: sqlite3.Connection, begun: dict[str, str]) -> None:
    """What was being taken out of the damaged journal goes on being taken out of this one."""
    for session, workspace in begun.items():
        into.execute("INSERT OR IGNORE INTO pruning VALUES (?, ?)", (session, workspace))
    said = into.execute("SELECT seq, data FROM events WHERE kind = 'session.pruned' ORDER BY seq").fetchall()
    for seq, data in said:
        session = pruned_in(data)
        row = into.execute("SELECT submitted FROM sessions WHERE session = ?", (session,)).fetchone()
        if row is not None and row[0] < seq:
            take_out(into, session)


def _readable(damaged: Path) -> Iterator[Stored]:
    """The events that can be read, in order: forward until damage, then from behind it."""
    try:
        with closing(read_only(damaged)) as db:
            last = 0
            try:
                for row in db.execute("SELECT * FROM events NOT INDEXED ORDER BY seq"):
                    if _is_sound(row):
                        last = row[0]
                        yield row
                return
            except sqlite3.DatabaseError:
                pass
            yield from reversed(_backward(db, last))
    except sqlite3.DatabaseError:
        return


def _backward(db: sqlite3.Connection, until: int) -> list[Stored]:
    found: list[Stored] = []
    try:
        for row in db.execute("SELECT * FROM events NOT INDEXED WHERE seq > ? ORDER BY seq DESC", (until,)):
            if _is_sound(row):
                found.append(row)
    except sqlite3.DatabaseError:
        pass
    return found


def _is_sound(row: tuple[object, ...]) -> bool:
    kinds = (int, str, float, str, bytes)
    return len(row) == len(kinds) and all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))


def backup(path: Path, schema: int) -> Path:
    """Copy a journal before it is migrated, under a name of its own. Raises what sqlite3 and the disk raise."""
    number = 1
    name = f"{path.name}.schema-{schema}.bak"
    while path.with_name(name).exists():
        number += 1
        name = f"{path.name}.schema-{schema}.{number}.bak"
    unfinished = path.with_name(name + ".tmp")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(read_only(path)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return unfinished.rename(path.with_name(name))


def start_anew(path: Path) -> None:
    """Begin a new journal with what can be read of this one, which is then put aside. Whenever it is interrupted,
    nothing is lost: `finish` goes on at the next start. Raises what sqlite3 and the disk raise.
    """
    unfinished = path.with_name(path.name + ".salvaging")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
        migrate(db, 0)
        salvage(path, db)
    unfinished.rename(path.with_name(path.name + _SALVAGED))
    put_aside(path)
    finish(path)


def finish(path: Path) -> None:
    """Take the new journal into use, if one is there and the damaged one is out of the way."""
    salvaged = path.with_name(path.name + _SALVAGED)
    if salvaged.exists() and not path.exists():
        salvaged.rename(path)
