"""What activities add up to: totals, states, what is worth telling, and when (requirements S2, C4, M4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from waved.agents import progress
from waved.agents.activity import (
    ContextWindow,
    RateLimited,
    Result,
    Retrying,
    Said,
    SessionNamed,
    ToolCalled,
    ToolEnded,
    Used,
    Waiting,
)
from waved.agents.progress import Documentation, Progress
from waved.domain.usage import add, usage_from


def test_tokens_cost_and_tools_are_added_up() -> None:
    seen = Progress()
    seen.heed([Used(input=100, output=10, cached=40), Used(input=200, output=20, cost=0.5)], 1.0)
    seen.heed([ToolCalled("Read", "1", paths_read=("a",)), ToolCalled("Read", "2", paths_read=("a", "b"))], 2.0)
    seen.heed([ToolCalled("Edit", "3", paths_written=("a",))], 3.0)
    usage = usage_from(seen.totals()["usage"])
    assert (usage.input, usage.output, usage.cached, usage.cost, usage.tokens) == (300, 30, 40, 0.5, 330)
    assert usage.tools == {"Read": 2, "Edit": 1}
    assert (usage.files_read, usage.files_written) == (2, 1)


def test_a_cost_nobody_tells_is_unknown_and_not_zero() -> None:
    seen = Progress()
    seen.heed([Used(input=5)], 1.0)
    assert usage_from(seen.totals()["usage"]).cost is None
    assert add([usage_from({"input": 1}), usage_from({"cost": 0.25})]).cost == 0.25


def test_states_follow_what_the_program_does() -> None:
    seen = Progress()
    states = []
    steps = [
        Said("I look"), ToolCalled("Bash", "1", command="make"), ToolEnded("1", ok=True), Retrying(1, status=529),
        Used(input=1), Retrying(2, status=429), RateLimited("anthropic", reset_at=99.0), Used(input=1),
        Waiting("permission", "Bash rm"), Result(ok=True, text="done"), Said("one more thing"),
    ]  # fmt: skip
    for at, step in enumerate(steps):
        seen.heed([step], float(at))
        states.append(seen.state)
    assert states == [
        "thinking", "tool", "thinking", "retrying", "thinking", "rate-limited", "rate-limited", "thinking", "waiting",
        "finished", "thinking",
    ]  # fmt: skip
    assert seen.last_words == "one more thing"
    assert seen.since == 10.0


def test_the_tool_in_use_is_named_with_what_it_is_about() -> None:
    seen = Progress()
    seen.heed([ToolCalled("Bash", "1", command="pytest -q")], 1.0)
    assert seen.tool == "Bash pytest -q"
    seen.heed([ToolEnded("1")], 2.0)
    assert seen.tool == ""


def test_a_tool_goes_on_while_another_has_ended() -> None:
    seen = Progress()
    seen.heed([ToolCalled("Task", "1"), ToolCalled("Read", "2", paths_read=("a",)), ToolEnded("2")], 1.0)
    assert seen.state == "tool"


def test_documentation_is_the_share_of_the_context_that_its_results_brought() -> None:
    documentation = Documentation(["mcp__context7__*"], [r"docs/.*"], "/w")
    seen = Progress(documentation)
    seen.heed([Used(input=1000, context=1000)], 1.0)
    seen.heed([ToolCalled("Read", "1", paths_read=("/w/docs/api.md",)), ToolEnded("1", size=300)], 2.0)
    seen.heed([ToolCalled("Read", "2", paths_read=("/w/src/a.py",)), ToolEnded("2", size=100)], 3.0)
    seen.heed([Used(input=1400, context=1400)], 4.0)
    seen.heed([ToolCalled("mcp__context7__get-library-docs", "3"), ToolEnded("3", size=50)], 5.0)
    seen.heed([Used(input=2000, context=2000), ContextWindow(200_000)], 6.0)
    usage = usage_from(seen.totals()["usage"])
    assert usage.documentation == 400 * 300 / 400 + 600
    assert (usage.context, usage.window) == (2000, 200_000)


def test_what_was_told_is_not_told_again_and_nothing_is_due_when_nothing_is_new() -> None:
    seen = Progress()
    assert seen.due() is None
    seen.heed([SessionNamed("abc", model="m")], 5.0)
    assert seen.due() is not None
    assert seen.report(5.0)["program_session"] == "abc"
    assert seen.due() is None
    seen.heed([Said("…")], 5.5)
    assert seen.due() == 5.0 + progress.REPORT_INTERVAL


def test_writes_forbidden_tools_and_the_result_are_told_soon() -> None:
    seen = Progress(forbidden=["mcp__context7__*"])
    seen.heed([Said("…")], 10.0)
    seen.report(10.0)
    seen.heed([ToolCalled("mcp__context7__get", "1", paths_written=("a", "a"))], 10.1)
    assert seen.due() == 10.0 + progress.URGENT_INTERVAL
    told = seen.report(10.2)
    assert (told["wrote"], told["forbidden"]) == (["a"], ["mcp__context7__get"])
    assert seen.report(10.4)["wrote"] == []
    seen.heed([Result(ok=True)], 10.5)
    assert seen.due() == 10.4 + progress.URGENT_INTERVAL


def test_many_files_are_told_in_several_reports_and_none_is_left_out() -> None:
    seen = Progress()
    paths = [f"f{number}" for number in range(progress.MOST_NEW * 2 + 7)]
    for number in range(0, len(paths), 100):
        seen.heed([ToolCalled("Write", str(number), paths_written=tuple(paths[number : number + 100]))], 1.0)
    told = []
    while seen.due() is not None:
        told += seen.report(2.0)["wrote"]
    assert told == paths


@given(st.lists(st.sampled_from([f"tool{number}" for number in range(400)]), max_size=600))
def test_tools_counted_by_name_stay_few(tools: list[str]) -> None:
    seen = Progress()
    seen.heed([ToolCalled(tool, str(at)) for at, tool in enumerate(tools)], 1.0)
    counted = seen.usage.tools
    assert len(counted) <= progress.MOST_TOOLS + 1
    assert sum(counted.values()) == len(tools)
