"""Which agents of a wave can run at the same time."""

from __future__ import annotations

from waved.plan.graph import Graph
from waved.plan.models import Agent


class Order:
    """What has ended when an assignment of one wave starts. The graph must be free of cycles."""

    def __init__(self, graph: Graph, wave: int) -> None:
        self._keys: dict[str, list[str]] = {}
        for key in graph.waves[wave]:
            self._keys.setdefault(graph.assignments[key].agent, []).append(key)
        self._before = _ancestors(graph, wave)

    def may_meet(self, one: Agent, other: Agent) -> bool:
        """Whether some of both agents' work can run at the same time."""
        return any(
            first not in self._before[second] and second not in self._before[first]
            for first in self._of(one)
            for second in self._of(other)
        )

    def _of(self, agent: Agent) -> list[str]:
        return self._keys.get(agent.name, [])


def _ancestors(graph: Graph, wave: int) -> dict[str, frozenset[str]]:
    """All assignments that have ended when one starts, by assignment, within one wave."""
    here = set(graph.waves[wave])
    found: dict[str, frozenset[str]] = {}
    pending = list(graph.waves[wave])
    while pending:
        key = pending[-1]
        if key in found:
            pending.pop()
            continue
        needed = [name for name in graph.assignments[key].requires if name in here]
        missing = [name for name in needed if name not in found]
        if missing:
            pending += missing
        else:
            found[key] = frozenset(needed).union(*(found[name] for name in needed))
            pending.pop()
    return found
