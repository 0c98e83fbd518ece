"""Requirement P2: what a plan runs together though one depends on the other, or both change the same paths."""

from __future__ import annotations

from collections.abc import Iterator

from waved.plan import timeline
from waved.plan.advice import Advice
from waved.plan.graph import Graph, build
from waved.plan.mentions import Scope, named, neighbours, overlapping, scopes
from waved.plan.models import Plan
from waved.plan.order import Order


def advice(plan: Plan) -> Iterator[Advice]:
    """All such advice."""
    graph = build(plan)
    for index in range(len(plan.waves)):
        yield from _of_wave(plan, graph, index)


def _of_wave(plan: Plan, graph: Graph, index: int) -> Iterator[Advice]:
    wave = plan.waves[index]
    if timeline.places(plan, wave) == 1:
        return
    order = Order(graph, index)
    for one, other in neighbours(scopes(plan, wave)):
        if order.may_meet(one.agent, other.agent):
            if other.position < one.position:
                yield from _shared_paths(index, one, other)
            yield from _reads_unfinished(index, one, other)


def _shared_paths(index: int, one: Scope, other: Scope) -> Iterator[Advice]:
    both = overlapping(one.owns, other.owns)
    if both is not None:
        first, second = both
        what = f'own "{first}"' if first == second else f'own overlapping paths: "{second}" and "{first}"'
        message = f'"{other.agent.name}" and "{one.agent.name}" run at the same time and both {what}'
        hint = f'divide the paths, or add needs = ["{other.agent.name}"]'
        yield Advice(("wave", index, "agent", one.position, "owns"), "shared-paths", message, hint)


def _reads_unfinished(index: int, reader: Scope, writer: Scope) -> Iterator[Advice]:
    for patterns, verb in ((writer.produces, "produces"), (writer.owns, "changes")):
        path = named(reader, patterns)
        if path is not None and not overlapping([path], reader.declared):
            message = f'"{reader.agent.name}" names {path}, which "{writer.agent.name}" {verb} at the same time'
            hint = f'add needs = ["{writer.agent.name}"], or move it to a later wave'
            yield Advice(("wave", index, "agent", reader.position), "reads-unfinished", message, hint)
            return
