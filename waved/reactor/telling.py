"""Who is told what is in the journal: followers, the log, whoever counts, the service manager."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from waved import failpoints
from waved.domain import events as ev
from waved.reactor import narration

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

TELL_PATIENCE = 0.02
"""Seconds they wait while agents are being exec'ed: whoever draws a picture of the start must not take the processor
from it.
"""

log = structlog.get_logger("waved")


class Telling:
    """What is still to be told by one daemon."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._untold: list[ev.Event] = []
        self._due = 0.0
        """When it is told at the latest; waved's clock."""

    def add(self, events: Sequence[ev.Event], now: float) -> None:
        """These are in the journal since `now`."""
        if not self._untold:
            self._due = now + TELL_PATIENCE
        self._untold += events

    def next_deadline(self) -> float | None:
        """When `tell_when_due` has to be called at the latest."""
        return self._due if self._untold else None

    def tell_when_due(self) -> None:
        """Tell all, unless agents are just being started."""
        if self._untold and (not self._reactor.pool.starting or self._reactor.clock.now() >= self._due):
            self.tell_now()

    def tell_now(self) -> None:
        """Whoever asks what has happened is told all that is in the journal."""
        if self._untold:
            untold, self._untold = self._untold, []
            failpoints.hit("followers.before-publish")
            self._reactor.followers.publish(untold)
            for event in untold:
                self._log(event)
            self.tell_status()

    def tell_status(self) -> None:
        """Tell the service manager how much is going on, if that has changed."""
        live = self._reactor.sessions.live.values()
        held = sum(1 for session in live if session.held)
        agents = sum(session.active_agents for session in live)
        shown = f"{len(live)} session{'' if len(live) == 1 else 's'}" + (f" ({held} held)" if held else "")
        self._reactor.manager.status(f"{shown}, {agents} agent{'' if agents == 1 else 's'} running")

    def _log(self, event: ev.Event) -> None:
        session = self._reactor.sessions.known(event.session)
        level, fields = narration.line_of(event, session)
        getattr(log, level)(event.kind, **fields)
        self._reactor.observing.told(event, session)
