"""Which step is taken for a finding, and whom it concerns (requirements M8, R2, R3; docs/architecture.md, "Ladders").

How a step that is taken goes on: `waved.domain.carrying_out`.
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.open_findings import described
from waved.domain.state import Node, Session, WaveState
from waved.domain.state_guards import Finding, Guards, key_of
from waved.domain.telling import alerts
from waved.plan import globs

GIVE_UP = "give-up"
"""The action of a ladder that is used up: the assignment has failed."""
_LIVE = ("starting", "running", "checking")


def can_restore(session: Session) -> bool:
    """Whether there is anything to go back to."""
    return session.guards is not None and session.plan.snapshots.enabled and bool(session.guards.newest)


def climb(session: Session, guards: Guards, found: Finding, now: float) -> list[ev.Event]:
    """The step of its ladder that a finding calls for, begun; and who is told."""
    steps = ladders.steps_of(session.plan, found.monitor)
    ladder = guards.ladders.get(key_of(found.monitor, found.subject))
    rung = ladders.next_rung(ladder, steps)
    responder = ""
    if rung < len(steps):
        actions: list[str] = [*steps[rung].do]
        responder = steps[rung].agent or "" if "start-agent" in actions else ""
    else:
        actions = _used_up(session, found, again=ladder is not None and ladder.step == rung)
        if ladder is not None and ladder.restored:
            actions.append("rollback-file" if found.path else "rollback-agent")
    started = _started(session, guards, found, actions, rung, responder)
    return [started, *alerts(session, found, started, now)]


def _used_up(session: Session, found: Finding, *, again: bool) -> list[str]:
    """What follows the last step: its agent has failed. Where nobody is known, or only the files are left, a person."""
    if _live(session, found.assignment) is not None:
        return [GIVE_UP]
    return ["hold"] if again or not found.assignment else [GIVE_UP]


def _started(
    session: Session, guards: Guards, found: Finding, actions: list[str], rung: int, responder: str
) -> ev.ReactionStarted:
    scope = _scope(session, found, actions)
    node = _live(session, found.assignment)
    assignments: list[str] = []
    if scope == "wave" or "stop-all" in actions:
        assignments = _all_live(session)
    elif node is not None and {"restart-agent", GIVE_UP} & set(actions):
        assignments = [node.key]
    return ev.ReactionStarted(
        session.id,
        reaction=f"r{guards.reacted + 1}",
        actions=actions,
        finding=found.id,
        monitor=found.monitor,
        subject=found.subject,
        step=rung,
        runs=_concerned(session, found, scope) if scope or "hold" in actions else [],
        scope=scope,
        paths=[found.path] if scope == "file" else [],
        assignments=assignments,
        responder=responder,
        reason=described(found),
    )


def _scope(session: Session, found: Finding, actions: list[str]) -> str:
    """What is restored. Where no agent is known, or no wave goes on, at least the file is."""
    if "rollback-wave" in actions and session.current is not None:
        return "wave"
    if "rollback-agent" in actions and found.assignment and session.nodes[found.assignment].runs:
        return "agent"
    wanted = {"rollback-file", "rollback-agent", "rollback-wave"} & set(actions)
    return "file" if wanted and found.path else ""


def _live(session: Session, assignment: str) -> Node | None:
    """The assignment, if an attempt of it goes on: its run, or its own gate."""
    node = session.nodes.get(assignment)
    return node if node is not None and node.state in _LIVE else None


def _all_live(session: Session) -> list[str]:
    wave = session.current
    return [key for key in wave.keys if session.nodes[key].state in _LIVE] if wave is not None else []


def _concerned(session: Session, found: Finding, scope: str) -> list[str]:
    """The runs that stand still meanwhile: the writer's, else all that may write the path. (Those that are being ended
    need not be made to, but are waited for.)
    """
    writers = [run for run in session.active.values() if run.purpose in ("agent", "responder")]
    if scope != "wave":
        if found.run in session.active:
            return [run.id for run in writers if run.id == found.run]
        if found.assignment:
            return [run.id for run in writers if run.assignment == found.assignment]
        if found.path:
            return [run.id for run in writers if may_write(session, run.assignment, found.path)]
    return [run.id for run in writers]


def may_write(session: Session, assignment: str, path: str) -> bool:
    """Whether an agent may write a path as far as the plan tells: it owns it, or owns nothing in particular."""
    node = session.nodes.get(assignment)
    owned = node.agent.owns if node is not None else []
    return not owned or any(globs.matches(pattern, path) for pattern in owned)


# --- what the plan's policies ask for ---------------------------------------------------------------------------


def undo_attempt(session: Session, node: Node, why: str) -> ev.ReactionStarted:
    """What a failed attempt changed goes back to what it was before it began (requirement G4)."""
    return ev.ReactionStarted(
        session.id,
        reaction=f"r{_guards(session).reacted + 1}",
        actions=["rollback-agent"],
        scope="agent",
        assignments=[node.key],
        reason=why,
        cause="attempt",
    )


def undo_wave(session: Session, wave: WaveState) -> ev.ReactionStarted:
    """What a wave changed whose gate failed goes back to what it was before the wave (requirement G3)."""
    reason = wave.gate.reason if wave.gate is not None else ""
    return ev.ReactionStarted(
        session.id,
        reaction=f"r{_guards(session).reacted + 1}",
        actions=["rollback-wave"],
        scope="wave",
        reason=f"the gate of wave {wave.plan.name} failed: {reason}",
        cause="gate",
    )


def _guards(session: Session) -> Guards:
    if session.guards is None:
        raise ValueError(f"session {session.id} has no guards")
    return session.guards
