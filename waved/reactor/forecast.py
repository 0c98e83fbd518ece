"""Which assignments are likely to start next, so that workers can make them ready while others still run.

Only a forecast: nothing is exec'ed by it, and a run whose spec turns out different is made ready anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from waved.domain.state import Node, Session

AHEAD = 12
"""Runs of a session that are made ready ahead at most; each costs a sleeping worker."""


def first_of_wave(session: Session, index: int) -> list[Node]:
    """Those that start with the wave: they require nothing of it. No more than may run at once."""
    if index >= len(session.waves):
        return []
    wave = session.waves[index]
    here = set(wave.keys)
    first = (session.nodes[key] for key in wave.keys if not here.intersection(session.nodes[key].requires))
    return list(islice(first, wave.limit))


def most_to_follow(session: Session) -> int:
    """How many runs may start at once when those of the present wave that have begun are over: of the same wave, or
    with the next.
    """
    wave = session.current
    if wave is None:
        return 0
    waiting = len(wave.keys) - len(first_of_wave(session, wave.index))
    here = waiting if wave.limit is None else min(waiting, wave.limit)
    return max(here, len(first_of_wave(session, wave.index + 1)))


def after(session: Session, started: Iterable[str]) -> list[Node]:
    """What follows these assignments, if all that runs now succeeds; and what only waits for room."""
    found: dict[str, Node] = {key: session.nodes[key] for key in islice(session.ready, AHEAD)}
    for key in started:
        for dependent in session.nodes[key].dependents:
            if len(found) >= AHEAD:
                return list(found.values())
            node = session.nodes[dependent]
            if node.wave == session.wave and node.state == "waiting" and all(map(_hopeful, _required(session, node))):
                found[dependent] = node
    return list(found.values())


def _required(session: Session, node: Node) -> list[Node]:
    return [session.nodes[key] for key in node.requires]


def _hopeful(node: Node) -> bool:
    return node.outcome == "succeeded" or node.state in ("starting", "running", "checking")
