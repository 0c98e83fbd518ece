"""What depends on what: a plan's tasks grouped onto agents, and the graph of the resulting assignments (O4).

An *assignment* is the unit that is scheduled: an agent with the tasks it gets at once. Each deployment of an
assignment is a run (attempt 1, 2, …). An agent without tasks is one assignment named as the agent. An agent with
tasks gets all its independent tasks (those that require nothing of the same wave) in one assignment named as the
agent, and each dependent task as an assignment `agent/task`, which starts the moment its requirements have succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from waved.plan.locate import KeyPath
from waved.plan.models import Check, Plan, Task, Wave
from waved.plan.near import near


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a plan: where, what, and what to do."""

    where: KeyPath
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An agent with the tasks it gets at once; `requires` names assignments of the same or an earlier wave."""

    key: str
    wave: int
    agent: str
    tasks: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(slots=True)
class Graph:
    """All assignments of a plan, in the order they are written, by key; and the same by wave."""

    assignments: dict[str, Assignment] = field(default_factory=dict)
    waves: list[list[str]] = field(default_factory=list)


def spread_tasks(wave: Wave) -> dict[str, str]:
    """Agent by task name: the task's `agent`, else its domain's agents in turn. Tasks nobody can take are left out."""
    by_domain: dict[str, list[str]] = {}
    names = {agent.name for agent in wave.agents}
    for agent in wave.agents:
        if agent.domain:
            by_domain.setdefault(agent.domain, []).append(agent.name)
    turn: dict[str, int] = {}
    taken: dict[str, str] = {}
    for task in wave.tasks:
        if task.agent is not None:
            if task.agent in names:
                taken[task.name] = task.agent
        elif task.domain in by_domain:
            takers = by_domain[task.domain]
            index = turn.get(task.domain, 0)
            turn[task.domain] = index + 1
            taken[task.name] = takers[index % len(takers)]
    return taken


def _group(wave: Wave, index: int) -> tuple[list[Assignment], dict[str, str]]:
    """The wave's assignments without `requires`, and the assignment key of each task."""
    taken = spread_tasks(wave)
    here = {task.name for task in wave.tasks}
    tasks_of: dict[str, list[Task]] = {}
    for task in wave.tasks:
        if task.name in taken:
            tasks_of.setdefault(taken[task.name], []).append(task)
    assignments: list[Assignment] = []
    key_of: dict[str, str] = {}
    for agent in wave.agents:
        tasks = tasks_of.get(agent.name, [])
        together = [task for task in tasks if not here.intersection(task.requires)]
        if together or not tasks:
            assignments.append(Assignment(agent.name, index, agent.name, tuple(task.name for task in together)))
            key_of.update({task.name: agent.name for task in together})
        for task in tasks:
            if task.name not in key_of:
                key = f"{agent.name}/{task.name}"
                assignments.append(Assignment(key, index, agent.name, (task.name,)))
                key_of[task.name] = key
    return assignments, key_of


def build(plan: Plan) -> Graph:
    """The graph of a plan that `problems` finds nothing wrong with."""
    graph = Graph()
    key_of_task: dict[str, str] = {}
    keys_of_agent: dict[str, list[str]] = {}
    for index, wave in enumerate(plan.waves):
        assignments, key_of = _group(wave, index)
        key_of_task.update(key_of)
        for assignment in assignments:
            keys_of_agent.setdefault(assignment.agent, []).append(assignment.key)
        agents = {agent.name: agent for agent in wave.agents}
        tasks = {task.name: task for task in wave.tasks}
        for bare in assignments:
            wanted: dict[str, None] = {}
            for needed in agents[bare.agent].needs:
                wanted.update(dict.fromkeys(keys_of_agent.get(needed, ())))
            for task in bare.tasks:
                wanted.update(dict.fromkeys(key_of_task[name] for name in tasks[task].requires if name in key_of_task))
            wanted.pop(bare.key, None)
            graph.assignments[bare.key] = Assignment(bare.key, index, bare.agent, bare.tasks, tuple(wanted))
        graph.waves.append([assignment.key for assignment in assignments])
    return graph


