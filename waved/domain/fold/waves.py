"""How events of waves, gates and checks change a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold import reactions
from waved.domain.gate import build_checks, waits
from waved.domain.readiness import await_verdict, look_at_requirements, reset
from waved.domain.state import Gate, Session, WaveState


def set_wave_deadline(wave: WaveState, time: float) -> None:
    """Give the wave its whole time limit (seconds), from `time` on."""
    wave.deadline = None if wave.plan.timeout is None else time + wave.plan.timeout


def _wave_started(session: Session, event: ev.WaveStarted) -> None:
    session.wave += 1
    wave = session.current = session.waves[session.wave]
    wave.phase = "running"
    wave.started = event.time
    set_wave_deadline(wave, event.time)
    if session.guards is not None:
        wave.base = session.guards.newest
    for key in wave.keys:
        node = session.nodes[key]
        if node.state == "waiting":
            look_at_requirements(session, node)


def _wave_retried(session: Session, event: ev.WaveRetried) -> None:
    wave = session.waves[session.wave]
    wave.phase = "running"
    wave.gate = None
    if event.reaction:
        wave.gate_base += event.gate_attempt - wave.gate_attempt
    wave.gate_attempt = event.gate_attempt
    for key, failure in event.assignments.items():
        session.nodes[key].failure = failure
    reset(session, list(event.assignments))


def _wave_ended(session: Session, event: ev.WaveEnded) -> None:
    wave = session.waves[session.wave]
    session.current = None
    if session.guards is not None:
        session.guards.blamed.clear()
        for patrol in session.guards.patrols.values():
            patrol.failed = ""
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
    if event.files and gate.assignment:
        session.nodes[gate.assignment].produced = event.files
    if not waits(session, gate):
        session.gates_due[gate.id] = None


def _guard_caught_up(session: Session, event: ev.GuardCaughtUp) -> None:
    check = session.gates[event.gate].checks[event.index]
    check.caught_up, check.detail = True, event.error
    if session.guards is not None and not waits(session, session.gates[event.gate]):
        session.gates_due[event.gate] = None


def _gate_ended(session: Session, event: ev.GateEnded) -> None:
    gate = session.gates.pop(event.gate, None)
    session.gates_due.pop(event.gate, None)
    wave = session.waves[session.wave]
    if gate is None:
        gate = Gate(event.gate, wave.index, event.assignment, [])
    gate.state, gate.verdict, gate.reason = "ended", event.verdict, event.reason
    if event.reaction:
        gate.reaction = event.reaction
        reactions.begins_to_end(session, event.reaction)
    if event.assignment:
        await_verdict(session, event.assignment)
    else:
        wave.gate = gate
        wave.phase = "judged"


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.WaveStarted: _wave_started,
    ev.WaveRetried: _wave_retried,
    ev.WaveEnded: _wave_ended,
    ev.GateStarted: _gate_started,
    ev.CheckStarted: _check_started,
    ev.CheckEnded: _check_ended,
    ev.GuardCaughtUp: _guard_caught_up,
    ev.GateEnded: _gate_ended,
}
