"""What a person may ask of a session, as events: stop, retry, resume, freeze, thaw. Refused with a reason when it makes
no sense.
"""

from __future__ import annotations

from collections.abc import Sequence

from waved.domain import events as ev
from waved.domain.state import Node, Run, Session
from waved.domain.state_guards import PERSON, Guards
from waved.errors import ConflictError, NotFoundError


def stop(session: Session, agent: str = "", reason: str = "", by: str = "") -> list[ev.Event]:
    """End the session, or one agent of it. Raises ConflictError when there is nothing to stop."""
    why = reason or (f"stopped by {by}" if by else "stopped")
    if session.phase == "ended":
        raise ConflictError(f"session {session.id} has ended ({session.outcome})")
    if not agent:
        if session.phase == "stopping":
            return []
        return [ev.SessionStopRequested(session.id, why, by)]
    nodes = _nodes_of(session, [agent])
    wave = session.current
    here = {node.key: node for node in nodes if wave is not None and node.wave == wave.index and node.state != "ended"}
    gates = {node.gate.id for node in here.values() if node.gate is not None}
    runs = [run for run in session.active.values() if run.assignment in here or run.gate in gates]
    found: list[ev.Event] = [ev.RunStopping(session.id, run.id, why) for run in runs if run.id in session.unstopped]
    found += [
        ev.AssignmentEnded(session.id, key, node.agent.name, "stopped", why)
        for key, node in here.items()
        if node.state in ("waiting", "ready", "backing-off")
    ]
    found += [
        ev.AssignmentEnded(session.id, key, node.agent.name, "stopped", why)
        for key, node in here.items()
        if session.guards is not None and key in session.guards.concerned and _has_ended(session, node)
    ]
    if not found and not runs:
        hint = "its files are being looked at" if here else ""
        raise ConflictError(f"nothing of agent {agent} is running in session {session.id}", hint)
    return found


def retry(session: Session, agents: Sequence[str] = (), by: str = "") -> list[ev.Event]:
    """Run again what did not succeed (all of it, or only these agents), and whatever was skipped because of it.

    Raises ConflictError when nothing can be repeated: no failure, or its wave is over while the session goes on.
    """
    chosen = _nodes_of(session, agents) if agents else list(session.nodes.values())
    failed = [node for node in chosen if node.state == "ended" and node.outcome != "succeeded"]
    if session.phase == "stopping":
        raise ConflictError(f"session {session.id} is being stopped", "wait until it has ended, then retry")
    if session.phase != "ended":
        failed = [node for node in failed if node.wave == session.wave]
    if not failed and session.phase == "ended" and not agents:
        failed = _blamed_by_gate(session)
    if not failed:
        raise ConflictError(
            f"nothing to retry in session {session.id}",
            "agents that failed, were skipped, stopped or lost can be retried: in the present wave, or after the end",
        )
    first = min(node.wave for node in failed)
    wave = session.waves[first]
    if session.phase != "ended" and wave.phase != "running":
        raise ConflictError(f"wave {wave.plan.name} is at its gate", "wait for its verdict")
    again = {node.key: None for node in failed if node.wave == first}
    again.update(_skipped_after(session, again, first))
    return [ev.SessionRetried(session.id, list(again), by)]


def resume(session: Session, by: str = "") -> list[ev.Event]:
    """Let a held session go on. Raises ConflictError when it is not held."""
    if not session.held:
        raise ConflictError(f"session {session.id} is not held")
    return [ev.SessionResumed(session.id, by)]


def freeze(session: Session, agents: Sequence[str] = (), by: str = "") -> list[ev.Event]:
    """Have the runs of these agents (of all, if none are named) stand still until they are thawed.

    Raises ConflictError when nothing of them runs, or all of it stands still for a person already.
    """
    guards = _running(session)
    runs = [run for run in _runs_of(session, agents) if not run.stop_reason]
    if not runs:
        raise ConflictError(_nothing_of(session, agents, "is running"))
    fresh = [run for run in runs if run.id not in guards.frozen or PERSON not in guards.frozen[run.id].holders]
    if not fresh:
        raise ConflictError("that is frozen already", "`wavectl thaw` lets it go on")
    return [ev.RunFreezeRequested(session.id, run.id, by) for run in fresh]


def thaw(session: Session, agents: Sequence[str] = (), by: str = "") -> list[ev.Event]:
    """Let what a person has frozen go on (all of it, if no agents are named).

    Raises ConflictError when no person has frozen anything of them: what reactions freeze, they thaw.
    """
    guards = _running(session)
    still = [run for run in _runs_of(session, agents) if run.id in guards.frozen]
    frozen = [run for run in still if PERSON in guards.frozen[run.id].holders]
    if not frozen:
        holders = ", ".join(name for run in still for name in guards.frozen[run.id].holders)
        hint = f"it stands still for {holders}: see `wavectl status`, then approve or resume" if holders else ""
        raise ConflictError(_nothing_of(session, agents, "was frozen by a person"), hint)
    return [ev.RunThawRequested(session.id, run.id, by) for run in frozen]


def _running(session: Session) -> Guards:
    if session.guards is None:
        raise ConflictError(f"session {session.id} is not guarded", "it was begun by a waved without guards")
    if session.phase != "running":
        raise ConflictError(f"session {session.id} is {session.phase}", "only what runs can be frozen")
    return session.guards


def _runs_of(session: Session, agents: Sequence[str]) -> list[Run]:
    keys = {node.key for node in _nodes_of(session, agents)} if agents else set(session.nodes)
    return [run for run in session.active.values() if run.purpose == "agent" and run.assignment in keys]


def _nothing_of(session: Session, agents: Sequence[str], what: str) -> str:
    return f"nothing of {', '.join(agents) or 'any agent'} {what} in session {session.id}"


def _has_ended(session: Session, node: Node) -> bool:
    """Whether nothing of it runs any more, and only its verdict waits for what is done about a finding."""
    return node.state == "checking" and node.gate is None and node.runs[-1].id not in session.active


def _nodes_of(session: Session, names: Sequence[str]) -> list[Node]:
    """Assignments by agent name or assignment key; raises NotFoundError for a name that is neither."""
    found: dict[str, Node] = {}
    for name in names:
        matching = [node for node in session.nodes.values() if name in (node.key, node.agent.name)]
        if not matching:
            known = ", ".join(dict.fromkeys(node.agent.name for node in session.nodes.values()))
            raise NotFoundError(f"no agent {name!r} in session {session.id}", f"its agents: {known}")
        found.update({node.key: node for node in matching})
    return list(found.values())


def _blamed_by_gate(session: Session) -> list[Node]:
    """The assignments of the wave whose gate failed although every agent succeeded."""
    for wave in session.waves:
        if wave.outcome not in ("passed", "unverified", ""):
            return [session.nodes[key] for key in wave.keys]
    return []


def _skipped_after(session: Session, again: dict[str, None], wave: int) -> dict[str, None]:
    """What was skipped because of these, directly or through others, in the same wave."""
    found: dict[str, None] = {}
    stack = list(again)
    while stack:
        for key in session.nodes[stack.pop()].dependents:
            node = session.nodes[key]
            if node.wave == wave and node.outcome == "skipped" and key not in found:
                found[key] = None
                stack.append(key)
    return found
