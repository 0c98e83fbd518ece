"""Random plans that `waved.plan.graph` finds nothing wrong with: waves, graphs, gates, limits, policies."""

from __future__ import annotations

from random import Random
from typing import Any

from random_guards import add_guards

from waved.plan import graph
from waved.plan.models import Plan

ON_FAILURE = ("retry", "continue", "stop")


def random_plan(rng: Random, *, guarded: bool = False) -> Plan:
    """A plan of one to three waves with one to five agents each; with monitors, ladders and a preview if guarded."""
    while True:
        written = _plan(rng)
        if guarded:
            add_guards(rng, written)
        plan = Plan.model_validate(written)
        if not graph.problems(plan):
            return plan


def _plan(rng: Random) -> dict[str, Any]:
    settings: dict[str, Any] = {"name": "sim", "on_lost": rng.choice(("hold", "retry", "fail"))}
    if rng.random() < 0.25:
        settings["max_parallel"] = rng.randint(1, 4)
    if rng.random() < 0.1:
        settings["parallel"] = False
    if rng.random() < 0.15:
        settings["timeout"] = rng.uniform(5, 200)
    agents: list[str] = []
    tasks: list[str] = []
    waves = [_wave(rng, index, agents, tasks) for index in range(rng.randint(1, 3))]
    return {"session": settings, "wave": waves}


def _wave(rng: Random, index: int, agents: list[str], tasks: list[str]) -> dict[str, Any]:
    """`agents` and `tasks`: the names of the waves before; those of this one are added."""
    here = [f"w{index}a{number}" for number in range(rng.randint(1, 5))]
    wave: dict[str, Any] = {"name": f"wave{index}", "agent": [], "task": []}
    if rng.random() < 0.15:
        wave["timeout"] = rng.uniform(2, 80)
    if rng.random() < 0.15:
        wave["parallel"] = False
    if rng.random() < 0.5:
        wave["gate"] = _gate(rng, here)
    for number, name in enumerate(here):
        wave["agent"].append(_agent(rng, name, [*agents, *here[:number]]))
    domains = [agent["domain"] for agent in wave["agent"]]
    for number in range(rng.choice((0, 0, 3, 6))):
        name = f"w{index}t{number}"
        task: dict[str, Any] = {"name": name, "requires": _some(rng, tasks, 0.25)}
        task["domain" if rng.random() < 0.7 else "agent"] = ""
        task = {**task, **({"domain": rng.choice(domains)} if "domain" in task else {"agent": rng.choice(here)})}
        wave["task"].append(task)
        tasks.append(name)
    agents += here
    return wave


def _agent(rng: Random, name: str, before: list[str]) -> dict[str, Any]:
    agent: dict[str, Any] = {"name": name, "command": ["true"], "domain": rng.choice(("api", "web"))}
    if rng.random() < 0.4:
        agent["needs"] = _some(rng, before, 0.3)
    if rng.random() < 0.3:
        agent["produces"] = [f"docs/{name}.md"]
    if rng.random() < 0.3:
        agent["gate"] = _gate(rng, [name])
    if rng.random() < 0.2:
        agent["critical"] = True
    if rng.random() < 0.2:
        agent["timeout"] = rng.uniform(0.5, 30)
    if rng.random() < 0.4:
        agent["retries"] = rng.randint(1, 3)
        agent["backoff"] = rng.choice((0.1, 1.0, 7.3))
    return agent


def _gate(rng: Random, agents: list[str]) -> dict[str, Any]:
    gate: dict[str, Any] = {"on_failure": rng.choice(ON_FAILURE), "retries": rng.randint(0, 2)}
    if rng.random() < 0.4:
        gate["outputs"] = ["docs/*.md"]
    commands: list[dict[str, Any]] = []
    for number in range(rng.choice((0, 1, 1, 2))):
        command: dict[str, Any] = {"run": ["check"], "name": f"check {number}", "timeout": rng.choice((3.0, 600.0))}
        if rng.random() < 0.3:
            command["junit"] = "report.xml"
        if rng.random() < 0.3:
            command["agents"] = [rng.choice(agents)]
        commands.append(command)
    return {**gate, "commands": commands}


def _some(rng: Random, names: list[str], share: float) -> list[str]:
    return [name for name in names if rng.random() < share][:4]
