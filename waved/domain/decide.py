"""`decide`: what follows from a session's state. Pure: it returns events; the reactor folds and journals them.

The rules are asked in order; the first that has something to say is heard, its events are folded, and `decide` is
asked again until nothing more follows. A rule is asked only where something is due for it (see
`waved.domain.state`), so a decision costs the same however many agents a session has.
"""

from __future__ import annotations

from itertools import islice

from waved.domain import budgets, guarding
from waved.domain import events as ev
from waved.domain.gate import build_checks, failure_text, next_steps
from waved.domain.limits import is_hopeless, lacked_session, run_limit
from waved.domain.open_findings import against
from waved.domain.providers import limits_due, next_again, next_start, startable
from waved.domain.reactions import can_restore, undo_wave
from waved.domain.state import Gate, Node, Session, WaveState
from waved.domain.verdict import judge
from waved.plan.quantities import format_duration

_NAMED_FAILURES = 20
"""At most this many failed assignments are named in a wave's reason."""


def decide(session: Session, now: float) -> list[ev.Event]:
    """The events that follow from the state at `now` (seconds, waved's clock); empty when nothing is due."""
    wave = session.current
    if session.phase == "running":
        if session.deadline is not None and now >= session.deadline and not session.held:
            return _session_out_of_time(session)
    elif session.phase == "ended":
        return []
    if session.guards is not None and (found := guarding.decide(session, session.guards, now)):
        return found
    if wave is None:
        return _between_waves(session)
    if (wave.deadline is not None or session.phase == "stopping") and (found := _stop(session, wave, now)):
        return found
    if session.refusals:
        return limits_due(session, now)
    if (session.overspent or session.forbidden) and (found := budgets.decide(session)):
        return found
    if session.gates_due and (found := _gates(session, now)):
        return found
    if session.judged:
        return judge(session, now)
    if session.held:
        return []
    if session.doomed:
        return _skip(session)
    if (session.ready or session.retries) and (found := _start(session, wave, now)):
        return found
    if session.guards is not None and session.guards.reactions:
        return []  # a wave does not end before what is done about findings has
    if wave.phase == "running" and not wave.unended:
        return [_wave_over(session, wave)]
    if wave.phase == "judged":
        return [_after_wave(session, wave, now)]
    return []


def next_deadline(session: Session) -> float | None:
    """When `decide` may have something to say without any further event; None: never."""
    if session.phase == "ended" or (session.phase == "checking" and session.guards is None):
        return None
    times = [] if session.guards is None else guarding.deadlines(session, session.guards)
    wave = session.current
    if session.phase == "running":
        if session.deadline is not None and not session.held:
            times.append(session.deadline)
        # A repetition that is due while there is no room waits for a run to end, not for a time.
        if (
            not session.held
            and wave is not None
            and (session.retries or session.providers)
            and _room(session, wave) != 0
            and (first := next_start(session)) is not None
        ):
            times.append(first)
        if session.gates_due and not session.held:
            times += [_check_due(session.gates[gate_id]) for gate_id in session.gates_due]
    if wave is None or wave.deadline is None or session.held:
        return min(times) if times else None
    if session.unstopped or wave.idle or session.gates_due:
        times.append(wave.deadline)
    return min(times) if times else None


def _check_due(gate: Gate) -> float:
    return gate.checks[gate.next].retry_at if gate.next < len(gate.checks) else 0.0


# --- begin and end of a session -----------------------------------------------------------------------------------


def _session_out_of_time(session: Session) -> list[ev.Event]:
    limit = format_duration(session.plan.session.timeout or 0)
    return [ev.SessionStopRequested(session.id, f"the session's time limit of {limit}", by="timeout")]


def _between_waves(session: Session) -> list[ev.Event]:
    """No wave is under way: the first or the next one, or the end."""
    if session.phase == "stopping":
        return _end(session, session.stop_outcome, session.reason)
    if session.phase == "checking":
        return _checking(session)
    if session.held or (session.guards is not None and session.guards.reactions):
        return []
    failed = [wave for wave in session.waves[: session.wave + 1] if wave.outcome not in ("passed", "unverified")]
    stop = next((wave for wave in failed if wave.plan.gate.on_failure != "continue"), None)
    if stop is not None:
        outcome = "timed-out" if stop.outcome == "timed-out" else "failed"
        return _end(session, outcome, f"wave {stop.plan.name}: {stop.reason}")
    if session.wave + 1 < len(session.waves):
        if session.guards is not None and not guarding.may_begin(session, session.guards):
            return []
        return [ev.WaveStarted(session.id, session.waves[session.wave + 1].plan.name)]
    if failed:
        reason = "; ".join(f"wave {wave.plan.name}: {wave.reason}" for wave in failed)
        return _end(session, "failed", reason + " (continued, as the plan says)")
    return _end(session, "succeeded", "")


