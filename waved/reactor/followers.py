"""Clients that wait for events: a long poll each, answered as soon as there is something after what they have seen.

Recent events are kept in memory, so that following costs no disk; older ones come from the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from waved.domain.events import KINDS, Event
from waved.errors import ResourceError
from waved.journal.rows import Row
from waved.journal.store import Journal
from waved.reactor.sessions import describe

RECENT = 10_000
MAX_WAITING = 1_000
"""Clients that may wait at once; one more is refused."""

Answer = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Follower:
    session: str
    kinds: frozenset[str]
    after: int
    limit: int
    due: float
    answer: Answer

    def wants(self, event: Event) -> bool:
        """Whether this event is one of those asked for."""
        return (not self.session or event.session == self.session) and (not self.kinds or event.kind in self.kinds)


class Followers:
    """All waiting clients, and the recent events."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._first_recent = journal.last_seq + 1
        self._waiting: list[_Follower] = []

    def ask(
        self, session: str, kinds: frozenset[str], after: int, limit: int, due: float | None, answer: Answer
    ) -> None:
        """Answer now if there is something after `after`, else when there is, or at `due` (waved's clock).

        `session` and `kinds` narrow it down; empty means any. Raises ResourceError when too many wait already.
        """
        follower = _Follower(session, kinds, after, limit, due or 0.0, answer)
        result = self._read(follower)
        if result["events"] or due is None:
            answer(result)
        elif len(self._waiting) >= MAX_WAITING:
            raise ResourceError(f"{MAX_WAITING} clients follow events already", "end some of them")
        else:
            self._waiting.append(follower)

    def publish(self, events: Sequence[Event]) -> None:
        """Events were journalled: remember them, and answer who waited for them."""
        if not events:
            return
        for event in events:
            if len(self._recent) == RECENT:
                self._first_recent = self._recent[1].seq
            self._recent.append(event)
        if not self._waiting:
            return
        still: list[_Follower] = []
        for follower in self._waiting:
            if any(follower.wants(event) for event in events):
                follower.answer(self._read(follower))
            else:
                still.append(follower)
        self._waiting = still

    def expire(self, now: float) -> None:
        """Answer those who have waited long enough."""
        if self._waiting and min(follower.due for follower in self._waiting) <= now:
            late = [follower for follower in self._waiting if follower.due <= now]
            self._waiting = [follower for follower in self._waiting if follower.due > now]
            for follower in late:
                follower.answer(self._read(follower))

    def next_deadline(self) -> float | None:
        """When `expire` is due; None: nobody waits."""
        return min((follower.due for follower in self._waiting), default=None)

    def _read(self, follower: _Follower) -> dict[str, Any]:
        session, after, limit = follower.session, follower.after, follower.limit
        found: list[dict[str, Any]] = []
        if after + 1 >= self._first_recent:
            for event in reversed(self._recent):
                if event.seq <= after:
                    break
                if follower.wants(event):
                    found.append(describe(event))
            found.reverse()
        else:
            rows = self._journal.read(after=after, session=session, kinds=follower.kinds, limit=limit + 1)
            found = [_describe_row(row) for row in rows]
        more = len(found) > limit
        found = found[:limit]
        last = found[-1]["seq"] if found else after
        return {"events": found, "last": last, "more": more}


def _describe_row(row: Row) -> dict[str, Any]:
    """A row on the wire; a damaged one says so, and does not keep the others from being read."""
    try:
        data = row.event().data() if row.kind in KINDS else row.fields()
    except ValueError as error:
        data = {"unreadable": str(error)}
    return {"seq": row.seq, "time": row.time, "session": row.session, "kind": row.kind, "data": data}
