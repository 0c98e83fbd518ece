"""The verdict on an assignment whose run or gate has ended: succeeded, to be checked, repeated, or over (O5, G3)."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.gate import build_checks, was_cut_short
from waved.domain.limits import (
    MOST_REFUSALS,
    backoff,
    is_hopeless,
    lacked_session,
    refusal_wait,
    start_wait,
    was_refused,
)
from waved.domain.reactions import can_restore, undo_attempt
from waved.domain.state import Gate, Node, Run, Session, WaveState
from waved.domain.state_guards import Guards

_HOPELESS = {
    "login": "it cannot log in (`wavectl doctor` says what each program needs)",
    "budget": "the program's own limit of cost is reached",
}


def judge(session: Session, now: float) -> list[ev.Event]:
    """The verdicts that are due (`session.judged`)."""
    found: list[ev.Event] = []
    ahead: dict[str, int] = {}
    for key in session.judged:
        node = session.nodes[key]
        agent = node.agent.name
        events = _verdict(session, node, now, ahead.get(agent, 0))
        if isinstance(events[0], ev.ReactionStarted):
            return [*found, *events]  # one at a time: the next is named after it
        if node.gate is None and not isinstance(events[0], ev.RetryScheduled):
            ahead[agent] = ahead.get(agent, 0) + 1
        found += events
    return found


def out_of_time(session: Session, wave: WaveState, now: float) -> bool:
    """Whether the wave's or the session's time limit has passed. While the session is held, it stands still."""
    late = wave.deadline is not None and now >= wave.deadline and not session.held
    return session.stop_outcome == "timed-out" or late


def _may_go_on(session: Session, wave: WaveState, now: float) -> bool:
    return session.phase == "running" and not out_of_time(session, wave, now)


def _verdict(session: Session, node: Node, now: float, ahead: int) -> list[ev.Event]:
    wave = session.waves[node.wave]
    run = node.runs[-1]
    if session.guards is not None and (found := _after_reaction(session, session.guards, node, run, now)):
        return [found]
    if node.gate is not None:
        return [_after_gate(session, node, node.gate, now)]
    if run.succeeded:
        checks = build_checks(session, wave, node, ahead)
        if not checks:
            return [_ended(session, node, "succeeded", "")]
        # "@" is in no name of a plan: neither this id nor those of its checks' runs can be an assignment's.
        gate_id = f"{session.id}/{node.key}#{node.attempt}@gate"
        return [ev.GateStarted(session.id, gate_id, wave.plan.name, node.key, [check.name for check in checks])]
    if run.outcome == "lost":
        return _lost(session, node, run, now)
    if run.outcome == "withdrawn" and not run.stop_reason and session.phase == "running":
        at = now + start_wait(node.withdrawn)
        return [ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, at, node.failure)]
    if run.outcome in ("stopped", "withdrawn"):
        return [_cut_short(session, node, run.stop_reason or run.reason, now)]
    if was_refused(run) and node.refused > MOST_REFUSALS:
        return [_ended(session, node, "failed", f"{run.explanation} ({node.refused} times in a row)")]
    if was_refused(run) and _may_go_on(session, wave, now):
        at = refusal_wait(node, run, now)
        return [ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, at, run.explanation)]
    if lacked_session(run) and _may_go_on(session, wave, now):
        why = run.failure or run.explanation
        return [ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, now, why)]
    if is_hopeless(run):
        return [_failed(session, node, "failed", f"{_HOPELESS[run.cause]}: {run.explanation}", 0, now)]
    outcome = "timed-out" if run.outcome == "timed-out" else "failed"
    may_retry = run.timeout_of == "agent" or outcome == "failed"
    return [_failed(session, node, outcome, run.explanation, node.agent.retries if may_retry else 0, now)]


def _after_reaction(session: Session, guards: Guards, node: Node, run: Run, now: float) -> ev.Event | None:
    """What a reaction has decided for it: it has failed, or it starts again. None: nothing."""
    key = node.key
    if key in guards.given_up:
        return _ended(session, node, "failed", guards.given_up[key])
    if key not in guards.again or run.outcome == "lost":
        return None  # what is lost is never repeated by itself
    if run.stop_reason and not run.stopped_for:
        return _cut_short(session, node, run.stop_reason, now)  # a person, or a limit, wanted its end
    if session.phase != "running" or out_of_time(session, session.waves[node.wave], now):
        return _cut_short(session, node, session.reason or "the wave's time limit", now)
    again = guards.again[key]
    at = refusal_wait(node, run, now) if was_refused(run) else now
    if run.outcome == "withdrawn" and not run.stop_reason:
        at += start_wait(node.withdrawn)
    return ev.RetryScheduled(session.id, key, node.agent.name, node.attempt + 1, at, again.why, again.reaction)


def _undo(session: Session, node: Node, outcome: str, reason: str) -> ev.Event | None:
    """An agent with `rollback = "on-failure"` has failed: what it changed is put away first (requirement G4)."""
    guards = session.guards
    run = node.runs[-1]
    own = node.agent.gate
    by_gate = node.gate is not None and own is not None and own.on_failure == "rollback"
    if guards is None or session.phase != "running" or (node.agent.rollback == "never" and not by_gate):
        return None
    if not can_restore(session) or guards.undone.get(node.key) == run.id or run.outcome in ("not-started", "lost"):
        return None
    return undo_attempt(session, node, f"Attempt {node.attempt} {outcome}: {reason}")


def _after_gate(session: Session, node: Node, gate: Gate, now: float) -> ev.Event:
    if gate.verdict != "failed":
        return _ended(session, node, "succeeded", "", verified=gate.verdict == "passed")
    cut_short = was_cut_short(session, gate)
    if cut_short:
        return _cut_short(session, node, cut_short, now)
    own = node.agent.gate
    retries = node.agent.retries
    if own is not None and own.on_failure == "continue":
        return _ended(session, node, "succeeded", f"its gate failed, and the plan says continue: {gate.reason}")
    if own is not None and own.on_failure == "retry":
        retries = max(retries, own.retries)
    return _failed(session, node, "failed", gate.reason, retries, now)


def _lost(session: Session, node: Node, run: Run, now: float) -> list[ev.Event]:
    policy = session.plan.session.on_lost
    reason = run.reason or "nobody can say how it ended"
    if policy == "retry":
        return [_failed(session, node, "lost", reason, max(node.agent.retries, 1), now)]
    ended: list[ev.Event] = [_ended(session, node, "lost", reason)]
    if policy == "hold" and session.phase == "running":
        ended.append(ev.SessionHeld(session.id, f"{node.key} is lost: {reason}"))
    return ended


def _failed(session: Session, node: Node, outcome: str, reason: str, retries: int, now: float) -> ev.Event:
    """A repetition if attempts are left and there is time for it, else the end; before both, it may be undone."""
    undone = _undo(session, node, outcome, reason)
    if undone is not None:
        return undone
    wave = session.waves[node.wave]
    if node.attempt - node.base <= retries and _may_go_on(session, wave, now):
        at = now + backoff(node)
        return ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, at, reason)
    return _ended(session, node, outcome, reason)


def _cut_short(session: Session, node: Node, reason: str, now: float) -> ev.AssignmentEnded:
    """Ended by a person or by a time limit, not by a failure of its own."""
    outcome = "timed-out" if out_of_time(session, session.waves[node.wave], now) else "stopped"
    return _ended(session, node, outcome, reason)


def _ended(session: Session, node: Node, outcome: str, reason: str, *, verified: bool = False) -> ev.AssignmentEnded:
    return ev.AssignmentEnded(session.id, node.key, node.agent.name, outcome, reason, verified)
