"""What the live view knows: sessions, the one that is looked at, and whether the daemon answers. Pure values.

A session's view is read once and again when something happened that changes its shape (a wave, a finding, a run's end).
What happens all the time, agents telling what they are at, is folded into it here: the daemon is not asked for that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from wavectl.cursor import Event
from wavectl.views.lines import Narrator
from wavectl.views.text import Paint
from wavectl.views.used import everyone

View = dict[str, Any]
MOST_NEWS = 400
"""Lines of news that are kept."""
_SMALL = frozenset({"run.acted", "files.changed", "snapshot.taking", "snapshot.taken", "alert.raised", "alert.sent"})
"""Kinds of events after which the view need not be read at once."""
_ACTED = {
    "state": "acting", "since": "acting_since", "tool": "tool", "detail": "detail", "reset_at": "reset_at",
    "usage": "usage", "behind": "behind",
}  # fmt: skip
"""Fields of `run.acted`, and what the view calls them."""


@dataclass(slots=True)
class Link:
    """Whether the daemon answers."""

    up: bool = False
    since: float = 0.0
    """When it began to, or ceased to; unix seconds, our clock."""
    why: str = ""
    hint: str = ""
    lost: int = 0
    """How often it went away."""


@dataclass(slots=True)
class Board:
    """Everything that pages are made of. `feed` alone changes it."""

    ink: Paint
    link: Link = field(default_factory=Link)
    daemon: dict[str, Any] = field(default_factory=dict)
    """`daemon.status`, as it was read last."""
    sessions: list[dict[str, Any]] = field(default_factory=list)
    view: View | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    news: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_NEWS))
    """What happened in the session looked at, a line each, newest last."""
    ahead: float = 0.0
    """Seconds the daemon's clock is ahead of ours."""
    rough: bool = False
    """Something small has changed that only a newer view shows."""
    _narrator: Narrator | None = None
    _runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def look(self, view: View, now: float) -> None:
        """A newer view of the session, or the first of another one. `now`: our clock."""
        if self.view is None or self.view["session"] != view["session"]:
            self.news.clear()
            self.metrics = []
            self._narrator = None
        if self._narrator is None:
            self._narrator = Narrator(self.ink, names=16)
        self._narrator.know(view)
        self.view = view
        self.ahead = view["now"] - now
        self.rough = False
        self._runs = {run["run"]: run for one in everyone(view) for run in one["runs"][-1:]}

    def leave(self) -> None:
        """No session is looked at any more."""
        self.view = None
        self.news.clear()
        self.metrics = []
        self._narrator = None
        self._runs = {}

    def absorb(self, events: list[Event]) -> bool:
        """Take in what happened; whether the view must be read again for it."""
        stale = False
        for event in events:
            kind = event["kind"]
            if kind == "run.acted":
                self._acted(event["data"])
            elif kind in _SMALL:
                self.rough = True
            else:
                stale = True
            if self._narrator is not None and kind != "run.acted":
                line = self._narrator.tell(event)
                if line is not None:
                    self.news.append(line)
        return stale

    def _acted(self, data: dict[str, Any]) -> None:
        run = self._runs.get(data["run"])
        if run is None or run["state"] == "ended":
            return
        for theirs, ours in _ACTED.items():
            if theirs in data:
                run[ours] = data[theirs]
        for name in ("model", "version"):
            run[name] = data.get(name) or run[name]

    def now(self, clock: float) -> float:
        """The daemon's clock when ours is at `clock`; where its session has ended, or the daemon is away, it stands."""
        if self.view is not None and self.view["state"] == "ended" and self.view["ended"] is not None:
            return float(self.view["ended"])
        return (clock if self.link.up or not self.link.since else self.link.since) + self.ahead

    def answered(self, clock: float) -> bool:
        """The daemon has answered; whether that is news."""
        if self.link.up:
            return False
        self.link.up, self.link.since, self.link.why, self.link.hint = True, clock, "", ""
        return True

    def absent(self, why: str, hint: str, clock: float) -> bool:
        """The daemon does not answer; whether that is news."""
        before = self.link.up or not self.link.since
        if before:
            self.link.lost += int(self.link.up)
            self.link.up, self.link.since = False, clock
        self.link.why, self.link.hint = why, hint
        return before
