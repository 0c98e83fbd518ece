"""Bookkeeping of an event stream across long polls, repeated replies and restarts of the daemon.

The journal numbers events without end and keeps them across restarts. So a reader only has to remember the last number
it has handed on: what is not above it was seen already, what is above it is new.
"""

from __future__ import annotations

import time
from typing import Any

Event = dict[str, Any]
"""An event as it comes over the wire: {seq, time, session, kind, data}."""
LONG_POLL = 20.0
"""Seconds a request for events waits in the daemon before it answers with none."""
_PAGE = 500
_OPENING = frozenset({"session.submitted", "session.retried", "session.resumed"})
_MILESTONES = _OPENING | {"session.held", "session.ended"}
_HELD_MILESTONES = _MILESTONES | {"run.ended"}
"""While a session is held, what still runs may end: a person waits for that too."""


class Cursor:
    """Where a reader of events is, and what became of the session it reads of."""

    def __init__(self, session: str = "", after: int = 0, *, ended: bool = False, held: bool = False) -> None:
        self.session = session
        """Id, prefix or name as given; the id once the first event was seen, so that the stream cannot change over to
        a newer session of the same name. "" reads the events of all sessions."""
        self.after = after
        """The number of the last event handed on."""
        self.caught_up = False
        """The last reply said that there was nothing more."""
        self.ended = ended
        """The last thing that happened to the session was its end."""
        self.held = held
        """The session waits for a person."""
        self.milestones = False
        """Read only what tells whether the session has ended or is held: the daemon then keeps the rest to itself."""

    @classmethod
    def at(cls, view: dict[str, Any], *, from_start: bool = False) -> Cursor:
        """A cursor from a session's first event, or one that goes on from a view and reads only milestones."""
        if from_start:
            return cls(view["session"])
        cursor = cls(view["session"], view["last_seq"], ended=view["state"] == "ended", held=view["state"] == "held")
        cursor.milestones = True
        return cursor

    @property
    def is_over(self) -> bool:
        """The one session that is read has ended and all its events are handed on."""
        return bool(self.session) and self.ended and self.caught_up

    def question(self, wait: float) -> dict[str, Any]:
        """The parameters of the next `events.read`."""
        question = {"session": self.session, "after": self.after, "limit": _PAGE, "wait": wait}
        if self.milestones:
            question["kinds"] = sorted(_HELD_MILESTONES if self.held else _MILESTONES)
        return question

    def take(self, events: list[Event], *, more: bool = False) -> list[Event]:
        """The events not handed on before, in order; counts them as handed on."""
        fresh: list[Event] = []
        for event in sorted(events, key=lambda event: int(event["seq"])):
            if event["seq"] > self.after:
                self.after = event["seq"]
                self._note(event)
                fresh.append(event)
        self.caught_up = not more
        return fresh

    def _note(self, event: Event) -> None:
        kind = event["kind"]
        if self.session and event["session"]:
            self.session = event["session"]
        if kind == "session.ended":
            self.ended, self.held = True, False
        elif kind == "session.held":
            self.ended, self.held = False, True
        elif kind in _OPENING:
            self.ended = self.held = False


def long_poll(cursor: Cursor, wait: float, until: float | None) -> float:
    """Seconds the next `events.read` of a follower may wait in the daemon: none while there is more to read."""
    if not cursor.caught_up:
        return 0.0
    return wait if until is None else max(0.0, min(wait, until - time.monotonic()))
