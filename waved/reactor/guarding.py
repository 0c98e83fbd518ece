"""What is done about the intents of guards: freeze, snapshot, restore, thaw, alert, watch, probe.

Called by `waved.reactor.effects` after the commit, in the reactor's thread. What takes time happens on other threads
and comes back through the inbox as facts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from waved import failpoints
from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.state_guards import Guards, Reaction
from waved.domain.watching import needs_watching
from waved.errors import WavedError
from waved.journal.store import Journal
from waved.monitors.base import Site
from waved.plan.models import Plan
from waved.plan.reporting import own_patterns
from waved.pool.messages import Found
from waved.pool.pool import Pool
from waved.reactor.clock import Clock
from waved.reactor.guard import Guard
from waved.reactor.inbox import Inbox
from waved.reactor.keeper import Keeper
from waved.reactor.notifying import Notifier, wants
from waved.reactor.preview import preview_url
from waved.reactor.probing import Probing
from waved.reactor.restoring import Restoring
from waved.reactor.sessions import Sessions
from waved.reactor.specs import NOTIFY
from waved.workspace.records import Label, Snapshot

log = structlog.get_logger("waved")

MOST_SKIPPED = 20
"""Files that could not be kept, as far as an event names them."""
UNSENT = "too many notifications wait"


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
        self._journal = journal
        self._on_defect = on_defect
        self.keeper = Keeper(locations.state)
        self._notifier = Notifier()
        self._guards: dict[str, Guard] = {}
        self._probers: dict[str, Probing] = {}
        self._taking_good: set[str] = set()
        """Sessions of which the guard is taking a snapshot by itself."""
        self._good_due: dict[str, float] = {}
        """Not before this it takes the next one; waved's clock."""
        self._moved: set[str] = set()
        """Sessions in which somebody began or ended to run in this turn."""

    # --- what was journalled ------------------------------------------------------------------------------------

    def act(self, session: Session, event: ev.Event) -> None:
        """Act on one event of a live session."""
        match event:
            case ev.SessionSubmitted() | ev.SessionRetried():
                self.begin(session)  # of one that had ended nobody has watched since
            case ev.RunStarting(purpose="preview"):
                self._probe(session)
            case ev.RunStarting() | ev.RunEnded():
                self._moved.add(session.id)
            case ev.RunActed() if event.wrote and session.id in self._guards:
                self._guards[session.id].wrote(event.run, event.wrote)
            case ev.RunFreezing():
                self._pool.freeze(event.run)
            case ev.RunThawing():
                self._pool.freeze(event.run, frozen=False)
            case ev.SnapshotTaking():
                self._take(session, event.snapshot, event.label, event.wave, event.reaction)
            case ev.RestoreStarting():
                self._restore(session, event)
            case ev.AlertRaised():
                self._alert(session, event)
            case ev.PortLeasing():
                self._lease(session)
            case ev.PortLeased():
                self._probe(session)
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
            guard = Guard(session, self._inbox.put, self._inbox.put, self._on_clean)
            self._guards[session.id] = guard
            self._moved.add(session.id)
            self._aside(session.id, partial(guard.watch, _make_engine, self._site(session)))
        if session.plan.preview is not None and (session.plan.preview.command is None or session.guards.preview):
            self._probe(session)

    def end(self, session: str) -> None:
        """A session is over."""
        guard, prober = self._guards.pop(session, None), self._probers.pop(session, None)
        if guard is not None:
            self._aside(session, guard.close)  # it waits for a thread
        if prober is not None:
            prober.close()
        self._good_due.pop(session, None)
        self.keeper.forget(session)

    def tidy(self, session: Session) -> None:
        """It has ended: where nobody else works on its workspace, snapshots too old or too many are dropped."""
        settings = session.plan.snapshots
        if session.guards is None or not settings.enabled:
            return
        if any(other.workspace == session.workspace for other in self._sessions.live.values()):
            return

        def job() -> None:
            if Path(session.workspace).is_dir() and self.keeper.tidy(Path(session.workspace), settings):
                log.info("snapshots.expired", workspace=session.workspace)

        def failed(error: BaseException) -> None:
            log.warning("guard", session=session.id, problem=f"snapshots not tidied: {self._why('expire', error)}")

        self.keeper.run(session.workspace, job, failed)

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
        for prober in self._probers.values():
            prober.close()
        self._guards.clear()
        self._probers.clear()
        self._notifier.close()
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

    # --- snapshots ----------------------------------------------------------------------------------------------

    def _take(self, session: Session, name: str, label: str, wave: str, reaction: str) -> None:
        """One that was decided. Before a restore of single files, only what is known to have changed is looked at: all
        that gives way is kept by the restore itself once more.
        """
        guard = self._guards.get(session.id)
        known = session.guards.reactions.get(reaction) if session.guards is not None else None
        dirty = guard.take_dirty() if guard is not None else None
        only = None
        if known is not None and known.scope == "file" and dirty is not None and not known.snapshot:
            only = sorted({*dirty, *known.paths})
        whole = Label(label, session.id, wave, name=name)

        def job() -> None:
            failpoints.hit("guard.before-snapshot")
            shadow = self.keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            taken = shadow.take(whole, only)
            failpoints.hit("guard.after-snapshot")
            self._inbox.put(taken_event(session.id, name, taken))

        def failed(error: BaseException) -> None:
            if guard is not None:
                self._inbox.put(lambda: guard.give_back(dirty))
            self._inbox.put(ev.SnapshotTaken(session.id, name, error=self._why("snapshot", error)))

        self.keeper.run(session.workspace, job, failed, urgent=bool(reaction))

    def _tell_good(self, session: Session, taken: Snapshot) -> None:
        """One that nobody has asked for gets the guard's next name."""
        if session.guards is not None and session.id in self._sessions.live:
            self._inbox.put(taken_event(session.id, f"g{session.guards.good + 1}", taken))

    def _why(self, where: str, error: BaseException) -> str:
        """What is said of a failed job; one that is no error of ours is a defect, and logged as such."""
        if isinstance(error, WavedError):
            return f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        if not isinstance(error, OSError):
            self._defect(where, error)
        return f"{type(error).__name__}: {error}"

    def _on_clean(self, session: Session) -> None:
        """The monitors found nothing in what has changed: a good time for a snapshot, if it is not too soon."""
        guards, guard, now = session.guards, self._guards.get(session.id), self._clock.now()
        if guards is None or guard is None or not session.plan.snapshots.enabled or session.phase != "running":
            return
        if guards.reactions or guards.taking or session.id in self._taking_good:
            return
        if now < self._good_due.get(session.id, 0.0):
            return
        self._good_due[session.id] = now + session.plan.snapshots.interval
        self._taking_good.add(session.id)
        dirty = guard.take_dirty()
        name = f"g{guards.good + 1}"
        wave = session.current.plan.name if session.current is not None else ""
        label = Label("good", session.id, wave, name=name)

        def told(taken: Snapshot | None) -> None:
            self._taking_good.discard(session.id)
            if taken is None:
                guard.give_back(dirty)
            elif taken.new:
                self._inbox.put(taken_event(session.id, name, taken))

        def job() -> None:
            shadow = self.keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            taken = shadow.take(label, sorted(dirty) if dirty is not None else None)
            self._inbox.put(lambda: told(taken))

        def failed(error: BaseException) -> None:
            self._why("snapshot", error)  # the next one that is needed will say so
            self._inbox.put(lambda: told(None))

        self.keeper.run(session.workspace, job, failed)

    # --- restores -----------------------------------------------------------------------------------------------

    def _restore(self, session: Session, event: ev.RestoreStarting) -> None:
        guards = session.guards
        reaction = guards.reactions.get(event.reaction) if guards is not None else None
        if guards is None or reaction is None:
            return
        work = Restoring(
            session=session.id,
            event=event,
            monitor=reaction.monitor,
            owns=tuple(session.nodes[event.assignment].agent.owns) if event.assignment in session.nodes else (),
            commits={name: taken.commit for name, taken in guards.snapshots.items() if taken.commit},
            first=guards.first,
            guard=self._guards.get(session.id),
        )

        def job() -> None:
            failpoints.hit("guard.before-restore")
            ended, kept = work.do(self.keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots))
            failpoints.hit("guard.after-restore")
            for snapshot in kept:  # something was written after the snapshot that was to hold it all
                self._inbox.put(partial(self._tell_good, session, snapshot))
            self._inbox.put(ended)

        def failed(error: BaseException) -> None:
            why = self._why("restore", error)
            self._inbox.put(ev.RestoreEnded(session.id, event.reaction, ok=False, to=event.to, detail=why))

        self.keeper.run(session.workspace, job, failed, urgent=True)

    # --- the preview --------------------------------------------------------------------------------------------

    def _probe(self, session: Session) -> None:
        """It is being started, or its address is known: say how it answers from now on."""
        settings, url = session.plan.preview, preview_url(session)
        if settings is None or not url:
            return
        prober = self._probers.get(session.id)
        if prober is None:

            def tell(up: bool, seconds: float, reason: str) -> None:
                name, now_at = session.id, preview_url(session)
                answered: ev.Event = ev.PreviewAnswered(name, now_at, seconds)
                self._inbox.put(answered if up else ev.PreviewFailed(name, now_at, reason))

            folder = self._locations.session(session.id) / "guard"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            prober = self._probers[session.id] = Probing(settings, folder, tell)
        prober.begin(url)

    def _lease(self, session: Session) -> None:
        """Find a port nobody listens on. It is free until the preview takes it, or somebody else has."""
        try:
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                port = int(sock.getsockname()[1])
        except OSError as error:
            self._inbox.put(ev.PortLeased(session.id, error=f"no port is free: {os.strerror(error.errno or 0)}"))
        else:
            self._inbox.put(ev.PortLeased(session.id, port))

    # --- alerts -------------------------------------------------------------------------------------------------

    def _alert(self, session: Session, event: ev.AlertRaised) -> None:
        guards = session.guards
        found = guards.finding(event.finding) if guards is not None else None
        monitor = found.monitor if found is not None else ""
        facts: dict[str, Any] = {
            "session": session.id,
            "id": event.finding,
            "severity": event.severity,
            "text": event.text,
        }
        if found is not None:
            names = ("monitor", "summary", "path", "line", "assignment", "run", "evidence", "subject")
            facts |= {name: getattr(found, name) for name in names} | {"time": found.made}
        values = self._sessions.environment(session.id, self._locations.session(session.id))
        env = {**values.get("base", {}), **values.get("session", {}), **values.get("agents", {}).get(NOTIFY, {})}
        for notify in session.plan.notify:
            if not wants(notify, event.severity, monitor):
                continue

            def job(notify: Any = notify) -> None:  # noqa: ANN401 — mypy cannot tell the loop's variable
                self._inbox.put(self._notifier.send(notify, event, facts, session.workspace, env))

            if not self._notifier.submit(job):
                self._inbox.put(ev.AlertSent(session.id, event.finding, "", ok=False, detail=UNSENT))

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
        self._catch_up(session, guards)
        for taking in list(guards.taking.values()):
            self._take(session, taking.name, taking.label, taking.wave, taking.reaction)
        if any(reaction.restore == "running" for reaction in guards.reactions.values()):
            self._redo_restores(session, guards)
        self._redo_alerts(session)
        if guards.preview is not None and guards.preview.port_asked and not guards.preview.port:
            self._lease(session)
        for gate in session.gates.values():
            if gate.next < len(gate.checks) and gate.checks[gate.next].state == "running":
                check = gate.checks[gate.next]
                if check.guards and not check.caught_up:
                    self._judge(session, gate.id, gate.next)

    def _catch_up(self, session: Session, guards: Guards) -> None:
        """Have judged what changed while no daemon lived: what differs from the newest snapshot."""
        guard, newest = self._guards.get(session.id), guards.snapshots.get(guards.newest)
        if guard is None or newest is None or not newest.commit:
            return

        def job() -> None:
            shadow = self.keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            changed = [change.path for change in shadow.changed(shadow.find(newest.commit))]
            self._inbox.put(partial(guard.catch_up, changed))

        def failed(error: BaseException) -> None:
            log.warning("guard", session=session.id, problem=f"no sweep after the restart: {self._why('sweep', error)}")

        self.keeper.run(session.workspace, job, failed)

    def _redo_restores(self, session: Session, guards: Guards) -> None:
        begun: dict[str, ev.RestoreStarting] = {}
        for event in self._read(session, "restore.starting"):
            if isinstance(event, ev.RestoreStarting):
                begun[event.reaction] = event
        for name, event in begun.items():
            reaction: Reaction | None = guards.reactions.get(name)
            if reaction is not None and reaction.restore == "running":
                self._restore(session, event)

    def _redo_alerts(self, session: Session) -> None:
        """Those nobody has said anything of since: told again rather than never."""
        waiting: dict[str, ev.AlertRaised] = {}
        for event in self._read(session, "alert.raised", "alert.sent"):
            if isinstance(event, ev.AlertRaised):
                waiting[event.finding] = event
            elif isinstance(event, ev.AlertSent):
                waiting.pop(event.finding, None)
        for event in waiting.values():
            self._alert(session, event)

    def _read(self, session: Session, *kinds: str) -> Sequence[ev.Event]:
        rows = self._journal.read(session=session.id, kinds=frozenset(kinds), limit=100_000)
        return [row.event() for row in rows]


def taken_event(session: str, name: str, taken: Snapshot) -> ev.SnapshotTaken:
    """A snapshot as the journal tells of it."""
    return ev.SnapshotTaken(
        session,
        name,
        commit=taken.id,
        files=taken.files,
        changed=taken.changed if taken.new else 0,
        seconds=taken.seconds,
        skipped=[f"{skipped.path}: {skipped.why}" for skipped in taken.skipped[:MOST_SKIPPED]],
        skipped_total=len(taken.skipped),
    )


def _make_engine(monitors: Sequence[Any], site: Site, report: Callable[..., None]) -> Any:  # noqa: ANN401 — imported late
    """The engine and what it needs (parsers) are imported by sessions that are watched, and by no other."""
    from waved.monitors.engine import Engine

    return Engine(monitors, site, report)
