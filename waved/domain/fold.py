"""`fold`: how each event changes a session. The only place where session state changes (docs/architecture.md).

Events already in the journal are taken as they are; `admissible` keeps facts that came twice, late or for something
unknown from getting there.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.gate import awaits_reports, build_checks
from waved.domain.limits import start_wait
from waved.domain.readiness import forget_stale, look_at_requirements, make_ready, reset
from waved.domain.state import ChecklistItem, Gate, Run, Session, WaveState, new_session
from waved.plan.models import Plan


def begin(event: ev.SessionSubmitted) -> Session:
    """The session a submission begins. The plan in the event was validated before it was journalled."""
    session = new_session(
        event.session, Plan.model_validate(event.plan), event.workspace, event.time,
        plan_path=event.plan_path, submitted_by=event.submitted_by, waived=event.waived,
    )  # fmt: skip
    session.last_seq = event.seq
    return session


def fold(session: Session, event: ev.Event) -> None:
    """Change `session` by what `event` says."""
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(session, event)
    if event.seq:
        session.last_seq = event.seq


def admissible(session: Session, event: ev.Event) -> bool:
    """Whether a *fact* reported from outside says something new: not repeated, not late, not about the unknown."""
    match event:
        case ev.RunStarted():
            run = session.runs.get(event.run)
            return run is not None and run.state in ("starting", "stopping") and run.started is None
        case ev.RunEnded():
            return event.run in session.active
        case ev.CheckEnded():
            gate = session.gates.get(event.gate)
            if gate is None or gate.next != event.index or gate.next >= len(gate.checks):
                return False
            check = gate.checks[event.index]
            # Of a command nobody may speak before it has ended.
            return check.state == "running" and (check.command is None or check.run not in session.active)
        case ev.ChecklistItemChecked() | ev.ChecklistEnded():
            return session.phase == "checking" and session.checklist_ok is None
        case _:
            return True


# --- the session --------------------------------------------------------------------------------------------------


def _checklist_checked(session: Session, event: ev.ChecklistItemChecked) -> None:
    item = ChecklistItem(event.item, event.ok, event.detail, event.hint, event.waived)
    session.checklist = [*(other for other in session.checklist if other.item != event.item), item]


def _checklist_ended(session: Session, event: ev.ChecklistEnded) -> None:
    session.checklist_ok = event.ok


def _session_started(session: Session, event: ev.SessionStarted) -> None:
    session.phase = "running"
    session.started = event.time
    if session.plan.session.timeout is not None:
        session.deadline = event.time + session.plan.session.timeout


def _stop_requested(session: Session, event: ev.SessionStopRequested) -> None:
    session.phase = "stopping"
    session.held = ""
    session.reason = event.reason
    session.stop_outcome = "timed-out" if event.by == "timeout" else "stopped"


def _held(session: Session, event: ev.SessionHeld) -> None:
    session.held = event.reason


def _resumed(session: Session, _event: ev.SessionResumed) -> None:
    session.held = ""


def _retried(session: Session, event: ev.SessionRetried) -> None:
    index = min(session.nodes[key].wave for key in event.assignments)
    if session.phase == "ended" and session.plan.session.timeout is not None:
        session.deadline = event.time + session.plan.session.timeout
    session.held = ""
    session.phase = "running"
    session.outcome = session.reason = ""
    session.stop_outcome = "stopped"
    session.ended = None
    for wave in session.waves[index:]:
        if wave.gate is not None:
            wave.gate_attempt += 1  # a gate's id is never used twice, nor are those of its runs
        wave.gate_base = wave.gate_attempt - 1
        wave.gate = None
        wave.outcome = wave.reason = ""
        wave.phase = "waiting"
        wave.ended = None
    wave = session.waves[index]
    wave.phase = "running"
    # Whoever asks for it again after a time limit wants it to have that time again.
    _set_wave_deadline(wave, event.time)
    session.wave, session.current = index, wave
    later = [key for wave in session.waves[index + 1 :] for key in wave.keys]
    reset(session, [*event.assignments, *(key for key in later if session.nodes[key].state == "ended")])


def _session_ended(session: Session, event: ev.SessionEnded) -> None:
    session.phase = "ended"
    session.held = ""
    session.outcome = event.outcome
    session.reason = event.reason
    session.ended = event.time


# --- waves and gates ----------------------------------------------------------------------------------------------


def _set_wave_deadline(wave: WaveState, time: float) -> None:
    wave.deadline = None if wave.plan.timeout is None else time + wave.plan.timeout


def _wave_started(session: Session, event: ev.WaveStarted) -> None:
    session.wave += 1
    wave = session.current = session.waves[session.wave]
    wave.phase = "running"
    wave.started = event.time
    _set_wave_deadline(wave, event.time)
    for key in wave.keys:
        node = session.nodes[key]
        if node.state == "waiting":
            look_at_requirements(session, node)


def _wave_retried(session: Session, event: ev.WaveRetried) -> None:
    wave = session.waves[session.wave]
    wave.phase = "running"
    wave.gate = None
    wave.gate_attempt = event.gate_attempt
    for key, failure in event.assignments.items():
        session.nodes[key].failure = failure
    reset(session, list(event.assignments))


def _wave_ended(session: Session, event: ev.WaveEnded) -> None:
    wave = session.waves[session.wave]
    session.current = None
    wave.phase = "ended"
    wave.ended = event.time
    wave.outcome = event.outcome
    wave.reason = event.reason


def _gate_started(session: Session, event: ev.GateStarted) -> None:
    wave = session.waves[session.wave]
    node = session.nodes[event.assignment] if event.assignment else None
    gate = Gate(event.gate, wave.index, event.assignment, build_checks(session, wave, node))
    session.gates[gate.id] = gate
    session.gates_due[gate.id] = None
    if node is None:
        wave.gate = gate
        wave.phase = "gate"
    else:
        node.gate = gate
        session.unchecked_of_agent[node.agent.name] -= 1
        session.judged.pop(node.key, None)


def _check_started(session: Session, event: ev.CheckStarted) -> None:
    session.gates[event.gate].checks[event.index].state = "running"
    session.gates_due.pop(event.gate, None)


def _check_ended(session: Session, event: ev.CheckEnded) -> None:
    gate = session.gates[event.gate]
    check = gate.checks[event.index]
    check.state, check.ok, check.detail, check.tests = "ended", event.ok, event.detail, event.tests
    gate.next = event.index + 1
    session.gates_due[gate.id] = None


def _gate_ended(session: Session, event: ev.GateEnded) -> None:
    gate = session.gates.pop(event.gate, None)
    session.gates_due.pop(event.gate, None)
    wave = session.waves[session.wave]
    if gate is None:
        gate = Gate(event.gate, wave.index, event.assignment, [])
    gate.state, gate.verdict, gate.reason = "ended", event.verdict, event.reason
    if event.assignment:
        session.judged[event.assignment] = None
    else:
        wave.gate = gate
        wave.phase = "judged"


# --- assignments and runs -----------------------------------------------------------------------------------------


def _assignment_ended(session: Session, event: ev.AssignmentEnded) -> None:
    node = session.nodes[event.assignment]
    key = node.key
    wave = session.waves[node.wave]
    idle = node.state in ("waiting", "ready", "backing-off")
    node.state, node.outcome, node.reason, node.verified = "ended", event.outcome, event.reason, event.verified
    node.retry_at = None
    session.judged.pop(key, None)
    if idle:
        session.ready.pop(key, None)
        session.doomed.pop(key, None)
        wave.idle.pop(key, None)
        forget_stale(session)
    wave.unended -= 1
    if node.gate is None:
        session.unchecked_of_agent[node.agent.name] -= 1
    succeeded = event.outcome == "succeeded"
    if not succeeded:
        wave.failed[key] = None
    for name in node.dependents:
        dependent = session.nodes[name]
        if succeeded:
            dependent.waiting_for -= 1
        if dependent.state == "waiting" and dependent.wave == session.wave:
            if not succeeded:
                session.doomed[name] = f"{key} {event.outcome}"
            elif dependent.waiting_for == 0:
                make_ready(session, dependent)


def _retry_scheduled(session: Session, event: ev.RetryScheduled) -> None:
    node = session.nodes[event.assignment]
    node.state = "backing-off"
    node.failure = event.reason
    node.retry_at = event.at
    if node.gate is not None:
        node.gate = None
        session.unchecked_of_agent[node.agent.name] += 1
    session.judged.pop(node.key, None)
    session.waves[node.wave].idle[node.key] = None
    heapq.heappush(session.retries, (event.at, node.key))


def _run_starting(session: Session, event: ev.RunStarting) -> None:
    run = Run(
        event.run, session.wave, event.purpose, event.assignment, event.attempt, event.gate, event.index, event.timeout,
        event.timeout_of, event.failure, decided=event.time,
    )  # fmt: skip
    session.runs[run.id] = session.active[run.id] = run
    session.unstopped[run.id] = None
    if event.purpose == "check":
        check = session.gates[event.gate].checks[event.index]
        check.state, check.run = "running", run.id
        session.gates_due.pop(event.gate, None)
        return
    node = session.nodes[event.assignment]
    node.state, node.attempt, node.retry_at = "starting", event.attempt, None
    node.runs.append(run)
    session.active_agents += 1
    session.ready.pop(node.key, None)
    session.waves[node.wave].idle.pop(node.key, None)
    if session.queue or session.retries:
        forget_stale(session)


def _run_started(session: Session, event: ev.RunStarted) -> None:
    run = session.runs[event.run]
    run.started, run.pid, run.worker, run.command = event.exec_time, event.pid, event.worker, event.command
    if run.state == "starting":
        run.state = "running"
    if run.purpose == "agent":
        session.nodes[run.assignment].state = "running"


def _run_stopping(session: Session, event: ev.RunStopping) -> None:
    run = session.runs[event.run]
    run.state = "stopping"
    run.stop_reason = event.reason
    session.unstopped.pop(run.id, None)


def _run_ended(session: Session, event: ev.RunEnded) -> None:
    run = session.active.pop(event.run)
    session.unstopped.pop(run.id, None)
    run.state = "ended"
    run.ended = event.end_time or event.time
    run.outcome, run.exit_code, run.signal, run.reason = event.outcome, event.exit_code, event.signal, event.reason
    run.output_bytes, run.dropped_bytes, run.leftovers = event.output_bytes, event.dropped_bytes, event.leftovers
    run.rotated_bytes = event.rotated_bytes
    run.tail, run.cpu_seconds, run.max_rss = event.tail, event.cpu_seconds, event.max_rss
    withdrawn = run.outcome == "withdrawn" and not run.stop_reason
    if run.purpose == "check":
        check = session.gates[run.gate].checks[run.index]
        if withdrawn:
            check.state, check.tries = "waiting", check.tries + 1
            check.retry_at = event.time + start_wait(check.tries)
        if not awaits_reports(check, run):
            session.gates_due[run.gate] = None
        return
    session.active_agents -= 1
    node = session.nodes[run.assignment]
    if withdrawn:
        node.base += 1  # nothing was exec'ed: it uses up no attempt
        node.withdrawn += 1
    else:
        node.withdrawn = 0
    node.state = "checking"
    session.judged[node.key] = None


_HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.ChecklistItemChecked: _checklist_checked,
    ev.ChecklistEnded: _checklist_ended,
    ev.SessionStarted: _session_started,
    ev.SessionStopRequested: _stop_requested,
    ev.SessionHeld: _held,
    ev.SessionResumed: _resumed,
    ev.SessionRetried: _retried,
    ev.SessionEnded: _session_ended,
    ev.WaveStarted: _wave_started,
    ev.WaveRetried: _wave_retried,
    ev.WaveEnded: _wave_ended,
    ev.GateStarted: _gate_started,
    ev.CheckStarted: _check_started,
    ev.CheckEnded: _check_ended,
    ev.GateEnded: _gate_ended,
    ev.AssignmentEnded: _assignment_ended,
    ev.RetryScheduled: _retry_scheduled,
    ev.RunStarting: _run_starting,
    ev.RunStarted: _run_started,
    ev.RunStopping: _run_stopping,
    ev.RunEnded: _run_ended,
}