def _checking(session: Session) -> list[ev.Event]:
    if session.checklist_ok is None:
        return []
    wrong = [item.item for item in session.checklist if not item.ok and not item.waived]
    if wrong or not session.checklist_ok:
        return _end(session, "refused", "the checklist failed: " + ", ".join(wrong))
    if session.guards is not None and not guarding.all_looked_at(session, session.guards):
        return []
    return [ev.SessionStarted(session.id)]


def _end(session: Session, outcome: str, reason: str) -> list[ev.Event]:
    """The end, once nothing runs in the background any more."""
    guards = session.guards
    if guards is not None and guards.background:
        why = "the session is over"
        stopping = [name for name in guards.background if session.runs[name].state != "stopping"]
        return [ev.RunStopping(session.id, name, why) for name in stopping]
    ended: list[ev.Event] = [ev.SessionEnded(session.id, outcome, reason)]
    # Of a session that was refused there is nothing to report: nothing was started.
    return [*ended, ev.ReportWriting(session.id)] if session.reported and session.started is not None else ended


def _stop(session: Session, wave: WaveState, now: float) -> list[ev.Event]:
    """Session stopping, or wave out of time: end what runs, and end what has not started."""
    if not (session.unstopped or wave.idle) or wave.phase == "judged":
        return []
    if session.phase == "stopping":
        outcome, reason = session.stop_outcome, session.reason
    elif wave.deadline is not None and now >= wave.deadline and not session.held:
        outcome, reason = "timed-out", f"the wave's time limit of {format_duration(wave.plan.timeout or 0)}"
    else:
        return []
    found: list[ev.Event] = [ev.RunStopping(session.id, run, reason) for run in session.unstopped]
    for key in wave.idle:
        found.append(ev.AssignmentEnded(session.id, key, session.nodes[key].agent.name, outcome, reason))
    return found


def _gates(session: Session, now: float) -> list[ev.Event]:
    return [event for gate_id in session.gates_due for event in next_steps(session, session.gates[gate_id], now)]


# --- starting -----------------------------------------------------------------------------------------------------


def _skip(session: Session) -> list[ev.Event]:
    return [
        ev.AssignmentEnded(session.id, key, session.nodes[key].agent.name, "skipped", why)
        for key, why in session.doomed.items()
    ]


def _room(session: Session, wave: WaveState) -> int | None:
    """How many more agents may start now; None: any number. One at a time means: not before its gate has spoken.

    None at all while files are being brought back.
    """
    if session.guards is not None and guarding.keeps_back(session.guards):
        return 0
    if wave.limit is None:
        return None
    if wave.limit == 1 and session.gates:
        return 0
    return max(wave.limit - session.active_agents, 0)


def _start(session: Session, wave: WaveState, now: float) -> list[ev.Event]:
    """Every ready assignment, all at once within the limit (requirement O3)."""
    if session.phase != "running" or wave.phase != "running":
        return []
    room = _room(session, wave)
    if room == 0:
        return []
    due: list[str]
    if wave.limit == 1:
        # One at a time means: in the order written. An agent between two attempts keeps its turn.
        due = [session.queue[0][1]] if session.queue and not session.retries else []
    else:
        due = list(islice(startable(session, now), room))
    if not due and session.retries and (again := next_again(session, now)) is not None:
        due = [again]
    return [_starting(session, session.nodes[key], wave, now) for key in due]


def _starting(session: Session, node: Node, wave: WaveState, now: float) -> ev.RunStarting:
    timeout, whose = run_limit(session, wave, node.agent.timeout, "agent", now)
    attempt = node.attempt + 1
    return ev.RunStarting(
        session.id,
        run=f"{session.id}/{node.key}#{attempt}",
        wave=wave.plan.name,
        agent=node.agent.name,
        assignment=node.key,
        attempt=attempt,
        tasks=[task.name for task in node.tasks],
        timeout=timeout,
        timeout_of=whose,
        failure=node.failure,
        resume=_resumable(node),
    )


