"""How events of assignments and runs change a session."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold import background, findings, reactions, silence, snapshots
from waved.domain.fold.activity import note_provider, note_success, note_totals
from waved.domain.gate import awaits_reports, waits
from waved.domain.limits import lacked_session, start_wait, was_refused
from waved.domain.providers import refused
from waved.domain.readiness import await_verdict, forget_stale, make_ready
from waved.domain.state import Run, Session


def _assignment_ended(session: Session, event: ev.AssignmentEnded) -> None:
    node = session.nodes[event.assignment]
    key = node.key
    wave = session.waves[node.wave]
    idle = node.state in ("waiting", "ready", "backing-off")
    node.state, node.outcome, node.reason, node.verified = "ended", event.outcome, event.reason, event.verified
    node.ended = event.time
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
    if session.guards is not None:
        snapshots.assignment_ended(session, key, succeeded=succeeded)
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
    if event.reaction and not _is_uncounted(node.runs[-1]):
        node.base += 1  # it is not its own failing: it uses up no attempt
    if session.guards is not None:
        session.guards.again.pop(node.key, None)
    if node.gate is not None:
        node.gate = None
        session.unchecked_of_agent[node.agent.name] += 1
    session.judged.pop(node.key, None)
    session.waves[node.wave].idle[node.key] = None
    heapq.heappush(session.retries, (event.at, node.key))


def _is_uncounted(run: Run) -> bool:
    """Whether a run used up no attempt anyway: nothing was exec'ed, a provider refused it, or it lacked its session."""
    return (run.outcome == "withdrawn" and not run.stop_reason) or was_refused(run) or lacked_session(run)


def _run_starting(session: Session, event: ev.RunStarting) -> None:
    run = Run(
        event.run, session.wave, event.purpose, event.assignment, event.attempt, event.gate, event.index, event.timeout,
        event.timeout_of, event.failure, event.agent, event.reaction, event.resume, decided=event.time,
    )  # fmt: skip
    session.runs[run.id] = session.active[run.id] = run
    if event.purpose in ("preview", "monitor"):
        background.starting(session, run)
        return
    session.unstopped[run.id] = None
    if session.guards is not None:
        run.base = session.guards.newest
    if event.purpose == "responder":
        reactions.responding(session, run)
        return
    if event.purpose == "check":
        check = session.gates[event.gate].checks[event.index]
        check.state, check.run = "running", run.id
        session.gates_due.pop(event.gate, None)
        return
    node = session.nodes[event.assignment]
    node.state, node.attempt, node.retry_at = "starting", event.attempt, None
    node.runs.append(run)
    session.active_agents += 1
    if session.guards is not None:
        silence.begins(session, run)
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


def _ended_for_guards(session: Session, run: Run) -> None:
    findings.run_is_over(session, run)
    reactions.run_is_over(session, run)
    silence.ends(session)


def _run_stopping(session: Session, event: ev.RunStopping) -> None:
    run = session.runs[event.run]
    run.state = "stopping"
    run.stop_reason, run.stopped_for = event.reason, event.reaction
    session.unstopped.pop(run.id, None)
    if run.purpose in ("preview", "monitor"):
        background.stopping(session, run, event.time)
    if event.reaction:
        reactions.begins_to_end(session, event.reaction)


def _run_ended(session: Session, event: ev.RunEnded) -> None:
    run = session.active.pop(event.run)
    session.unstopped.pop(run.id, None)
    run.state = "ended"
    run.ended = event.end_time or event.time
    run.outcome, run.exit_code, run.signal, run.reason = event.outcome, event.exit_code, event.signal, event.reason
    run.output_bytes, run.dropped_bytes, run.leftovers = event.output_bytes, event.dropped_bytes, event.leftovers
    run.rotated_bytes = event.rotated_bytes
    run.tail, run.cpu_seconds, run.max_rss = event.tail, event.cpu_seconds, event.max_rss
    run.memory_peak = event.memory_peak
    run.judged, run.cause, run.reset_at, run.last_words = event.judged, event.cause, event.reset_at, event.last_words
    run.tool = run.acting_detail = ""
    if event.acted:
        note_totals(session, run, event.acted)
        run.acting_detail = event.acted.get("problem", "")
        note_provider(session, run)
    if run.purpose in ("preview", "monitor"):
        background.ended(session, run, event.time)
        return
    withdrawn = run.outcome == "withdrawn" and not run.stop_reason
    if run.purpose == "responder":
        reactions.run_is_over(session, run)
        reactions.response_ended(session, run, event.time)
        return
    if run.purpose == "check":
        if run.gate not in session.gates:
            return  # what it was to check starts again
        check = session.gates[run.gate].checks[run.index]
        if withdrawn:
            check.state, check.tries = "waiting", check.tries + 1
            check.retry_at = event.time + start_wait(check.tries)
        if not awaits_reports(check, run) and not waits(session, session.gates[run.gate]):
            session.gates_due[run.gate] = None
        return
    session.active_agents -= 1
    if session.guards is not None:
        _ended_for_guards(session, run)
    node = session.nodes[run.assignment]
    if withdrawn:
        node.base += 1  # nothing was exec'ed: it uses up no attempt
        node.withdrawn += 1
    else:
        node.withdrawn = 0
    if was_refused(run):
        node.base += 1  # the provider's limit is not the agent's failure: it uses up no attempt
        node.refused += 1
        if refused(session, run):
            session.refusals[run.id] = None
    else:
        node.refused = 0
        if lacked_session(run):
            node.base += 1  # the next one begins anew, and there is only one such between two that count
        if run.succeeded:
            note_success(session, run)
    node.state = "checking"
    await_verdict(session, node.key)


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.AssignmentEnded: _assignment_ended,
    ev.RetryScheduled: _retry_scheduled,
    ev.RunStarting: _run_starting,
    ev.RunStarted: _run_started,
    ev.RunStopping: _run_stopping,
    ev.RunEnded: _run_ended,
}
