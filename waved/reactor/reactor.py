"""The reactor's turn: take what arrived → facts → fold → decide → journal → effects → replies.

Nothing is acted upon, and no client is told, before the journal has it (invariant 1). When the journal cannot be
written (disk full), events wait in memory, in order; nothing new is accepted and nothing is acted upon until it can.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import structlog
import zmq

from waved import failpoints
from waved.config import Locations
from waved.domain import events as ev
from waved.domain.decide import decide, next_deadline
from waved.domain.fold import admissible, fold
from waved.domain.history import Retention
from waved.domain.state import Session
from waved.errors import BadRequestError, InternalError, NotFoundError, ResourceError, WavedError
from waved.ipc.keys import Keyring
from waved.ipc.server import Asked, Server
from waved.journal.store import Journal, Past
from waved.masking import Masks
from waved.pool.linux import boot_seconds
from waved.pool.pool import Pool
from waved.reactor.admission import Admission
from waved.reactor.clock import Clock
from waved.reactor.closing import Closing
from waved.reactor.effects import Effects
from waved.reactor.followers import Followers
from waved.reactor.guarding import Guarding
from waved.reactor.history_methods import forget
from waved.reactor.imaging import Imaging
from waved.reactor.inbox import Helpers, Inbox, SignalWakeup
from waved.reactor.methods import METHODS, READING
from waved.reactor.observing import Observing
from waved.reactor.params import Params
from waved.reactor.pruning import AUTOMATIC, Pruning, chosen
from waved.reactor.reporting import Reporting
from waved.reactor.runs import Runs
from waved.reactor.sessions import Sessions
from waved.reactor.telling import Telling
from waved.service.notify import Manager

LOW_DISK = 4 * 1024 * 1024
"""Bytes; with less, the disk is called full."""
JOURNAL_RETRY = 1.0
"""Seconds between two tries to write the journal after it failed."""
COMMIT_PATIENCE = 0.005
"""Seconds a seen start or end waits to be journalled together with what comes next."""


log = structlog.get_logger("waved")


class Reactor:
    """All state of a daemon, in its main thread."""

    def __init__(
        self,
        locations: Locations,
        journal: Journal,
        server: Server,
        pool: Pool,
        manager: Manager | None = None,
        masks: Masks | None = None,
    ) -> None:
        self.locations = locations
        self.journal = journal
        self.server = server
        self.pool = pool
        self.manager = manager or Manager({})
        """The service manager that watches over this daemon, if one does."""
        self.clock = Clock(journal)
        self.inbox = Inbox()
        self.helpers = Helpers(self.inbox)
        self.masks = masks or Masks()
        """What must not be written or told."""
        server.mask = self.masks.text
        self.sessions = Sessions(journal, self.masks)
        self.imaging = Imaging(journal, self.helpers)
        self.followers = Followers(journal)
        self.guarding = Guarding(locations, self.sessions, pool, self.inbox, self.clock, journal, self.defect)
        self.pruning = Pruning(locations, journal, self.sessions, self.helpers, self.inbox, self.guarding.keeper)
        self.retention = Retention()
        """By which past sessions are pruned without being asked for; see `waved.settings`."""
        self._retaining = False
        self.reporting = Reporting(locations, journal, self.guarding.keeper, self.masks, self.clock, self.inbox)
        self.effects = Effects(
            locations, self.sessions, pool, self.helpers, self.clock, self.defect, self.guarding, self.reporting
        )
        self.runs = Runs(
            self.sessions, pool, self.effects, self.helpers, self.clock, self._fact, self.defect, self.guarding
        )
        self.keyring = Keyring(locations.keys)
        self.admission = Admission(self.sessions, pool, server)
        self.observing = Observing()
        self.started = self.clock.now()
        self.command: list[str] = []
        """How this program is started, for an upgrade."""
        self.idle_exit: float | None = None
        """End after this many seconds without a session or a request; None: never."""
        self.shared = False
        """Whether others than our own user may submit sessions (`waved.reactor.identity`)."""
        self.last_use = self.started
        """When a client asked last."""
        self._batch: list[ev.Event] = []
        """Events folded in this turn and not yet journalled."""
        self._commit_due = 0.0
        """When what waits to be journalled is journalled at the latest; 0: nothing waits."""
        self.telling = Telling(self)
        self._replies: list[tuple[Asked, dict[str, Any]]] = []
        """Answers that wait until what they tell of is in the journal."""
        self._journal_problem = ""
        self._journal_retry = 0.0
        self.closing = Closing(self)

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self, on_ready: Callable[[], None]) -> None:
        """Recover, then serve until told to stop."""
        signals = SignalWakeup()
        poller = zmq.Poller()
        poller.register(signals.fileno(), zmq.POLLIN)
        for socket in self.server.sockets:
            poller.register(socket, zmq.POLLIN)
        poller.register(self.inbox.fileno(), zmq.POLLIN)
        poller.register(self.pool.fileno(), zmq.POLLIN)
        self._recover()
        on_ready()
        self.journal.reserve.refill()
        while not self.closing.done:
            poller.poll(self._patience())
            signals.clear()
            with self.observing.timed("waved_turn_seconds"):
                self._guarded(lambda _: self.turn(), None)
            self.manager.turn()
        signals.close()

    def turn(self) -> None:
        """One turn. A defect in one session's handling must not cost the others: it is logged, and the turn goes on."""
        failpoints.hit("reactor.turn")
        now = self.clock.now()
        for message in self.pool.poll():
            self._guarded(self.runs.hear, message)
        for news in self.inbox.take():
            if callable(news):
                news()
            else:
                self._guarded(self._fact, news)
        self.server.mind()
        for asked in self.server.receive():
            self.last_use = now
            self._call(asked)
        self.runs.adopt()
        self.effects.look_at_workers()
        for session in list(self.sessions.live.values()):
            due = next_deadline(session)
            if due is not None and due <= now:
                self._guarded(self._follow, session)
        if not self._may_wait(now):
            self._commit()
        self.telling.tell_when_due()
        self.followers.expire(now)
        self.effects.look_ahead()
        self.closing.look()
        self.server.breathe()

    def _patience(self) -> int | None:
        """Milliseconds until something is due; None: nothing is (invariant 10: at rest no wake-ups)."""
        now = self.clock.now()
        times = [due for session in self.sessions.live.values() if (due := next_deadline(session)) is not None]
        times += [due for due in (self.followers.next_deadline(), self.runs.next_deadline()) if due is not None]
        offset = now - boot_seconds()
        boot_times = (self.pool.next_deadline(), self.effects.next_deadline(), self.manager.next_deadline())
        times += [due + offset for due in boot_times if due is not None]
        if self._journal_problem:
            times.append(self._journal_retry)
        if (seconds := self.server.patience()) is not None:
            times.append(now + seconds)
        if self._batch and not self._journal_problem:
            times.append(self._commit_due)
        if (due := self.telling.next_deadline()) is not None:
            times.append(due)
        if (due := self.closing.next_deadline()) is not None:
            times.append(due)
        if not times:
            return None
        return math.ceil(max(0.0, min(times) - now) * 1000)

    def _broken(self, session: Session, error: BaseException) -> None:
        """A defect in handling one session: it is held, and says so, instead of standing still without a word."""
        self.defect(session.id, error)
        if not session.held and session.phase == "running":
            self._apply(session, ev.SessionHeld(session.id, f"a defect in waved: {type(error).__name__}: {error}"))

    def _guarded(self, action: Callable[[Any], None], argument: Any) -> None:  # noqa: ANN401 — passes it on
        try:
            action(argument)
        except Exception as error:  # noqa: BLE001 — invariant 9: a defect is logged, never the daemon's end
            self.defect(getattr(action, "__name__", "turn"), error)

    def defect(self, where: str, error: BaseException) -> None:
        """Say that something went wrong where nothing should."""
        self.observing.defect()
        log.error("defect", where=where, exc_info=error)

    # --- events -------------------------------------------------------------------------------------------------

    def submit(self, event: ev.SessionSubmitted) -> None:
        """Begin a session."""
        self._number(event)
        session = self.sessions.add(event)
        self._batch.append(event)
        self._follow(session)

    def reopen(self, session: Session) -> None:
        """A session that ended is live again."""
        self.sessions.reopen(session)

    def record(self, events: Sequence[ev.Event]) -> None:
        """Fold events of one live session, and whatever follows from them."""
        session = None
        for event in events:
            session = self.sessions.live.get(event.session)
            if session is None:
                log.warning("event-for-ended-session", kind=event.kind, session=event.session)
                return
            self._apply(session, event)
        if session is not None:
            self._follow(session)

    def note(self, event: ev.Event) -> None:
        """Journal an event that concerns no session."""
        self.note_all([event])

    def note_all(self, events: Sequence[ev.Event]) -> None:
        """Journal events that concern no session."""
        for event in events:
            self._number(event)
            self._batch.append(event)
        self._commit()
        self.telling.tell_when_due()

    def past(self) -> list[Past]:
        """The sessions that may be pruned: they have ended, and nobody writes their report."""
        return [past for past in self.sessions.past() if past.session not in self.reporting.writing]

    def look_at_past(self) -> None:
        """A session has ended, or its report is written, or the daemon has started: what waited for that goes, and what
        the rules say.
        """
        self.pruning.look_again()
        if not self.retention.any or self._retaining or self._journal_problem:
            return
        self._retaining = True
        past, now = self.past(), self.clock.now()

        def look() -> None:
            found = chosen(self.journal.path, self.locations, past, self.retention, now)
            self.inbox.put(lambda: self._retain(found))

        self.helpers.run(look, lambda error: self._retain([], error))

    def _retain(self, found: list[dict[str, Any]], error: BaseException | None = None) -> None:
        self._retaining = False
        if error is not None:
            self.defect("retention", error)
        elif found and not self._journal_problem:
            forget(self, found, AUTOMATIC)

    def _fact(self, event: ev.Event) -> None:
        """Something was observed: recorded unless it says nothing new."""
        if isinstance(event, ev.ReportWritten):
            self._reported(event)
            return
        session = self.sessions.live.get(event.session)
        if session is not None and admissible(session, event):
            self.record([event])

    def _reported(self, event: ev.ReportWritten) -> None:
        """An ended session has its report. (It may have been opened again meanwhile: then it counts no more.)"""
        self.reporting.done(event.session)
        try:
            session = self.sessions.get(event.session)
        except NotFoundError:
            return  # it was forgotten meanwhile
        if admissible(session, event):
            self._apply(session, event)

    def _number(self, event: ev.Event, at: float | None = None) -> None:
        event.seq = (self._batch[-1].seq if self._batch else self.journal.last_seq) + 1
        event.time = self.clock.now() if at is None else at
        if self.masks.any:
            for name, masked in self.masks.fields(event.data()).items():
                setattr(event, name, masked)

    def _apply(self, session: Session, event: ev.Event, at: float | None = None) -> None:
        self._number(event, at)
        fold(session, event)
        self._batch.append(event)

    def _follow(self, session: Session) -> None:
        """Everything that follows from a session's state, until nothing more does."""
        now = self.clock.now()
        while following := self._decide(session, now):
            for event in following:
                # All of one decision happen at the same instant: who starts together is seen from that.
                self._apply(session, event, at=now)
        if session.phase == "ended":
            self.sessions.end(session)

    def _decide(self, session: Session, now: float) -> list[ev.Event]:
        try:
            return decide(session, now)
        except Exception as error:  # noqa: BLE001 — invariant 9: a defect costs one session, and is seen
            self._broken(session, error)
            return []

    def _may_wait(self, now: float) -> bool:
        """Starts and ends from which nothing follows are journalled with what comes next, if it comes soon: a commit
        costs a disk write, and after a crash workers and exit records tell of them again.
        """
        if self._journal_problem or self._replies or not self._batch:
            return False
        if not all(self._is_retold(event) for event in self._batch):
            return False
        if not self._commit_due:
            self._commit_due = now + COMMIT_PATIENCE
        return now < self._commit_due

    def _is_retold(self, event: ev.Event) -> bool:
        """Whether nothing is done about this event, and it would be found out again after a crash."""
        if type(event) is ev.RunEnded:
            session = self.sessions.live.get(event.session)
            return session is not None and session.runs[event.run].purpose == "agent"
        return type(event) in (ev.RunStarted, ev.AssignmentEnded)

    def _commit(self) -> None:
        """Journal the turn's events, then act on them, and answer."""
        now = self.clock.now()
        if self._batch and (not self._journal_problem or now >= self._journal_retry):
            try:
                with self.observing.timed("waved_journal_commit_seconds"):
                    self.journal.append(self._batch, self.sessions.summaries)
            except ResourceError as error:
                if not self._journal_problem:
                    log.critical("journal", problem=error.message)
                self._refuse_waiting(error)
                self._journal_problem = error.message
                self._journal_retry = now + JOURNAL_RETRY
            else:
                if self._journal_problem:
                    log.warning("journal", problem="", note="can be written again")
                self._journal_problem = ""
                self.sessions.summaries.clear()
                batch, self._batch = self._batch, []
                self._commit_due = 0.0
                self._guarded(self.effects.perform, batch)
                self._guarded(self.pruning.perform, batch)
                if any(type(event) in (ev.SessionEnded, ev.ReportWritten) for event in batch):
                    self.inbox.put(self.look_at_past)
                self._guarded(self.imaging.count, batch)
                self.telling.add(batch, now)
        if not self._batch:
            replies, self._replies = self._replies, []
            for asked, result in replies:
                self.server.answer(asked, result)

    def _refuse_waiting(self, error: ResourceError) -> None:
        """The journal has just not taken what these have asked for; it waits, and will be done."""
        hint = "it is carried out as soon as the journal can be written: do not ask again"
        for asked, result in self._replies:
            if asked.request.method in READING:
                self.server.answer(asked, result)
            else:
                refusal = ResourceError(f"not done yet: {error.message}", hint)
                self.server.refuse(asked, refusal)
        self._replies = []

    @property
    def journalled(self) -> bool:
        """Whether all that has happened is in the journal."""
        return not self._batch

    def require_journal(self) -> None:
        """Raises ResourceError while the journal cannot be written: nothing is taken that cannot be recorded."""
        if self._journal_problem:
            raise ResourceError(self._journal_problem, "free some disk space; waved goes on by itself then")

    def require_room(self) -> None:
        """Raises ResourceError while there is no room to record new work to its end."""
        self.require_journal()
        self.journal.reserve.refill()
        if self.journal.reserve.problem:
            raise ResourceError(self.journal.reserve.problem, "free some disk space; waved goes on by itself then")

    def _disk_problem(self) -> str:
        state = self.locations.state
        try:
            free = shutil.disk_usage(state).free
        except OSError as error:
            return f"{state} cannot be read: {error.strerror}"
        if free >= LOW_DISK:
            return ""
        return f"the disk of {state} is full ({free // 1024} KB left): output is dropped, and no run can be started"

    def problems(self) -> list[str]:
        """What is wrong with the daemon or its surroundings, for people."""
        if self.journal.reserve.problem:
            self.journal.reserve.refill()
        found = [self._journal_problem, *self.journal.problems(), self._disk_problem()]
        found += [self.server.problem, self.pool.problem, self.observing.problem]
        found += self.pruning.problems()
        found += [f"session {name} cannot be read: {why}" for name, why in self.sessions.unreadable.items()]
        return [problem for problem in found if problem]

    def _recover(self) -> None:
        """Fold the journal, find out what became of the runs that were under way, and go on."""
        self.imaging.recovered(self.sessions.recover())
        for name in self.sessions.live:
            self.sessions.environment(name, self.locations.session(name))  # what is masked is known from it
        self.runs.recover()
        for session in list(self.sessions.live.values()):
            self.effects.redo(session)
            self._guarded(self._follow, session)
        self._commit()
        self.pruning.resume()
        self.inbox.put(self.look_at_past)
        for name in self.journal.unreported():
            self._guarded(self._report_again, name)

    def report_again(self, session: Session, by: str) -> None:
        """Have the report of an ended session written once more."""
        self._apply(session, ev.ReportWriting(session.id, again=True, by=by))

    def _report_again(self, name: str) -> None:
        """The daemon before died before the session's report was written."""
        if name not in self.sessions.unreadable and name not in self.reporting.writing:
            session = self.sessions.get(name)
            self.sessions.environment(name, self.locations.session(name))
            self.reporting.write(session)

    # --- clients ------------------------------------------------------------------------------------------------

    def _call(self, asked: Asked) -> None:
        """Call a method; its reply waits until what it changed is in the journal."""
        request = asked.request
        method = METHODS.get(request.method)
        if method is None:
            unknown = BadRequestError(f"no method {request.method[:80]!r}", "known: " + ", ".join(METHODS))
            self.server.refuse(asked, unknown)
            self.observing.asked("unknown", unknown.code)
            return
        try:
            asked = self.admission.admit(asked)
            result = method(self, Params(request.method, asked.request.params), asked)
        except WavedError as error:
            self.server.refuse(asked, error)
            self.observing.asked(request.method, error.code)
        except Exception as error:  # noqa: BLE001 — invariant 9: a defect is answered and logged, never fatal
            self.defect(request.method, error)
            self.server.refuse(asked, InternalError(f"{type(error).__name__}: {error}"))
            self.observing.asked(request.method, InternalError.code)
        else:
            self.observing.asked(request.method, "ok")
            if result is not None and self._journal_problem and request.method in READING:
                # What is known is shown, though it cannot be written down: nobody is left in the dark.
                self.server.answer(asked, result)
            elif result is not None:
                self.reply(asked, result)

    def reply(self, asked: Asked, result: dict[str, Any]) -> None:
        """Answer when all that was decided until now is in the journal."""
        self._replies.append((asked, result))

    def answer_later(self, asked: Asked, job: Callable[[], dict[str, Any]]) -> None:
        """Run `job` on a helper thread and answer with what it returns."""

        def work() -> None:
            result = job()
            self.inbox.put(lambda: self.server.answer(asked, result))

        self.helpers.run(work, lambda error: self.refuse_defect(asked, error))

    def refuse_defect(self, asked: Asked, error: BaseException) -> None:
        """Log what went wrong where nothing should, and say so."""
        self.defect(asked.request.method, error)
        self.server.refuse(asked, InternalError(f"{type(error).__name__}: {error}"))

    # --- the end ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of everything. Agents that still run go on without a daemon."""
        self.observing.close()
        self.imaging.close()
        self.reporting.close()
        self.guarding.close()
        self.helpers.close()
        self.pool.close()
        if self.closing.gives_way:
            self.server.disconnect()
        else:
            self.server.close()
        self.journal.close()
        self.inbox.close()
