"""What guards have kept and brought back: snapshots and restores that were decided, and the good ones in between.

Each is a job of the keeper (`waved.reactor.keeper`), and comes back through the inbox as a fact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from waved import failpoints
from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.state_guards import Guards, Reaction
from waved.errors import WavedError
from waved.journal.store import Journal
from waved.reactor.clock import Clock
from waved.reactor.guard import Guard
from waved.reactor.inbox import Inbox
from waved.reactor.keeper import Keeper
from waved.reactor.restoring import Restoring
from waved.reactor.sessions import Sessions
from waved.workspace.records import Label, Snapshot

log = structlog.get_logger("waved")

MOST_SKIPPED = 20
"""Files that could not be kept, as far as an event names them."""


class Keeping:
    """Snapshots and restores of all live sessions. `guard_of`: the guard of one, if it has one."""

    def __init__(
        self,
        keeper: Keeper,
        sessions: Sessions,
        inbox: Inbox,
        clock: Clock,
        journal: Journal,
        guard_of: Callable[[str], Guard | None],
        on_defect: Callable[[str, BaseException], None],
    ) -> None:
        self._keeper = keeper
        self._sessions = sessions
        self._inbox = inbox
        self._clock = clock
        self._journal = journal
        self._guard_of = guard_of
        self._defect = on_defect
        self._taking_good: set[str] = set()
        """Sessions of which the guard is taking a snapshot by itself."""
        self._good_due: dict[str, float] = {}
        """Not before this it takes the next one; waved's clock."""

    def take(self, session: Session, name: str, label: str, wave: str, reaction: str) -> None:
        """One that was decided. Before a restore of single files, only what is known to have changed is looked at: all
        that gives way is kept by the restore itself once more.
        """
        guard = self._guard_of(session.id)
        known = session.guards.reactions.get(reaction) if session.guards is not None else None
        dirty = guard.take_dirty() if guard is not None else None
        only = None
        if known is not None and known.scope == "file" and dirty is not None and not known.snapshot:
            only = sorted({*dirty, *known.paths})
        whole = Label(label, session.id, wave, name=name)

        def job() -> None:
            failpoints.hit("guard.before-snapshot")
            shadow = self._keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            taken = shadow.take(whole, only)
            failpoints.hit("guard.after-snapshot")
            self._inbox.put(_taken(session.id, name, taken))

        def failed(error: BaseException) -> None:
            if guard is not None:
                self._inbox.put(lambda: guard.give_back(dirty))
            self._inbox.put(ev.SnapshotTaken(session.id, name, error=self._why("snapshot", error)))

        self._keeper.run(session.workspace, job, failed, urgent=bool(reaction))

    def _tell_good(self, session: Session, taken: Snapshot) -> None:
        """One that nobody has asked for gets the guard's next name."""
        if session.guards is not None and session.id in self._sessions.live:
            self._inbox.put(_taken(session.id, f"g{session.guards.good + 1}", taken))

    def _why(self, where: str, error: BaseException) -> str:
        """What is said of a failed job; one that is no error of ours is a defect, and logged as such."""
        if isinstance(error, WavedError):
            return f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        if not isinstance(error, OSError):
            self._defect(where, error)
        return f"{type(error).__name__}: {error}"

    def take_good(self, session: Session) -> None:
        """The monitors found nothing in what has changed: a good time for a snapshot, if it is not too soon."""
        guards, guard, now = session.guards, self._guard_of(session.id), self._clock.now()
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
                self._inbox.put(_taken(session.id, name, taken))

        def job() -> None:
            shadow = self._keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            taken = shadow.take(label, sorted(dirty) if dirty is not None else None)
            self._inbox.put(lambda: told(taken))

        def failed(error: BaseException) -> None:
            self._why("snapshot", error)  # the next one that is needed will say so
            self._inbox.put(lambda: told(None))

        self._keeper.run(session.workspace, job, failed)

    def restore(self, session: Session, event: ev.RestoreStarting) -> None:
        """Bring files back, as was decided."""
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
            guard=self._guard_of(session.id),
        )

        def job() -> None:
            failpoints.hit("guard.before-restore")
            ended, kept = work.do(self._keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots))
            failpoints.hit("guard.after-restore")
            for snapshot in kept:  # something was written after the snapshot that was to hold it all
                self._inbox.put(partial(self._tell_good, session, snapshot))
            self._inbox.put(ended)

        def failed(error: BaseException) -> None:
            why = self._why("restore", error)
            self._inbox.put(ev.RestoreEnded(session.id, event.reaction, ok=False, to=event.to, detail=why))

        self._keeper.run(session.workspace, job, failed, urgent=True)

    def redo(self, session: Session, guards: Guards) -> None:
        """After a restart: restores that were intended and have not ended."""
        begun: dict[str, ev.RestoreStarting] = {}
        for event in self._journal.of_kinds(session.id, "restore.starting"):
            if isinstance(event, ev.RestoreStarting):
                begun[event.reaction] = event
        for name, event in begun.items():
            reaction: Reaction | None = guards.reactions.get(name)
            if reaction is not None and reaction.restore == "running":
                self.restore(session, event)

    def catch_up(self, session: Session, guards: Guards) -> None:
        """Have judged what changed while no daemon lived: what differs from the newest snapshot."""
        guard, newest = self._guard_of(session.id), guards.snapshots.get(guards.newest)
        if guard is None or newest is None or not newest.commit:
            return

        def job() -> None:
            shadow = self._keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
            changed = [change.path for change in shadow.changed(shadow.find(newest.commit))]
            self._inbox.put(partial(guard.catch_up, changed))

        def failed(error: BaseException) -> None:
            log.warning("guard", session=session.id, problem=f"no sweep after the restart: {self._why('sweep', error)}")

        self._keeper.run(session.workspace, job, failed)

    def tidy(self, session: Session) -> None:
        """It has ended: where nobody else works on its workspace, snapshots too old or too many are dropped."""
        settings = session.plan.snapshots
        if session.guards is None or not settings.enabled:
            return
        if any(other.workspace == session.workspace for other in self._sessions.live.values()):
            return

        def job() -> None:
            if Path(session.workspace).is_dir() and self._keeper.tidy(Path(session.workspace), settings):
                log.info("snapshots.expired", workspace=session.workspace)

        def failed(error: BaseException) -> None:
            log.warning("guard", session=session.id, problem=f"snapshots not tidied: {self._why('expire', error)}")

        self._keeper.run(session.workspace, job, failed)

    def end(self, session: str) -> None:
        """A session is over."""
        self._good_due.pop(session, None)
        self._keeper.forget(session)


def _taken(session: str, name: str, taken: Snapshot) -> ev.SnapshotTaken:
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
