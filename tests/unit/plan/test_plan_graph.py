"""The graph of assignments: every task once, cycles found with their path, names that do not exist refused."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from plan_writing import plans

from waved.plan.graph import build, find_cycle, problems, spread_tasks
from waved.plan.models import Agent, Plan, Task, Wave

nodes = st.sampled_from("abcdef")


def has_cycle(requires: dict[str, list[str]]) -> bool:
    """By brute force: a cycle-free graph has an order in which each comes after what it requires."""
    return not any(
        all(order.index(needed) < order.index(key) for key in order for needed in requires[key] if needed in requires)
        for order in itertools.permutations(requires)
    )


@given(st.dictionaries(nodes, st.lists(nodes, max_size=3), max_size=6))
def test_a_cycle_is_found_exactly_when_there_is_one(requires):
    cycle = find_cycle(requires)
    assert (cycle is not None) == has_cycle(requires)
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        assert all(then in requires[first] for first, then in itertools.pairwise(cycle))


def test_depth_is_not_limited_by_the_stack():
    requires = {str(number): [str(number + 1)] for number in range(50_000)}
    assert find_cycle(requires) is None
    assert find_cycle({**requires, "50000": ["0"]}) is not None


@given(plans())
def test_every_task_is_in_exactly_one_assignment_of_its_agent(data):
    plan = Plan.model_validate(data)
    graph = build(plan)
    for index, wave in enumerate(plan.waves):
        taken = spread_tasks(wave)
        placed = [
            (task, graph.assignments[key].agent) for key in graph.waves[index] for task in graph.assignments[key].tasks
        ]
        assert sorted(placed) == sorted(taken.items())
        assert {task.name for task in wave.tasks} == taken.keys()
        assert {graph.assignments[key].agent for key in graph.waves[index]} == {agent.name for agent in wave.agents}


def wave(tasks: list[Task], **needs: list[str]) -> Plan:
    agents = [Agent(name=name, domain=name, command=["true"], needs=needs.get(name, [])) for name in ("a", "b")]
    return Plan(session={"name": "s"}, waves=[Wave(name="w", agents=agents, tasks=tasks)])


def test_tasks_of_a_domain_are_spread_over_its_agents_in_turn():
    agents = [Agent(name=name, domain="d", command=["true"]) for name in ("a", "b")]
    tasks = [Task(name=f"t{number}", domain="d") for number in range(5)]
    assert list(spread_tasks(Wave(name="w", agents=agents, tasks=tasks)).values()) == ["a", "b", "a", "b", "a"]


def test_a_dependent_task_is_an_assignment_of_its_own():
    graph = build(
        wave([Task(name="t", domain="a"), Task(name="u", domain="b", requires=["t"]), Task(name="v", domain="b")])
    )
    assert graph.waves == [["a", "b", "b/u"]]
    assert graph.assignments["b/u"].requires == ("a",)
    assert graph.assignments["b"].tasks == ("v",)


def test_a_cycle_is_told_with_its_path():
    plan = wave([Task(name="t", domain="a", requires=["u"]), Task(name="u", domain="b", requires=["t"])])
    assert [each.message for each in problems(plan)] == ["these wait for each other: a/t → b/u → a/t"]


def test_a_cycle_of_needs_and_tasks_is_found_too():
    plan = wave([Task(name="t", domain="a"), Task(name="u", domain="b", requires=["t"])], a=["b"])
    assert "these wait for each other" in problems(plan)[0].message


def test_what_does_not_exist_is_refused_with_a_near_match():
    plan = wave(
        [
            Task(name="t", domain="c"),
            Task(name="u"),
            Task(name="v", agent="bb"),
            Task(name="w", domain="a", requires=["x", "w"]),
            Task(name="w", domain="a"),
        ]
    )
    told = [f"{each.message} ({each.hint})" for each in problems(plan)]
    assert told == [
        'a second task named "w" (task names are unique in the whole plan; give this one another name)',
        'no agent takes tasks of domain "c" (this wave\'s agents have: a, b)',
        'task "u" has neither `domain` nor `agent` '
        '(say who takes it: `domain = "…"` of an agent of this wave, or `agent = "…"`)',
        'no agent "bb" in this wave (did you mean "b"?)',
        'no task "x" in this plan (tasks of this plan: t, u, v, w)',
        'task "w" waits for itself (remove it from its own list)',
    ]


def test_requirements_lead_only_backwards():
    later = Wave(name="later", agents=[Agent(name="c", command=["true"])])
    first = Wave(name="first", agents=[Agent(name="a", command=["true"], needs=["c"])])
    assert problems(Plan(session={"name": "s"}, waves=[first, later]))[0].message == 'agent "c" belongs to a later wave'
