"""What a gate consists of, and what follows from its checks (requirements G1–G3, O9)."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.state import CheckState, Gate, Node, Session, WaveState
from waved.plan.models import Check, Output

FAILURE_LINES = 40
"""At most this many lines of what failed are told to the next attempt."""


def build_checks(session: Session, wave: WaveState, node: Node | None) -> list[CheckState]:
    """The checks of a wave's gate (`node` None) or of an assignment's own.

    `produces` speaks of the agent as a whole: where an agent has several assignments it is looked at when the last of
    them ends. A critical agent goes through the wave's commands as soon as it ends (O9).
    """
    outputs: list[Output] = []
    commands: list[Check] = []
    if node is None:
        outputs = wave.plan.gate.outputs
        commands = wave.plan.gate.commands
    else:
        if session.unended_of_agent[node.agent.name] == 1:
            outputs = node.agent.produces
        if node.agent.gate is not None:
            outputs = [*outputs, *node.agent.gate.outputs]
            commands = node.agent.gate.commands
        if node.agent.critical:
            commands = [*commands, *wave.plan.gate.commands]
    checks = []
    if outputs:
        checks.append(CheckState("outputs " + ", ".join(output.path for output in outputs), outputs=list(outputs)))
    checks += [CheckState(check.label, command=check) for check in commands]
    return checks


def failure_text(gate: Gate) -> str:
    """What of a gate failed, in words for a person and for the next attempt's prompt."""
    parts = []
    for check in gate.checks:
        if check.ok is False:
            lines = check.detail.splitlines()
            shown = "\n".join(lines[-FAILURE_LINES:])
            parts.append(f"{check.name}: {shown}" if shown else check.name)
    return "\n".join(parts)


def next_step(session: Session, gate: Gate, now: float) -> ev.Event | None:
    """What is due for a gate in progress: a check to start, a command's verdict, or the gate's own verdict."""
    wave = session.waves[gate.wave]
    if gate.next >= len(gate.checks):
        failed = [check for check in gate.checks if check.ok is False]
        verdict = "failed" if failed else ("passed" if gate.checks else "unverified")
        return ev.GateEnded(session.id, gate.id, wave.plan.name, verdict, gate.assignment, failure_text(gate))
    check = gate.checks[gate.next]
    if check.state == "running":
        return _command_verdict(session, gate, check)
    if session.phase == "stopping" or _expired(wave, now):
        name = session.reason if session.phase == "stopping" else "the wave's time limit"
        return ev.GateEnded(session.id, gate.id, wave.plan.name, "failed", gate.assignment, f"not checked: {name}")
    if check.command is None:
        return ev.CheckStarted(session.id, gate.id, gate.next)
    return ev.RunStarting(
        session.id,
        run=f"{gate.id}.{gate.next}" + (f"-{check.tries}" if check.tries else ""),
        wave=wave.plan.name,
        purpose="check",
        agent=session.nodes[gate.assignment].agent.name if gate.assignment else "",
        gate=gate.id,
        index=gate.next,
        timeout=check.command.timeout,
        timeout_of="check",
    )


def _expired(wave: WaveState, now: float) -> bool:
    return wave.deadline is not None and now >= wave.deadline


def _command_verdict(session: Session, gate: Gate, check: CheckState) -> ev.Event | None:
    """The verdict of a command without JUnit reports; with them, whoever reads the reports reports the verdict."""
    run = session.runs.get(check.run)
    if run is None or run.state != "ended" or check.command is None:
        return None
    if check.command.junit is not None and run.outcome == "exited":
        return None
    return ev.CheckEnded(
        session.id, gate.id, gate.next, run.succeeded, check.name, "" if run.succeeded else run.explanation
    )
