"""The expected timeline: starts as the scheduler will start, within the plan's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_writing import plans

from waved.plan import validate
from waved.plan.graph import build
from waved.plan.models import Agent, Plan, Task, Wave
from waved.plan.timeline import expected


def agent(name: str, expect: float | None = 60.0, **more: object) -> Agent:
    return Agent.model_validate({"name": name, "command": ["true"], "expect": expect, **more})


def plan(*waves: Wave, **session: object) -> Plan:
    return Plan.model_validate({"session": {"name": "s", **session}, "waves": list(waves)})


def starts(made: Plan) -> dict[str, tuple[float, float]]:
    return {bar.assignment: (bar.start, bar.end) for bar in expected(made).bars}


def test_agents_of_a_wave_together_and_waves_one_after_another():
    made = plan(Wave(name="a", agents=[agent("x"), agent("y", 120.0)]), Wave(name="b", agents=[agent("z")]))
    assert starts(made) == {"x": (0, 60), "y": (0, 120), "z": (120, 180)}
    timeline = expected(made)
    assert (timeline.parallel, timeline.sequential, round(timeline.saved, 2)) == (180, 240, 0.25)
    assert [(bar.assignment, bar.start) for bar in timeline.one_by_one] == [("x", 0), ("y", 60), ("z", 180)]


def test_a_dependent_starts_the_moment_its_requirement_ends():
    wave = Wave(name="w", agents=[agent("x"), agent("y", 10.0, needs=["x"]), agent("z", 500.0)])
    assert starts(plan(wave)) == {"x": (0, 60), "y": (60, 70), "z": (0, 500)}


def test_limits_hold():
    wave = Wave(name="w", agents=[agent("x"), agent("y"), agent("z")])
    assert [start for start, _ in starts(plan(wave, max_parallel=2)).values()] == [0, 0, 60]
    assert [start for start, _ in starts(plan(wave, parallel=False)).values()] == [0, 60, 120]
    one_by_one = wave.model_copy(update={"parallel": False})
    assert [start for start, _ in starts(plan(one_by_one)).values()] == [0, 60, 120]


def test_where_the_lengths_come_from():
    tasks = [Task(name="t", agent="a", expect="2m"), Task(name="u", agent="a", expect="3m")]
    agents = [agent("a", 5.0), agent("b"), agent("c", None, timeout="10m"), agent("d", None)]
    made = plan(Wave(name="w", agents=agents, tasks=tasks))
    told = {bar.assignment: (bar.end - bar.start, bar.basis) for bar in expected(made).bars}
    assert told == {"a": (300, "expect"), "b": (60, "expect"), "c": (300, "timeout"), "d": (300, "assumed")}


@given(plans(), st.integers(0, 3))
def test_nothing_starts_too_early_and_no_limit_is_passed(data, limit):
    made = Plan.model_validate({**data, "session": {"name": "s", "max_parallel": limit}})
    if validate.problems(made):
        return
    timeline, graph = expected(made), build(made)
    bars = {bar.assignment: bar for bar in timeline.bars}
    assert bars.keys() == graph.assignments.keys()
    for bar in timeline.bars:
        running = sum(each.start <= bar.start < each.end for each in timeline.bars)
        assert not limit or running <= limit
        assert all(bars[needed].end <= bar.start for needed in graph.assignments[bar.assignment].requires)
        assert all(other.end <= bar.start for other in timeline.bars if other.wave < bar.wave)
    assert timeline.parallel <= timeline.sequential * (1 + 1e-9)
    assert timeline.one_by_one[-1].end == pytest.approx(timeline.sequential)
