"""What a gate consists of, and what follows from its checks (requirements G1–G3, O9)."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.limits import run_limit
from waved.domain.open_findings import against
from waved.domain.state import CheckState, Gate, Node, Run, Session, WaveState
from waved.plan.models import Check, Output

FAILURE_LINES = 40
"""At most this many lines of what failed are told to the next attempt."""


GUARDS = "guards"
"""The name of the check that asks what the monitors of content have found."""


def build_checks(session: Session, wave: WaveState, node: Node | None, ahead: int = 0) -> list[CheckState]:
    """The checks of a wave's gate (`node` None) or of an assignment's own.

    `produces` speaks of the agent as a whole: where an agent has several assignments it is looked at when the last of
    them has run. `ahead` of them are being judged before this one in the same decision. A critical agent goes through
    the wave's commands as soon as it ends (O9). Where content is watched, what the guards found comes first.
    """
    outputs: list[Output] = []
    commands: list[Check] = []
    if node is None:
        outputs = wave.plan.gate.outputs
        commands = wave.plan.gate.commands
    else:
        agent = node.agent
        if agent.produces and session.unchecked_of_agent[agent.name] - ahead == 1:
            outputs = agent.produces
        if agent.gate is not None:
            outputs = [*outputs, *agent.gate.outputs]
            commands = agent.gate.commands
        if agent.critical:
            commands = [*commands, *wave.plan.gate.commands]
    checks = []
    if session.guards is not None and session.guards.watched[wave.index]:
        checks.append(CheckState(GUARDS, guards=True))
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


def was_cut_short(session: Session, gate: Gate) -> str:
    """Why a gate that failed could not be gone through (stopped, out of time); "" where a check did fail."""
    for check in gate.checks:
        run = session.runs.get(check.run)
        if run is not None and run.stop_reason:
            return run.stop_reason
    return "" if any(check.ok is False for check in gate.checks) else gate.reason


def awaits_reports(check: CheckState, run: Run) -> bool:
    """Whether the verdict on an ended command comes from whoever reads its JUnit reports, not from its exit code."""
    return check.command is not None and check.command.junit is not None and run.outcome == "exited"


def next_steps(session: Session, gate: Gate, now: float) -> list[ev.Event]:
    """What is due for a gate in progress: a check to start, a command's verdict, or the gate's own verdict."""
    wave = session.waves[gate.wave]
    if gate.next >= len(gate.checks):
        failed = [check for check in gate.checks if check.ok is False]
        verdict = "failed" if failed else _good_verdict(session, gate)
        return [_gate_ended(session, gate, verdict, failure_text(gate))]
    check = gate.checks[gate.next]
    if check.state == "running":
        return [_guards_verdict(session, gate, check)] if check.guards else _command_verdict(session, gate, check)
    if session.phase == "stopping":
        return [_gate_ended(session, gate, "failed", f"not checked: {session.reason}")]
    if wave.deadline is not None and now >= wave.deadline and not session.held:
        return [_gate_ended(session, gate, "failed", "not checked: the wave's time limit")]
    if session.held or now < check.retry_at:
        return []
    if check.command is None:
        return [ev.CheckStarted(session.id, gate.id, gate.next)]
    timeout, whose = run_limit(session, wave, check.command.timeout, "check", now)
    return [
        ev.RunStarting(
            session.id,
            run=f"{gate.id}.{gate.next}" + (f"-{check.tries}" if check.tries else ""),
            wave=wave.plan.name,
            purpose="check",
            agent=session.nodes[gate.assignment].agent.name if gate.assignment else "",
            gate=gate.id,
            index=gate.next,
            timeout=timeout,
            timeout_of=whose,
        )
    ]


def waits(session: Session, gate: Gate) -> bool:
    """Whether a reaction under way concerns what the gate is about: nothing is checked before it has ended."""
    if session.guards is None:
        return False
    return gate.assignment in session.guards.concerned if gate.assignment else bool(session.guards.reactions)


def _good_verdict(session: Session, gate: Gate) -> str:
    """The guards find what is broken, not whether the work is done: alone they verify nothing."""
    if any(not check.guards for check in gate.checks):
        return "passed"
    verified = not gate.assignment and all(session.nodes[key].verified for key in session.waves[gate.wave].keys)
    return "passed" if verified else "unverified"


def _guards_verdict(session: Session, gate: Gate, check: CheckState) -> ev.CheckEnded:
    wrong = [f"the guards could not judge: {check.detail}"] if check.detail else []
    for text in against(session, gate).values():
        wrong += text
    return ev.CheckEnded(session.id, gate.id, gate.next, not wrong, check.name, "\n".join(wrong))


def _gate_ended(session: Session, gate: Gate, verdict: str, reason: str) -> ev.GateEnded:
    return ev.GateEnded(session.id, gate.id, session.waves[gate.wave].plan.name, verdict, gate.assignment, reason)


def _command_verdict(session: Session, gate: Gate, check: CheckState) -> list[ev.Event]:
    """The verdict of a command that has ended. One that nobody can tell the end of holds the session, as agents do."""
    run = session.runs[check.run]
    why = "" if run.succeeded else run.explanation
    found: list[ev.Event] = [ev.CheckEnded(session.id, gate.id, gate.next, run.succeeded, check.name, why)]
    if run.outcome == "lost" and session.plan.session.on_lost == "hold" and session.phase == "running":
        reason = run.reason or "nobody can say how it ended"
        found.append(ev.SessionHeld(session.id, f"the check {check.name!r} is lost: {reason}"))
    return found
