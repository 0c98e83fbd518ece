"""Who may start: which assignments are ready, doomed or still waiting. A part of `waved.domain.fold`."""

from __future__ import annotations

import heapq

from waved.domain.state import Node, OrderedSet, Session
from waved.domain.state_guards import Guards


def make_ready(session: Session, node: Node) -> None:
    """All it requires has succeeded: it may start as soon as there is room."""
    node.state = "ready"
    session.ready[node.key] = None
    if session.waves[node.wave].limit == 1:
        heapq.heappush(session.queue, (node.order, node.key))


def forget_stale(session: Session) -> None:
    """Keep the first entry of each heap true: what it names still waits for that."""
    nodes = session.nodes
    while session.queue and nodes[session.queue[0][1]].state != "ready":
        heapq.heappop(session.queue)
    while session.retries and not still_backs_off(session, *session.retries[0]):
        heapq.heappop(session.retries)


def still_backs_off(session: Session, at: float, key: str) -> bool:
    """Whether an entry of `session.retries` is true: what it names still waits for that time."""
    node = session.nodes[key]
    return node.state == "backing-off" and node.retry_at == at


def look_at_requirements(session: Session, node: Node) -> None:
    """Put a waiting node of the present wave where it belongs: ready, doomed, or on waiting."""
    for key in node.requires:
        required = session.nodes[key]
        if required.state == "ended" and required.outcome != "succeeded":
            session.doomed[node.key] = f"{key} {required.outcome}"
            return
    session.doomed.pop(node.key, None)
    if node.waiting_for == 0:
        make_ready(session, node)


def await_verdict(session: Session, key: str) -> None:
    """An assignment's run or gate has ended: its verdict is due, unless a reaction to a finding concerns it."""
    if session.guards is None or key not in session.guards.concerned:
        session.judged[key] = None


def _forget_reactions(guards: Guards, key: str) -> None:
    """It begins anew: what a reaction was to do with its last attempt no longer matters."""
    for marks in (guards.again, guards.given_up, guards.blamed):
        marks.pop(key, None)
    for name in guards.concerned.pop(key, ()):
        reaction = guards.reactions[name]
        reaction.concerns.remove(key)
        if key in reaction.assignments:
            reaction.assignments.remove(key)


def reset(session: Session, keys: list[str]) -> None:
    """Make ended assignments wait again, and let those of the present wave look at their requirements."""
    looking: OrderedSet = {}
    for key in keys:
        node = session.nodes[key]
        wave = session.waves[node.wave]
        looking[key] = None
        looking.update(dict.fromkeys(node.dependents))
        if node.outcome == "succeeded":
            for dependent in node.dependents:
                session.nodes[dependent].waiting_for += 1
        wave.unended += 1
        wave.failed.pop(key, None)
        wave.idle[key] = None
        session.unchecked_of_agent[node.agent.name] += 1
        node.state, node.outcome, node.reason, node.verified, node.gate = "waiting", "", "", False, None
        node.ended = None
        node.base, node.withdrawn = node.attempt, 0
        if session.guards is not None:
            _forget_reactions(session.guards, key)
    for key in looking:
        node = session.nodes[key]
        if node.wave == session.wave and node.state == "waiting":
            look_at_requirements(session, node)
