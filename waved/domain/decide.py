"""`decide`: what follows from a session's state. Pure: it returns events; the reactor folds and journals them.

The rules are asked in order; the first that has something to say is heard, its events are folded, and `decide` is
asked again until nothing more follows. Each rule looks only at what is due (see `waved.domain.state`), so a decision
costs the same however many agents a session has.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from waved.domain import events as ev
from waved.domain.gate import build_checks, failure_text, next_step
from waved.domain.state import Node, Run, Session, WaveState
from waved.plan.quantities import format_duration

MAX_BACKOFF = 300.0
"""Seconds; the wait before a repetition is doubled up to this."""

Rule = Callable[[Session, float], list[ev.Event]]


def decide(session: Session, now: float) -> list[ev.Event]:
    """The events that follow from the state at `now` (seconds, waved's clock); empty when nothing is due."""
    if session.phase == "ended":
        return []
    for rule in _RULES:
        found = rule(session, now)
        if found:
            return found
    return []


def next_deadline(session: Session) -> float | None:
    """When `decide` may have something to say without any further event; None: never."""
    if session.phase in ("ended", "checking"):
        return None
    times = []
    _drop_stale_retries(session)
    if session.retries and not session.held and session.phase == "running":
        times.append(session.retries[0][0])
    if session.phase == "running" and session.deadline is not None:
        times.append(session.deadline)
    wave = session.current
    if wave is not None and wave.deadline is not None and (session.unstopped or wave.idle):
        times.append(wave.deadline)
    return min(times, default=None)


# --- begin and end of a session -----------------------------------------------------------------------------------


def _checklist(session: Session, _now: float) -> list[ev.Event]:
    if session.phase == "stopping" and session.started is None:
        return [ev.SessionEnded(session.id, session.stop_outcome, session.reason)]
    if session.phase != "checking" or session.checklist_ok is None:
        return []
    if session.checklist_ok:
        return [ev.SessionStarted(session.id)]
    failed = [item.item for item in session.checklist if not item.ok and not item.waived]
    return [ev.SessionEnded(session.id, "refused", "the checklist failed: " + ", ".join(failed))]


def _session_deadline(session: Session, now: float) -> list[ev.Event]:
    if session.phase != "running" or session.deadline is None or now < session.deadline:
        return []
    limit = format_duration(session.plan.session.timeout or 0)
    return [ev.SessionStopRequested(session.id, f"the session's time limit of {limit}", by="timeout")]


def _stop(session: Session, now: float) -> list[ev.Event]:
    """Session stopping, or wave out of time: end what runs, and end what has not started."""
    wave = session.current
    if wave is None or wave.phase == "judged":
        return []
    if session.phase == "stopping":
        outcome, reason = session.stop_outcome, session.reason
    elif wave.deadline is not None and now >= wave.deadline:
        outcome, reason = "timed-out", f"the wave's time limit of {format_duration(wave.plan.timeout or 0)}"
    else:
        return []
    found: list[ev.Event] = [ev.RunStopping(session.id, run, reason) for run in session.unstopped]
    for key in wave.idle:
        node = session.nodes[key]
        found.append(ev.AssignmentEnded(session.id, key, node.agent.name, outcome, reason))
    return found


# --- verdicts on assignments --------------------------------------------------------------------------------------


def _gates(session: Session, now: float) -> list[ev.Event]:
    found: list[ev.Event] = []
    for gate_id in session.gates_due:
        step = next_step(session, session.gates[gate_id], now)
        if step is not None:
            found.append(step)
    return found


def _judge(session: Session, now: float) -> list[ev.Event]:
    return [event for key in session.judged for event in _verdict(session, session.nodes[key], now)]


def _verdict(session: Session, node: Node, now: float) -> list[ev.Event]:
    wave = session.waves[node.wave]
    run = node.runs[-1]
    if node.gate is not None and node.gate.state == "ended":
        return [_after_gate(session, node, now)]
    if run.succeeded:
        checks = build_checks(session, wave, node)
        if not checks:
            return [_ended(session, node, "succeeded", "", verified=False)]
        gate_id = f"{session.id}/{node.key}#{node.attempt}/gate"
        return [ev.GateStarted(session.id, gate_id, wave.plan.name, node.key, [check.name for check in checks])]
    if run.outcome == "lost":
        return _lost(session, node, run, now)
    if run.outcome == "withdrawn" and not run.stop_reason and session.phase == "running":
        return [ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, now, node.failure)]
    if run.outcome in ("stopped", "withdrawn"):
        outcome = "timed-out" if _out_of_time(session, wave, now) else "stopped"
        return [_ended(session, node, outcome, run.stop_reason or run.reason)]
    outcome = "timed-out" if run.outcome == "timed-out" else "failed"
    may_retry = run.timeout_of == "agent" or outcome == "failed"
    return [_failed(session, node, outcome, run.explanation, node.agent.retries if may_retry else 0, now)]