def find_cycle(requires: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A cycle as the path that closes it (["a", "b", "a"]), or None. Iterative: depth is not limited by the stack."""
    done: set[str] = set()
    for start in requires:
        if start in done:
            continue
        path: list[str] = [start]
        on_path = {start}
        stack = [iter(requires[start])]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                finished = path.pop()
                on_path.discard(finished)
                done.add(finished)
            elif following in on_path:
                return [*path[path.index(following) :], following]
            elif following in requires and following not in done:
                path.append(following)
                on_path.add(following)
                stack.append(iter(requires[following]))
    return None


def problems(plan: Plan) -> list[Problem]:
    """Everything that spans several tables and makes the plan impossible to run (O4)."""
    found = _second_names(plan)
    agent_wave = {agent.name: index for index, wave in enumerate(plan.waves) for agent in wave.agents}
    task_wave = {task.name: index for index, wave in enumerate(plan.waves) for task in wave.tasks}
    for index, wave in enumerate(plan.waves):
        found += _agent_problems(wave, index, agent_wave)
        found += _task_problems(wave, index, task_wave)
    return found or _cycles(plan)


def _second_names(plan: Plan) -> list[Problem]:
    """Names given twice: agents, tasks and waves are unique in the whole plan."""
    found: list[Problem] = []
    seen: set[tuple[str, str]] = set()

    def see(kind: str, name: str, where: KeyPath) -> None:
        if (kind, name) in seen:
            hint = f"{kind} names are unique in the whole plan; give this one another name"
            found.append(Problem((*where, "name"), f'a second {kind} named "{name}"', hint))
        seen.add((kind, name))

    for index, wave in enumerate(plan.waves):
        see("wave", wave.name, ("wave", index))
        for position, agent in enumerate(wave.agents):
            see("agent", agent.name, ("wave", index, "agent", position))
        for position, task in enumerate(wave.tasks):
            see("task", task.name, ("wave", index, "task", position))
    return found


def _agent_problems(wave: Wave, index: int, agent_wave: Mapping[str, int]) -> list[Problem]:
    found: list[Problem] = []
    here = [agent.name for agent in wave.agents]
    with_tasks = set(spread_tasks(wave).values())
    for position, agent in enumerate(wave.agents):
        where: KeyPath = ("wave", index, "agent", position)
        for number, needed in enumerate(agent.needs):
            found += _reference((*where, "needs", number), "agent", needed, agent.name, index, agent_wave)
        if agent.gate is not None:
            found += _blamed(agent.gate.commands, (*where, "gate"), here)
        if not agent.prompt and not agent.prompt_file and agent.program != "command" and agent.name not in with_tasks:
            message = f'agent "{agent.name}" has neither a prompt nor tasks'
            found.append(Problem(where, message, "give it `prompt`, `prompt_file`, or tasks of its domain"))
    return found + _blamed(wave.gate.commands, ("wave", index, "gate"), here)


def _task_problems(wave: Wave, index: int, task_wave: Mapping[str, int]) -> list[Problem]:
    found: list[Problem] = []
    domains = sorted({agent.domain for agent in wave.agents if agent.domain})
    here = [agent.name for agent in wave.agents]
    for position, task in enumerate(wave.tasks):
        where: KeyPath = ("wave", index, "task", position)
        for number, required in enumerate(task.requires):
            found += _reference((*where, "requires", number), "task", required, task.name, index, task_wave)
        if task.agent is not None:
            if task.agent not in here:
                hint = near(task.agent, here) or f"agents of this wave: {', '.join(here)}"
                found.append(Problem((*where, "agent"), f'no agent "{task.agent}" in this wave', hint))
        elif task.domain is None:
            hint = 'say who takes it: `domain = "…"` of an agent of this wave, or `agent = "…"`'
            found.append(Problem(where, f'task "{task.name}" has neither `domain` nor `agent`', hint))
        elif task.domain not in domains:
            known = (
                f"this wave's agents have: {', '.join(domains)}" if domains else "no agent of this wave has a domain"
            )
            hint = near(task.domain, domains) or known
            found.append(Problem((*where, "domain"), f'no agent takes tasks of domain "{task.domain}"', hint))
    return found


def _blamed(commands: Iterable[Check], where: KeyPath, here: list[str]) -> list[Problem]:
    """Checks that name agents who are not of their wave."""
    found = []
    for number, check in enumerate(commands):
        for place, name in enumerate(check.agents):
            if name not in here:
                hint = near(name, here) or f"agents of this wave: {', '.join(here)}"
                key = (*where, "commands", number, "agents", place)
                found.append(Problem(key, f'no agent "{name}" in this wave', hint))
    return found


def _reference(where: KeyPath, kind: str, name: str, owner: str, wave: int, known: Mapping[str, int]) -> list[Problem]:
    if name not in known:
        shown = ", ".join(list(known)[:12]) + (", …" if len(known) > 12 else "")
        hint = near(name, known) or f"{kind}s of this plan: {shown or 'none'}"
        return [Problem(where, f'no {kind} "{name}" in this plan', hint)]
    if name == owner:
        return [Problem(where, f'{kind} "{name}" waits for itself', "remove it from its own list")]
    if known[name] > wave:
        return [Problem(where, f'{kind} "{name}" belongs to a later wave', "move it here, or this one after it")]
    return []


def _cycles(plan: Plan) -> list[Problem]:
    """One cycle a wave, with its path; requirements never lead from one wave into a later one."""
    found: list[Problem] = []
    graph = build(plan)
    for index, keys in enumerate(graph.waves):
        here = set(keys)
        requires = {key: [name for name in graph.assignments[key].requires if name in here] for key in keys}
        cycle = find_cycle(requires)
        if cycle is not None:
            hint = "remove one of these requirements"
            found.append(Problem(("wave", index), "these wait for each other: " + " → ".join(cycle), hint))
    return found
