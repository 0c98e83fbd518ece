"""When each assignment of a plan is expected to run, and what running them together saves (requirements P1, S1).

A simulation of the graph under the plan's own limits: an assignment starts the moment what it requires has ended and
a place is free, in the order written; a wave starts when the one before it has ended. Gates are taken to cost nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from waved.plan.graph import Assignment, Graph, build
from waved.plan.models import Agent, Plan, Task, Wave

ASSUMED = 300.0
"""Seconds an assignment is taken to need when the plan says nothing about it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One assignment in time, in seconds from the session's start. `basis`: expect, timeout (half of it), assumed."""

    assignment: str
    wave: int
    start: float
    end: float
    basis: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A plan's expected course: as it will run, and with one assignment after another."""

    bars: tuple[Bar, ...]
    one_by_one: tuple[Bar, ...]

    @property
    def parallel(self) -> float:
        """Seconds the plan is expected to take."""
        return max((bar.end for bar in self.bars), default=0.0)

    @property
    def sequential(self) -> float:
        """Seconds it would take with one assignment after another."""
        return sum(bar.end - bar.start for bar in self.bars)

    @property
    def saved(self) -> float:
        """The share of the sequential time that is saved, 0 to 1."""
        return 1 - self.parallel / self.sequential if self.sequential else 0.0


def expected(plan: Plan) -> Timeline:
    """The timeline of a plan that `waved.plan.validate` finds nothing wrong with."""
    graph = build(plan)
    start = 0.0
    bars: list[Bar] = []
    for index, keys in enumerate(graph.waves):
        bars += _wave_bars(plan, graph, index, start)
        start = max((bar.end for bar in bars[-len(keys) :]), default=start)
    return Timeline(tuple(bars), _chained(bars))


def places(plan: Plan, wave: Wave) -> int:
    """How many assignments of a wave may run at once; 0: no limit."""
    if not plan.session.parallel or not wave.parallel:
        return 1
    return plan.session.max_parallel


def _lengths(wave: Wave, assignments: Sequence[Assignment]) -> dict[str, tuple[float, str]]:
    """Seconds each assignment is expected to take, and what that rests on: "expect", "timeout" or "assumed"."""
    agents = {agent.name: agent for agent in wave.agents}
    tasks = {task.name: task for task in wave.tasks}
    lengths = {}
    for assignment in assignments:
        agent = agents[assignment.agent]
        stated = _stated(agent, [tasks[name] for name in assignment.tasks])
        limit = agent.timeout or wave.timeout
        if stated is not None:
            lengths[assignment.key] = (stated, "expect")
        else:
            lengths[assignment.key] = (limit / 2, "timeout") if limit else (ASSUMED, "assumed")
    return lengths


def _stated(agent: Agent, tasks: Sequence[Task]) -> float | None:
    of_tasks = [task.expect for task in tasks if task.expect is not None]
    if tasks and len(of_tasks) == len(tasks):
        return sum(of_tasks)
    return agent.expect


def _wave_bars(plan: Plan, graph: Graph, index: int, start: float) -> list[Bar]:
    """The wave's bars in the order written."""
    wave = plan.waves[index]
    keys = graph.waves[index]
    order = {key: number for number, key in enumerate(keys)}
    lengths = _lengths(wave, [graph.assignments[key] for key in keys])
    missing = {key: {name for name in graph.assignments[key].requires if name in order} for key in keys}
    dependents: dict[str, list[str]] = {}
    for key, names in missing.items():
        for name in names:
            dependents.setdefault(name, []).append(key)
    ready = [order[key] for key in keys if not missing[key]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    limit = places(plan, wave) or len(keys)
    bars: dict[str, Bar] = {}
    now = start
    while ready or running:
        while ready and len(running) < limit:
            number = heapq.heappop(ready)
            key = keys[number]
            seconds, basis = lengths[key]
            bars[key] = Bar(key, index, now, now + seconds, basis)
            heapq.heappush(running, (now + seconds, number))
        now, ended = heapq.heappop(running)
        for key in dependents.get(keys[ended], ()):
            missing[key].discard(keys[ended])
            if not missing[key]:
                heapq.heappush(ready, order[key])
    return [bars[key] for key in keys if key in bars]


def _chained(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """The same bars, each starting when the one before it has ended."""
    chained: list[Bar] = []
    at = 0.0
    for bar in sorted(bars, key=lambda each: (each.wave, each.start)):
        seconds = bar.end - bar.start
        chained.append(Bar(bar.assignment, bar.wave, at, at + seconds, bar.basis))
        at += seconds
    return tuple(chained)