def _after_gate(session: Session, node: Node, now: float) -> ev.Event:
    gate = node.gate
    assert gate is not None  # noqa: S101 — the caller has looked
    if gate.verdict != "failed":
        return _ended(session, node, "succeeded", "", verified=gate.verdict == "passed")
    stopped = next(
        (run.stop_reason for check in gate.checks if (run := session.runs.get(check.run)) and run.stop_reason), ""
    )
    if stopped:
        return _ended(
            session, node, "timed-out" if _out_of_time(session, session.waves[node.wave], now) else "stopped", stopped
        )
    own = node.agent.gate
    retries = node.agent.retries
    if own is not None and own.on_failure == "retry":
        retries = max(retries, own.retries)
    if own is not None and own.on_failure == "continue":
        return _ended(session, node, "succeeded", f"its gate failed, and the plan says continue: {gate.reason}")
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
    """A repetition if attempts are left and there is time for it, else the end."""
    repeated = node.attempt - node.base
    wave = session.waves[node.wave]
    if session.phase == "running" and repeated <= retries and not _out_of_time(session, wave, now):
        delay = min(node.agent.backoff * 2.0 ** (repeated - 1), MAX_BACKOFF)
        return ev.RetryScheduled(session.id, node.key, node.agent.name, node.attempt + 1, now + delay, reason)
    return _ended(session, node, outcome, reason)


def _ended(session: Session, node: Node, outcome: str, reason: str, *, verified: bool = False) -> ev.AssignmentEnded:
    return ev.AssignmentEnded(session.id, node.key, node.agent.name, outcome, reason, verified)


def _out_of_time(session: Session, wave: WaveState, now: float) -> bool:
    return session.stop_outcome == "timed-out" or (wave.deadline is not None and now >= wave.deadline)


def _skip(session: Session, _now: float) -> list[ev.Event]:
    if session.held:
        return []
    return [_ended(session, session.nodes[key], "skipped", why) for key, why in session.doomed.items()]


# --- starting -----------------------------------------------------------------------------------------------------


def _start(session: Session, now: float) -> list[ev.Event]:
    """Every ready assignment, all at once within the limit (requirement O3)."""
    wave = session.current
    if session.held or session.phase != "running" or wave is None or wave.phase != "running":
        return []
    room = None if session.limit is None else session.limit - session.active_agents
    if room is not None and room <= 0:
        return []
    if session.limit == 1 and session.ready:
        # One at a time means: in the order written. An agent between two attempts keeps its turn.
        if session.retries and any(session.nodes[key].state == "backing-off" for _, key in session.retries):
            due: list[str] = []
        else:
            due = [min(session.ready, key=lambda key: session.nodes[key].order)]
    else:
        due = list(session.ready)[:room]
    if not due:
        _drop_stale_retries(session)
        if session.retries and session.retries[0][0] <= now:
            due = [session.retries[0][1]]
    return [_starting(session, session.nodes[key], wave, now) for key in due]


def _drop_stale_retries(session: Session) -> None:
    """Forget heap entries whose assignment is no longer backing off: bookkeeping of the heap, not a change of state."""
    while session.retries:
        at, key = session.retries[0]
        node = session.nodes[key]
        if node.state == "backing-off" and node.retry_at == at:
            return
        heapq.heappop(session.retries)


def _starting(session: Session, node: Node, wave: WaveState, now: float) -> ev.RunStarting:
    limits = [(node.agent.timeout, "agent")]
    if wave.deadline is not None:
        limits.append((wave.deadline - now, "wave"))
    if session.deadline is not None:
        limits.append((session.deadline - now, "session"))
    timeout, whose = min(((limit, name) for limit, name in limits if limit is not None), default=(None, "agent"))
    attempt = node.attempt + 1
    return ev.RunStarting(
        session.id,
        run=f"{session.id}/{node.key}#{attempt}",
        wave=wave.plan.name,
        agent=node.agent.name,
        assignment=node.key,
        attempt=attempt,
        tasks=[task.name for task in node.tasks],
        timeout=None if timeout is None else max(timeout, 0.001),
        timeout_of=whose,
        failure=node.failure,
    )


# --- waves --------------------------------------------------------------------------------------------------------


