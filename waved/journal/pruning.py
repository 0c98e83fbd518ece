"""Taking sessions out of the journal for good, in steps that may be interrupted anywhere.

First the intent is journalled (`session.pruned`): in that transaction the session leaves the index and is entered in
`pruning`. Then its events go, some at a time, each time with their numbers noted in `pruned` as ranges that grow
together: sequence numbers have no gaps but those, so what a damaged journal has lost is still known exactly. What
`pruning` holds is what is yet to be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from waved import failpoints
from waved.domain import events as ev
from waved.journal.schema import take_out, transaction

Range = tuple[int, int]
"""Numbers from the first to the last, both included."""
AT_ONCE = 500
"""Events that one transaction takes out: some milliseconds."""


def going(db: sqlite3.Connection) -> dict[str, str]:
    """The sessions that are being taken out, and their workspaces."""
    return dict(db.execute("SELECT session, workspace FROM pruning ORDER BY session").fetchall())


def begin(db: sqlite3.Connection, event: ev.SessionPruned) -> None:
    """What the intent means for the index. In the transaction that writes the event."""
    take_out(db, event.pruned)


def take_some(db: sqlite3.Connection, session: str, limit: int = AT_ONCE) -> bool:
    """Delete at most `limit` events of a session that is being taken out; whether some are left."""
    found = db.execute("SELECT seq FROM events WHERE session = ? ORDER BY seq LIMIT ?", (session, limit)).fetchall()
    numbers = [int(row[0]) for row in found]
    if not numbers:
        return False
    with transaction(db):
        for first, last in ranges(numbers):
            note(db, first, last)
        db.execute("DELETE FROM events WHERE session = ? AND seq <= ?", (session, numbers[-1]))
        failpoints.hit("prune.in-events")
    return len(numbers) == limit


def finish(db: sqlite3.Connection, sessions: Iterable[str]) -> None:
    """Nothing is left of them."""
    with transaction(db):
        db.executemany("DELETE FROM pruning WHERE session = ?", [(session,) for session in sessions])


def ranges(numbers: Iterable[int]) -> Iterator[Range]:
    """Ascending numbers as the ranges they make up."""
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            yield first, last
            first = last = number
    if first is not None and last is not None:
        yield first, last


def note(db: sqlite3.Connection, first: int, last: int) -> None:
    """These numbers are missing because they were pruned. Ranges that touch become one."""
    before = db.execute(
        "SELECT first, last FROM pruned WHERE first < ? ORDER BY first DESC LIMIT 1", (first,)
    ).fetchone()
    if before is not None and before[1] >= first - 1:
        first, last = before[0], max(last, before[1])
    for start, end in db.execute(
        "SELECT first, last FROM pruned WHERE first BETWEEN ? AND ?", (first, last + 1)
    ).fetchall():
        last = max(last, end)
        db.execute("DELETE FROM pruned WHERE first = ?", (start,))
    db.execute("INSERT INTO pruned VALUES (?, ?)", (first, last))


def noted(db: sqlite3.Connection) -> list[Range]:
    """All of them, ascending."""
    return [(int(first), int(last)) for first, last in db.execute("SELECT first, last FROM pruned ORDER BY first")]


def without(first: int, last: int, known: Iterable[Range]) -> Iterator[Range]:
    """What of a range of missing numbers is not among the `known` ones (ascending)."""
    for start, end in known:
        if end < first:
            continue
        if start > last:
            break
        if start > first:
            yield first, start - 1
        first = end + 1
    if first <= last:
        yield first, last
