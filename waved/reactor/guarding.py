"""What is done about the intents of guards: freeze, snapshot, restore, thaw, alert, watch, probe.

Called by `waved.reactor.effects` after the commit, in the reactor's thread. What takes time happens on other threads
and comes back through the inbox as facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.watching import needs_watching
from waved.errors import WavedError
from waved.journal.store import Journal
from waved.monitors.base import Site
from waved.plan.models import Plan
from waved.plan.reporting import own_patterns
from waved.pool.messages import Found
from waved.pool.pool import Pool
from waved.reactor.alerting import Alerting
from waved.reactor.clock import Clock
from waved.reactor.guard import Guard
from waved.reactor.inbox import Inbox
from waved.reactor.keeper import Keeper
from waved.reactor.keeping import Keeping
from waved.reactor.previewing import Previewing
from waved.reactor.sessions import Sessions


def needs_guard(plan: Plan) -> bool:
    """Whether a session has more to guard than its snapshots."""
    return needs_watching(plan)


class Guarding:
    """The guards of all live sessions."""

    def __init__(
        self,
        locations: Locations,
        sessions: Sessions,
        pool: Pool,
        inbox: Inbox,
        clock: Clock,
        journal: Journal,
        on_defect: Callable[[str, BaseException], None],
    ) -> None:
        self._locations = locations
        self._sessions = sessions
        self._pool = pool
        self._inbox = inbox
        self._clock = clock
        self._on_defect = on_defect
        self._guards: dict[str, Guard] = {}
        self.keeper = Keeper(locations.state)
        self._keeping = Keeping(self.keeper, sessions, inbox, clock, journal, self._guards.get, self._defect)
        self._alerting = Alerting(locations, sessions, inbox, journal)
        self._previewing = Previewing(locations, inbox)
        self._moved: set[str] = set()
        """Sessions in which somebody began or ended to run in this turn."""

    # --- what was journalled ------------------------------------------------------------------------------------

    def act(self, session: Session, event: ev.Event) -> None:
        """Act on one event of a live session."""
        match event:
            case ev.SessionSubmitted() | ev.SessionRetried():
                self.begin(session)  # of one that had ended nobody has watched since
            case ev.RunStarting(purpose="preview"):
                self._previewing.probe(session)
            case ev.RunStarting() | ev.RunEnded():
                self._moved.add(session.id)
            case ev.RunActed() if event.wrote and session.id in self._guards:
                self._guards[session.id].wrote(event.run, event.wrote)
            case ev.RunFreezing():
                self._pool.freeze(event.run)
            case ev.RunThawing():
                self._pool.freeze(event.run, frozen=False)
            case ev.SnapshotTaking():
                self._keeping.take(session, event.snapshot, event.label, event.wave, event.reaction)
            case ev.RestoreStarting():
                self._keeping.restore(session, event)
            case ev.AlertRaised():
                self._alerting.send(session, event)
            case ev.PortLeasing():
                self._previewing.lease(session)
            case ev.PortLeased():
                self._previewing.probe(session)
            case ev.CheckStarted():
                self._judge(session, event.gate, event.index)
            case ev.FindingCleared() if event.by:
                self._approve(session, event.finding)

    def done(self) -> None:
        """All events of a turn were acted on: tell the engines who works now."""
        moved, self._moved = self._moved, set()
        now = self._clock.now()
        for name in moved:
            session, guard = self._sessions.live.get(name), self._guards.get(name)
            if session is not None and guard is not None:
                guard.set_running(now)

    def begin(self, session: Session) -> None:
        """A session is live: have its files watched, and its preview probed, if its plan asks for that."""
        if session.guards is None or session.id in self._guards:
            return
        if needs_guard(session.plan):
            guard = Guard(session, self._inbox.put, self._inbox.put, self._keeping.take_good)
            self._guards[session.id] = guard
            self._moved.add(session.id)
            self._aside(session.id, partial(guard.watch, _make_engine, self._site(session)))
        if session.plan.preview is not None and (session.plan.preview.command is None or session.guards.preview):
            self._previewing.probe(session)

    def end(self, session: str) -> None:
        """A session is over."""
        if (guard := self._guards.pop(session, None)) is not None:
            self._aside(session, guard.close)  # it waits for a thread
        self._previewing.end(session)
        self._keeping.end(session)

    def tidy(self, session: Session) -> None:
        """It has ended: snapshots too old or too many are dropped."""
        self._keeping.tidy(session)

    def ready(self, session: str) -> bool:
        """Whether every change of a session's files is seen from now on, as far as that is wanted."""
        guard = self._guards.get(session)
        return guard is None or guard.ready

    def _aside(self, session: str, job: Callable[[], None]) -> None:
        self.keeper.run(f"guard of {session}", job, partial(self._defect, "guard"))

    def close(self) -> None:
        """The daemon ends."""
        for guard in self._guards.values():
            guard.close()
        self._guards.clear()
        self._previewing.close()
        self._alerting.close()
        self.keeper.close()

    def report(self, where: str, error: BaseException) -> None:
        """A defect met on another thread."""
        self._defect(where, error)

    def _defect(self, where: str, error: BaseException) -> None:
        self._inbox.put(lambda: self._on_defect(where, error))

    # --- watching -----------------------------------------------------------------------------------------------

    def _site(self, session: Session) -> Site:
        private = self._locations.session(session.id) / "guard"
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        workspace, plan = Path(session.workspace), session.plan

        def baseline(path: str) -> bytes | None:
            guards = session.guards
            first = guards.snapshots.get(guards.first) if guards is not None and guards.first else None
            if first is None or not first.commit:
                raise LookupError(path)
            shadow = self.keeper.shadow(session.id, workspace, plan.snapshots)
            try:
                return shadow.read(shadow.find(first.commit), path)
            except WavedError:
                return None

        return Site(
            workspace, private, session.id, baseline, ignored=own_patterns(plan),
            included=tuple(plan.snapshots.include),
        )  # fmt: skip

    def _judge(self, session: Session, gate: str, index: int) -> None:
        if not session.gates[gate].checks[index].guards:
            return
        guard = self._guards.get(session.id)
        if guard is not None:
            guard.judge(gate, index)
        else:
            self._inbox.put(ev.GuardCaughtUp(session.id, gate, index, error="files are not watched"))

    def _approve(self, session: Session, name: str) -> None:
        found = session.guards.finding(name) if session.guards is not None else None
        guard = self._guards.get(session.id)
        if found is not None and found.path and guard is not None:
            guard.approve(found.monitor, found.path)

    # --- after a restart ----------------------------------------------------------------------------------------

    def found(self, session: Session, message: Found) -> None:
        """An earlier daemon's run was reached: have it stand still, or go on, as was decided."""
        entry = session.guards.frozen.get(message.run) if session.guards is not None else None
        if entry is not None and entry.holders:
            if entry.state != "wanted":
                self._pool.freeze(message.run)  # it says again that it is
        elif message.frozen:
            self._pool.freeze(message.run, frozen=False)

    def redo(self, session: Session) -> None:
        """What was intended before the daemon ended and whose answer cannot have come."""
        guards = session.guards
        if guards is None:
            return
        self.begin(session)
        self._keeping.catch_up(session, guards)
        for taking in list(guards.taking.values()):
            self._keeping.take(session, taking.name, taking.label, taking.wave, taking.reaction)
        if any(reaction.restore == "running" for reaction in guards.reactions.values()):
            self._keeping.redo(session, guards)
        self._alerting.redo(session)
        if guards.preview is not None and guards.preview.port_asked and not guards.preview.port:
            self._previewing.lease(session)
        for gate in session.gates.values():
            if gate.next < len(gate.checks) and gate.checks[gate.next].state == "running":
                check = gate.checks[gate.next]
                if check.guards and not check.caught_up:
                    self._judge(session, gate.id, gate.next)


def _make_engine(monitors: Sequence[Any], site: Site, report: Callable[..., None]) -> Any:  # noqa: ANN401 — imported late
    """The engine and what it needs (parsers) are imported by sessions that are watched, and by no other."""
    from waved.monitors.engine import Engine

    return Engine(monitors, site, report)