def _wave_over(session: Session, _now: float) -> list[ev.Event]:
    """All assignments have ended: the wave's gate, or its verdict where there is nothing to look at."""
    wave = session.current
    if wave is None or wave.phase != "running" or wave.unended or session.held:
        return []
    gate_id = f"{session.id}/{wave.plan.name}/gate#{wave.gate_attempt}"
    if session.phase == "stopping":
        return [ev.WaveEnded(session.id, wave.plan.name, session.stop_outcome, session.reason)]
    if wave.failed:
        reason = "; ".join(_short(session.nodes[key]) for key in list(wave.failed)[:20])
        more = len(wave.failed) - 20
        return [
            ev.GateEnded(
                session.id,
                gate_id,
                wave.plan.name,
                "failed",
                reason=reason + (f"; and {more} more" if more > 0 else ""),
            )
        ]
    checks = build_checks(session, wave, None)
    if checks:
        return [ev.GateStarted(session.id, gate_id, wave.plan.name, "", [check.name for check in checks])]
    verified = all(session.nodes[key].verified for key in wave.keys)
    return [ev.GateEnded(session.id, gate_id, wave.plan.name, "passed" if verified else "unverified")]


def _short(node: Node) -> str:
    first = node.reason.splitlines()[0] if node.reason else ""
    return f"{node.key} {node.outcome}" + (f" ({first})" if first else "")


def _after_wave(session: Session, now: float) -> list[ev.Event]:
    """The gate has spoken: go on, retry the wave, or end the session (requirement G3)."""
    wave = session.current
    if wave is None or wave.phase != "judged" or wave.gate is None:
        return []
    name = wave.plan.name
    if session.phase == "stopping":
        return [ev.WaveEnded(session.id, name, session.stop_outcome, session.reason)]
    if wave.gate.verdict != "failed":
        return [ev.WaveEnded(session.id, name, wave.gate.verdict)]
    policy = wave.plan.gate
    outcome = "timed-out" if wave.deadline is not None and now >= wave.deadline else "failed"
    if policy.on_failure == "retry" and wave.gate_attempt <= policy.retries and outcome == "failed":
        again = _to_repeat(session, wave)
        if again:
            return [ev.WaveRetried(session.id, name, again, wave.gate_attempt + 1)]
    return [ev.WaveEnded(session.id, name, outcome, wave.gate.reason)]


def _to_repeat(session: Session, wave: WaveState) -> dict[str, str]:
    """Who runs again after a failed gate, and why: who failed, or whom the failed checks blame."""
    if wave.failed:
        nodes = [session.nodes[key] for key in wave.failed]
        if any(node.outcome in ("stopped", "lost") for node in nodes):
            return {}
        return {node.key: node.reason if node.outcome != "skipped" else "" for node in nodes}
    if wave.gate is None:
        return {}
    blamed: set[str] = set()
    for check in wave.gate.checks:
        if check.ok is False:
            names = check.command.agents if check.command is not None else []
            blamed.update(names or (session.nodes[key].agent.name for key in wave.keys))
    why = failure_text(wave.gate)
    return {key: why for key in wave.keys if session.nodes[key].agent.name in blamed}


def _go_on(session: Session, _now: float) -> list[ev.Event]:
    """No wave is under way: the next one, or the end."""
    if session.phase == "checking" or session.current is not None or session.held:
        return []
    if session.phase == "stopping":
        return [ev.SessionEnded(session.id, session.stop_outcome, session.reason)]
    failed = [wave for wave in session.waves[: session.wave + 1] if wave.outcome not in ("passed", "unverified")]
    stop = next((wave for wave in failed if wave.plan.gate.on_failure != "continue"), None)
    if stop is not None:
        outcome = "timed-out" if stop.outcome == "timed-out" else "failed"
        return [ev.SessionEnded(session.id, outcome, f"wave {stop.plan.name}: {stop.reason}")]
    if session.wave + 1 < len(session.waves):
        return [ev.WaveStarted(session.id, session.waves[session.wave + 1].plan.name)]
    if failed:
        reason = "; ".join(f"wave {wave.plan.name}: {wave.reason}" for wave in failed)
        return [ev.SessionEnded(session.id, "failed", reason + " (continued, as the plan says)")]
    return [ev.SessionEnded(session.id, "succeeded")]


_RULES: tuple[Rule, ...] = (
    _checklist,
    _session_deadline,
    _stop,
    _gates,
    _judge,
    _skip,
    _start,
    _wave_over,
    _after_wave,
    _go_on,
)