def _resumable(node: Node) -> str:
    """The program's own session that the next run goes on with; "" to begin anew."""
    if not node.agent.resume:
        return ""
    last = next((run for run in reversed(node.runs) if run.outcome != "withdrawn"), None)
    return "" if last is None or lacked_session(last) else last.program_session


# --- waves --------------------------------------------------------------------------------------------------------


def _wave_over(session: Session, wave: WaveState) -> ev.Event:
    """All assignments have ended: the wave's gate, or its verdict where there is nothing to look at."""
    name = wave.plan.name
    if session.phase == "stopping":
        return ev.WaveEnded(session.id, name, session.stop_outcome, session.reason)
    gate_id = f"{session.id}/@{name}#{wave.gate_attempt}"
    if wave.failed:
        return ev.GateEnded(session.id, gate_id, name, "failed", reason=_who_failed(session, wave))
    checks = build_checks(session, wave, None)
    if checks:
        return ev.GateStarted(session.id, gate_id, name, "", [check.name for check in checks])
    verified = all(session.nodes[key].verified for key in wave.keys)
    return ev.GateEnded(session.id, gate_id, name, "passed" if verified else "unverified")


def _who_failed(session: Session, wave: WaveState) -> str:
    named = "; ".join(_short(session.nodes[key]) for key in islice(wave.failed, _NAMED_FAILURES))
    more = len(wave.failed) - _NAMED_FAILURES
    return named + (f"; and {more} more" if more > 0 else "")


def _short(node: Node) -> str:
    first = node.reason.splitlines()[0] if node.reason else ""
    return f"{node.key} {node.outcome}" + (f" ({first})" if first else "")


def _after_wave(session: Session, wave: WaveState, now: float) -> ev.Event:
    """The gate has spoken: go on, retry the wave, or end the session (requirement G3)."""
    name = wave.plan.name
    if session.phase == "stopping":
        return ev.WaveEnded(session.id, name, session.stop_outcome, session.reason)
    assert wave.gate is not None  # noqa: S101 — that it has spoken is what "judged" means
    if wave.gate.verdict != "failed":
        return ev.WaveEnded(session.id, name, wave.gate.verdict)
    policy = wave.plan.gate
    outcome = "timed-out" if wave.deadline is not None and now >= wave.deadline else "failed"
    repeated = wave.gate_attempt - wave.gate_base
    if policy.on_failure == "rollback" and not wave.undone and can_restore(session):
        return undo_wave(session, wave)
    if policy.on_failure == "retry" and repeated <= policy.retries and outcome == "failed":
        again = _to_repeat(session, wave)
        if again:
            return ev.WaveRetried(session.id, name, again, wave.gate_attempt + 1)
    return ev.WaveEnded(session.id, name, outcome, wave.gate.reason)


def _to_repeat(session: Session, wave: WaveState) -> dict[str, str]:
    """Who runs again after a failed gate, and why: who failed, or whom the failed checks blame."""
    if wave.failed:
        nodes = [session.nodes[key] for key in wave.failed]
        if any(node.outcome in ("stopped", "lost") or (node.runs and is_hopeless(node.runs[-1])) for node in nodes):
            return {}
        return {node.key: node.reason if node.outcome != "skipped" else "" for node in nodes}
    if wave.gate is None:
        return {}
    blamed: set[str] = set()
    again: set[str] = set()
    for check in wave.gate.checks:
        if check.ok is False and check.guards:
            again |= _by_guards(session, wave, wave.gate)
        elif check.ok is False:
            names = check.command.agents if check.command is not None else []
            blamed.update(names or (session.nodes[key].agent.name for key in wave.keys))
    why = failure_text(wave.gate)
    return {key: why for key in wave.keys if key in again or session.nodes[key].agent.name in blamed}


def _by_guards(session: Session, wave: WaveState, gate: Gate) -> set[str]:
    """Whose work the guards hold against the wave, and who has built on it since; everybody, where nobody is known."""
    known = against(session, gate)
    if not known or "" in known:
        return set(wave.keys)
    found: set[str] = set()
    stack = list(known)
    while stack:
        key = stack.pop()
        if key not in found and session.nodes[key].wave == wave.index:
            found.add(key)
            stack += session.nodes[key].dependents
    return found or set(wave.keys)
