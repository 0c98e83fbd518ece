"""What holds agents in: items of the checklist that say how limits of resources are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from waved.plan.limits import resources_of
from waved.plan.models import Agent, Plan


@dataclass(frozen=True, slots=True)
class Kept:
    """Which limits of `resources` control groups keep on this machine, and why not all."""

    by_groups: frozenset[str] = frozenset()
    problem: str = ""


def agents_of(plan: Plan) -> Iterator[Agent]:
    """All agents, responders included."""
    for wave in plan.waves:
        yield from wave.agents
    yield from plan.responders


def limits_of(plan: Plan) -> list[str]:
    """The limits of resources that a plan sets anywhere, by name."""
    found: dict[str, None] = {}
    for agent in agents_of(plan):
        found |= dict.fromkeys(resources_of(plan.session.resources, agent.resources))
    return list(found)


def how_kept(plan: Plan, kept: Kept) -> str:
    """How each limit of a plan is kept, for a person: "memory, cpu: by control groups"."""
    wanted = limits_of(plan)
    told = []
    if by_groups := [name for name in wanted if name in kept.by_groups]:
        told.append(f"{', '.join(by_groups)}: by control groups")
    if "memory" in wanted and "memory" not in kept.by_groups:
        told.append("memory: by a look at each run once a second")
    if others := [name for name in wanted if name not in kept.by_groups and name != "memory"]:
        told.append(f"{', '.join(others)}: NOT kept")
    if kept.problem and len(by_groups) < len(wanted):
        told.append(kept.problem)
    return "; ".join(told)
