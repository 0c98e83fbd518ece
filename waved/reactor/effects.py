"""What is done about the events that were journalled: the only place where a decision reaches the outside.

Called after the commit, with the events of one turn. Runs that start in the same turn start at the same instant.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Node, Session
from waved.gates.callers import callers_of
from waved.gates.checklist import ChecklistRequest, run_checklist
from waved.gates.confinement import Kept, limits_of
from waved.gates.outputs import check_outputs
from waved.plan.models import Plan
from waved.plan.reporting import own_files
from waved.pool import cgroup, controllers
from waved.pool.controllers import Controllers
from waved.pool.linux import boot_seconds
from waved.pool.messages import Limits, Start, session_of
from waved.pool.pool import Pool
from waved.reactor import forecast
from waved.reactor.admission import granted
from waved.reactor.clock import Clock
from waved.reactor.guarding import Guarding
from waved.reactor.held_starts import HeldStarts
from waved.reactor.inbox import Helpers
from waved.reactor.reporting import Reporting
from waved.reactor.results import Results
from waved.reactor.sessions import Sessions
from waved.reactor.specs import run_folder, spec_of

ARM_PATIENCE = 2.0
"""Seconds a checklist waits for workers."""
MOST_FILES = 200
"""Files of a check of outputs that are named in its verdict."""
WATCH_PATIENCE = 60.0
"""Seconds more it waits until no change of a file can be missed: of a huge workspace every folder is to be watched."""


class Effects:
    """Turns intents into work for the pool and the helper threads."""

    def __init__(
        self,
        locations: Locations,
        sessions: Sessions,
        pool: Pool,
        helpers: Helpers,
        clock: Clock,
        on_defect: Callable[[str, BaseException], None],
        guarding: Guarding,
        reporting: Reporting,
    ) -> None:
        self._locations = locations
        self._sessions = sessions
        self._pool = pool
        self._helpers = helpers
        self._clock = clock
        self._on_defect = on_defect
        self._guarding = guarding
        self._reporting = reporting
        self._submitted: list[Session] = []
        """Sessions that were submitted in this turn."""
        self._started: dict[str, list[str]] = {}
        """Assignments whose start was decided in this turn, by session."""
        self._begun: list[str] = []
        """Sessions that began a wave in this turn."""
        self._controllers: Controllers | None = None
        """Found out when a plan first sets limits of resources."""
        self._held = HeldStarts(guarding.ready, WATCH_PATIENCE)
        self._arming: dict[str, tuple[ev.ChecklistEnded, float]] = {}
        """Sessions whose checklist waits for workers: how it ends, and until when to wait."""

    def perform(self, events: Sequence[ev.Event]) -> None:
        """Act on what was just journalled."""
        # What is to be stopped or frozen has to be there first.
        wanted = {event.run for event in events if isinstance(event, ev.RunStopping | ev.RunFreezing)}
        starts = self._held.take(wanted)
        results = Results()
        for event in events:
            try:
                self._act(event, starts, wanted, results)
            except Exception as error:  # noqa: BLE001 — invariant 9: a defect costs what it concerns, nothing else
                self._on_defect(event.kind, error)
                if isinstance(event, ev.RunStarting):
                    why = f"waved could not prepare it: {type(error).__name__}: {error}"
                    self._helpers.inbox.put(ev.RunEnded(event.session, event.run, "not-started", reason=why))
        submitted, self._submitted = self._submitted, []
        for begun in submitted:
            self.run_checklist(begun)  # on a thread that takes the interpreter from us: others are at work by now
        self._guarding.done()  # first: what an agent writes at once is known to be its doing
        if starts:
            self._pool.release(starts)
        # Last: a run may have been decided and be stopped in one turn, and a stop before its start would be lost.
        for event in events:
            if isinstance(event, ev.RunStopping) and (session := self._sessions.live.get(event.session)) is not None:
                self._stop(session, event)

    def _act(self, event: ev.Event, starts: list[Start], wanted: Collection[str], results: Results) -> None:
        """Act on one event. What is to start joins `starts`, unless it has to wait and nothing is `wanted` of it."""
        session = self._sessions.live.get(event.session)
        if session is None:
            match event:
                case ev.SessionEnded():
                    self._end(event)
                case ev.ReportWriting():
                    self._reporting.write(self._sessions.get(event.session), again=event.again)
                case ev.ReportWritten(kept=True):
                    self._drop_environment(event.session)
            return
        self._guarding.act(session, event)
        match event:
            case ev.SessionSubmitted():
                self._begin(session)
            case ev.RunStarting() if event.run in session.active:
                start = Start(event.run, self._spec(session, event, results), Limits(event.timeout, event.timeout_of))
                works = event.purpose in ("agent", "responder") and event.run not in wanted
                if not (works and self._held.hold(session.id, start)):
                    starts.append(start)
                if event.purpose == "agent":
                    self._started.setdefault(session.id, []).append(event.assignment)
            case ev.WaveStarted():
                self._begun.append(session.id)
            case ev.CheckStarted():
                self._look_at_outputs(session, event)
            case ev.RunEnded():
                self._read_reports(session, event)
            case ev.GateStarted() if not event.assignment:
                self._arm_wave(session, session.wave + 1)
            case ev.SnapshotTaking() if event.wave:  # before that wave, which starts when it is taken
                self._arm_wave(session, session.wave + 1)

    def look_ahead(self) -> None:
        """Make ready what may start next, so that it never waits for a fork; called when the turn's work is done."""
        begun, self._begun = self._begun, []
        for session_id in begun:
            if (session := self._sessions.live.get(session_id)) is not None:
                self._pool.keep(session_id, forecast.most_to_follow(session))
        started, self._started = self._started, {}
        for session_id, keys in started.items():
            session = self._sessions.live.get(session_id)
            if session is not None and session.phase == "running":
                room = forecast.AHEAD - len(self._pool.armed_ahead(f"{session_id}/"))
                self._arm_ahead(session, forecast.after(session, keys)[: max(0, room)])

    # --- runs ---------------------------------------------------------------------------------------------------

    def _folder(self, session: Session) -> Path:
        return self._locations.session(session.id)

    def _spec(self, session: Session, event: ev.RunStarting, results: Results) -> dict[str, Any]:
        folder = self._folder(session)
        environment = self._sessions.environment(session.id, folder)
        spec = spec_of(session, event, environment, str(folder), self._clock.offset, results)
        may_ask = granted(session, event.purpose, event.assignment, event.agent) != "none"
        if may_ask:
            spec["env"]["WAVED_SOCKET"] = str(self._locations.control_socket)
        if spec.get("sandbox") is not None:
            spec["private"] = [str(self._locations.state), str(self._locations.runtime)]
            spec["socket"] = str(self._locations.control_socket) if may_ask else ""
        return spec

    def _stop(self, session: Session, event: ev.RunStopping) -> None:
        run = session.runs.get(event.run)
        if run is None:
            return
        node = session.nodes.get(run.assignment)
        grace = (node.agent.stop_grace if node is not None else None) or session.plan.session.stop_grace
        frozen = session.guards is not None and event.run in session.guards.frozen
        self._pool.stop(event.run, event.reason, grace, at_once=bool(event.reaction) and frozen)

    def _arm_wave(self, session: Session, index: int) -> None:
        """Make ready what starts with a wave, all at once, and most likely with its own limits of time."""
        self._arm_ahead(session, forecast.first_of_wave(session, index), together=True)

    def _arm_ahead(self, session: Session, nodes: Sequence[Node], *, together: bool = False) -> None:
        """Make runs ready before their start is decided."""
        self._pool.prepare(len(nodes))
        results = Results()
        for node in nodes:
            likely = ev.RunStarting(
                session.id,
                run=f"{session.id}/{node.key}#{node.attempt + 1}",
                wave=session.waves[node.wave].plan.name,
                agent=node.agent.name,
                assignment=node.key,
                attempt=node.attempt + 1,
                tasks=[task.name for task in node.tasks],
                failure=node.failure,
            )
            limits = Limits(node.agent.timeout, likely.timeout_of).among(len(nodes)) if together else None
            self._pool.arm(likely.run, self._spec(session, likely, results), limits)

    # --- sessions -----------------------------------------------------------------------------------------------

    def keep_limits(self, session: Session) -> None:
        """Have control groups keep limits of resources, where they can, before a run of this session has any.

        Done once in a daemon's life, and only when a plan wants it. The few processes of the daemon change their group
        then, which takes some milliseconds.
        """
        if self._controllers is None and limits_of(session.plan):
            self._controllers = controllers.enable(cgroup.find_home(), os.getpid())

    def _kept(self) -> Kept:
        """Which limits control groups keep, for the checklist."""
        found = self._controllers or Controllers()
        kept = frozenset(name for name, needed in controllers.CONTROLLER.items() if needed in found.enabled)
        return Kept(kept, found.problem)

    def expect(self, plan: Plan) -> None:
        """A session with this plan is about to be submitted: workers for its first wave are born meanwhile."""
        first = sum(1 for agent in plan.waves[0].agents if not agent.needs)
        self._pool.prepare(min(plan.session.max_parallel or first, first))

    def _begin(self, session: Session) -> None:
        self.keep_limits(session)
        self._arm_wave(session, 0)
        self._submitted.append(session)

    def run_checklist(self, session: Session) -> None:
        """Look at the checklist's items on a helper thread; each is reported as soon as it is known (C1)."""
        others = [(other.id, other.workspace) for other in self._sessions.live.values() if other.id != session.id]
        environment = self._sessions.environment(session.id, self._folder(session))
        shared = {**environment.get("base", {}), **environment.get("session", {})}
        own = environment.get("agents", {})
        agents = [agent.name for wave in session.plan.waves for agent in wave.agents]
        agents += [agent.name for agent in session.plan.responders]
        request = ChecklistRequest(
            plan=session.plan,
            workspace=Path(session.workspace),
            state=self._locations.state,
            environments={"": shared, **{name: {**shared, **own.get(name, {})} for name in agents}},
            active=others,
            private=[self._locations.state, self._locations.runtime],
            kept=self._kept(),
        )

        def job() -> None:
            ok = True
            for item in run_checklist(request):
                waived = item.item in session.waived
                ok = ok and (item.ok or waived)
                self._helpers.inbox.put(
                    ev.ChecklistItemChecked(session.id, item.item, item.ok, item.detail, item.hint, waived)
                )
            ended = ev.ChecklistEnded(session.id, ok, callers_of(session.plan))
            self._helpers.inbox.put(lambda: self._await_workers(ended))

        def failed(error: BaseException) -> None:
            self._on_defect("checklist", error)
            detail = f"the checklist itself failed: {type(error).__name__}: {error}"
            self._helpers.inbox.put(ev.ChecklistItemChecked(session.id, "checklist", ok=False, detail=detail))
            self._helpers.inbox.put(ev.ChecklistEnded(session.id, ok=False))

        self._helpers.run(job, failed)

    def _await_workers(self, ended: ev.ChecklistEnded) -> None:
        """The last item: the first wave's agents stand ready, so that its start is one word to each (O3)."""
        self._arming[ended.session] = (ended, boot_seconds() + ARM_PATIENCE)
        self.look_at_workers()

    def look_at_workers(self) -> None:
        """End checklists that only waited for workers, when they are ready or have had their time; release starts that
        waited for watched files.
        """
        if starts := self._held.due():
            self._pool.release(starts)
        for session_id, (ended, due) in list(self._arming.items()):
            armed, arming = self._pool.readiness(f"{session_id}/")
            if arming and boot_seconds() < due and not self._pool.problem:
                continue
            if not self._guarding.ready(session_id) and boot_seconds() < due + WATCH_PATIENCE:
                continue
            del self._arming[session_id]
            detail = f"{armed} ready" + (f", {arming} still getting ready" if arming else "")
            self._helpers.inbox.put(ev.ChecklistItemChecked(session_id, "workers", ok=True, detail=detail))
            self._helpers.inbox.put(ended)

    def next_deadline(self) -> float | None:
        """When `look_at_workers` is due at the latest; seconds since boot."""
        now = boot_seconds()
        times = [due if now < due else due + WATCH_PATIENCE for _, due in self._arming.values()]
        if (due := self._held.next_deadline()) is not None:
            times.append(due)
        return min(times, default=None)

    def _end(self, event: ev.SessionEnded) -> None:
        prefix = f"{event.session}/"
        self._guarding.end(event.session)
        self._guarding.tidy(self._sessions.get(event.session))
        self._pool.withdraw(self._pool.armed_ahead(prefix))
        self._pool.keep(event.session, 0)
        if self._sessions.get(event.session).report is None:
            self._drop_environment(event.session)

    def _drop_environment(self, name: str) -> None:
        """Of a session that has succeeded nothing will be started, and its report is written: its values are needed no
        more. (Until then they are, to be masked in the report.)
        """
        if self._sessions.get(name).outcome == "succeeded":
            self._sessions.drop_environment(name, self._locations.session(name))

    # --- checks -------------------------------------------------------------------------------------------------

    def _report_check(self, event: ev.CheckEnded) -> None:
        self._helpers.inbox.put(event)

    def _check_defect(self, event: ev.CheckEnded, error: BaseException) -> None:
        self._on_defect("check", error)
        event.ok = False
        event.detail = f"the check itself failed: {type(error).__name__}: {error}"
        self._report_check(event)

    def _look_at_outputs(self, session: Session, event: ev.CheckStarted) -> None:
        check = session.gates[event.gate].checks[event.index]
        if check.guards:
            return
        verdict = ev.CheckEnded(session.id, event.gate, event.index, ok=False, name=check.name)

        def job() -> None:
            results = check_outputs(Path(session.workspace), check.outputs, own_files(session.plan))
            verdict.ok = all(result.ok for result in results)
            verdict.detail = "\n".join(result.detail for result in results if verdict.ok or not result.ok)
            verdict.files = _names([path for result in results for path in result.files])
            self._report_check(verdict)

        self._helpers.run(job, partial(self._check_defect, verdict))

    def _read_reports(self, session: Session, event: ev.RunEnded) -> None:
        """A command that writes JUnit XML has ended by itself: its verdict takes the tests into account (G2)."""
        run = session.runs[event.run]
        gate = session.gates.get(run.gate)
        if gate is None or event.outcome != "exited":
            return
        check = gate.checks[run.index]
        command = check.command
        if command is None or command.junit is None:
            return
        pattern = command.junit
        verdict = ev.CheckEnded(session.id, gate.id, run.index, ok=False, name=check.name)
        # File times are the system clock's; waved's own clock may differ from it after a clock change.
        since = time.time() - (self._clock.now() - (run.started or run.decided))

        def job() -> None:
            from waved.gates.junit import judge, read_junit  # XML parsers: a daemon starts without them

            result = read_junit(Path(session.workspace), pattern, since)
            verdict.ok, verdict.detail = judge(event.exit_code, result, command.min_pass_rate)
            if result.total:
                verdict.tests = {
                    "total": result.total,
                    "passed": result.passed,
                    "failed": result.failed,
                    "skipped": result.skipped,
                }
            if not verdict.ok and event.tail:
                verdict.detail = f"{verdict.detail}\n{event.tail}"
            self._report_check(verdict)

        self._helpers.run(job, partial(self._check_defect, verdict))

    def redo(self, session: Session) -> None:
        """After a restart: what was intended before it and whose result cannot have arrived (recovery)."""
        if session.phase == "checking" and session.checklist_ok is None:
            self.run_checklist(session)
        self._guarding.redo(session)
        for gate in session.gates.values():
            if gate.next >= len(gate.checks) or gate.checks[gate.next].state != "running":
                continue
            check = gate.checks[gate.next]
            run = session.runs.get(check.run)
            if check.guards:
                continue
            if check.command is None:
                self._look_at_outputs(session, ev.CheckStarted(session.id, gate.id, gate.next))
            elif run is not None and run.state == "ended":
                ended = ev.RunEnded(session.id, run.id, run.outcome, run.exit_code, tail=run.tail)
                self._read_reports(session, ended)

    def folder_of(self, run_id: str) -> Path:
        """The folder of a run."""
        return run_folder(self._locations.session(session_of(run_id)), run_id)


def _names(paths: Sequence[str]) -> list[str]:
    """Each once, the first so many; a name that is no UTF-8 can stand in no event."""
    whole = (path for path in paths if path.isascii() or path.encode("utf-8", "replace").decode() == path)
    return list(islice(dict.fromkeys(whole), MOST_FILES))
