"""What becomes of runs: what workers report, and what is found of those an earlier daemon started (invariants 2, 3).

Everything ends up as facts for the reactor: `run.started` and `run.ended`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.pool import survivors
from waved.pool.messages import Acted, Ended, Found, Frozen, Lost, Message, Progressed, Stalled, Started, session_of
from waved.pool.pool import Pool
from waved.reactor import recovery
from waved.reactor.clock import Clock
from waved.reactor.effects import Effects
from waved.reactor.guarding import Guarding
from waved.reactor.inbox import Helpers
from waved.reactor.sessions import Sessions

ADOPT_RETRY = 0.02
"""Seconds between two tries to reach the worker of an earlier daemon's run."""


class Runs:
    """Turns reports and findings about runs into facts; `fact` records one unless it says nothing new."""

    def __init__(
        self,
        sessions: Sessions,
        pool: Pool,
        effects: Effects,
        helpers: Helpers,
        clock: Clock,
        fact: Callable[[ev.Event], None],
        on_defect: Callable[[str, BaseException], None],
        guarding: Guarding,
    ) -> None:
        self._sessions = sessions
        self._pool = pool
        self._effects = effects
        self._helpers = helpers
        self._clock = clock
        self._fact = fact
        self._on_defect = on_defect
        self._guarding = guarding
        self._orphans: dict[str, str] = {}
        """Runs of an earlier daemon whose worker lives and is not connected yet: session by run."""
        self._orphans_due = 0.0

    def hear(self, message: Message) -> None:
        """What the pool reports."""
        session = session_of(message.run)
        match message:
            case Started():
                self._fact(ev.RunStarted(session, message.run, message.pid, message.at, message.worker, message.argv))
            case Acted():
                self._fact(recovery.acted_event(session, message.run, message.told))
            case Ended():
                self._ended(session, message.run, message.record)
            case Frozen():
                fact = ev.RunFrozen(
                    session, message.run, message.ok, message.detail, message.processes, message.seconds
                )
                self._fact(fact)
            case Found():
                if (known := self._sessions.live.get(session)) is not None:
                    self._guarding.found(known, message)
            case Stalled():
                since = self._clock.now() - message.silent
                self._fact(ev.RunStalled(session, message.run, message.state, since, message.limit))
            case Progressed():
                self._fact(ev.RunProgressed(session, message.run))
            case Lost(certain_unstarted=True):
                self._fact(ev.RunEnded(session, message.run, "withdrawn", reason=message.reason))
            case Lost():
                self._lost(ev.RunEnded(session, message.run, "lost", reason=message.reason))

    def _ended(self, session: str, run: str, left: dict[str, Any]) -> None:
        """An exit record says when the run began, too: nobody may have heard of it while it ran."""
        started = recovery.started_event(session, run, left)
        if started is not None:
            self._fact(started)
        self._fact(recovery.ended_event(session, run, left))

    def _lost(self, lost: ev.RunEnded) -> None:
        """A run's worker is dead: before that is said, whatever is left of the run is ended."""

        def job() -> None:
            lost.leftovers, left = survivors.end(lost.run, self._effects.folder_of(lost.run))
            if left:
                lost.reason += f"; still alive: {', '.join(left)}"
            self._helpers.inbox.put(lost)

        def failed(error: BaseException) -> None:
            self._on_defect("survivors", error)
            self._fact(lost)

        self._helpers.run(job, failed)

    # --- runs of an earlier daemon ------------------------------------------------------------------------------

    def recover(self) -> None:
        """Find out what became of the runs that were under way when the last daemon ended."""
        for session in list(self._sessions.live.values()):
            self._effects.keep_limits(session)
            for run in list(session.active.values()):
                self._orphans[run.id] = session.id
        self.adopt()

    def adopt(self) -> None:
        """Connect to workers of an earlier daemon; those that end before we reach them leave an exit record."""
        now = self._clock.now()
        if not self._orphans or now < self._orphans_due:
            return
        self._orphans_due = now + ADOPT_RETRY
        for run_id, session_id in list(self._orphans.items()):
            folder = self._effects.folder_of(run_id)
            run = self._sessions.live[session_id].runs[run_id]
            if self._pool.adopt(run_id, folder):
                del self._orphans[run_id]
                if run.state == "stopping":
                    self._effects.perform([ev.RunStopping(session_id, run_id, run.stop_reason)])
                continue
            found = recovery.find(run, folder)
            if found is not None:
                del self._orphans[run_id]
                self._conclude(session_id, run_id, found)

    def _conclude(self, session: str, run: str, found: recovery.Finding) -> None:
        if found.record is not None:
            self._ended(session, run, found.record)
        elif found.outcome == "lost":
            self._lost(ev.RunEnded(session, run, "lost", reason=found.reason))
        else:
            self._fact(ev.RunEnded(session, run, found.outcome, reason=found.reason))

    def next_deadline(self) -> float | None:
        """When `adopt` is due again (waved's clock); None: nobody is left to be found."""
        return self._orphans_due if self._orphans else None
