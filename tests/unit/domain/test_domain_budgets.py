"""Budgets and forbidden tools: told once, stopped where nothing is left (C4, S2)."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.driving import Guarded, agent, kinds, one_wave, outcomes
from waved.domain import events as ev
from waved.domain import requests
from waved.domain.budgets import money_left


def acts(driver: Guarded, run: str, tokens: int, cost: float | None = None, **more: Any) -> list[ev.Event]:
    usage: dict[str, Any] = {"input": tokens} if cost is None else {"input": tokens, "cost": cost}
    return driver.do(ev.RunActed("s", f"s/{run}", "thinking", usage=usage, **more))


def findings(events: list[ev.Event]) -> list[tuple[str, str, str]]:
    return [(each.monitor, each.severity, each.summary) for each in events if isinstance(each, ev.FindingMade)]


def test_the_soft_limit_is_told_once_and_the_hard_one_stops_the_agent() -> None:
    driver = Guarded(one_wave(agent("a", budget={"tokens": 1000}), agent("b")))
    assert findings(acts(driver, "a#1", 799)) == []
    assert findings(acts(driver, "a#1", 800)) == [("budget", "warning", "agent a has used 800 of 1,000 tokens")]
    assert findings(acts(driver, "a#1", 900)) == []
    followed = acts(driver, "a#1", 1000)
    assert findings(followed)[0][1] == "critical"
    assert [event.run for event in followed if isinstance(event, ev.RunStopping)] == ["s/a#1"]
    assert outcomes(driver.ends("a#1", "stopped")) == {"a": "stopped"}
    assert driver.running == ["b#1"]


def test_all_attempts_count_together_and_a_report_that_comes_twice_counts_once() -> None:
    driver = Guarded(one_wave(agent("a", budget={"tokens": 1000}, retries=3, backoff=1)))
    acts(driver, "a#1", 600)
    acts(driver, "a#1", 600)
    driver.fails("a#1")
    driver.at(driver.now + 2)
    followed = acts(driver, "a#2", 400)
    assert [event.run for event in followed if isinstance(event, ev.RunStopping)] == ["s/a#2"]


def test_a_cost_that_nobody_tells_exhausts_no_budget() -> None:
    driver = Guarded(one_wave(agent("a", budget={"cost": 1})))
    assert acts(driver, "a#1", 10**9) == []
    assert driver.session.spent["agent a"].cost is None
    assert "run.stopping" in kinds(acts(driver, "a#1", 10**9, cost=1.5))


def test_the_least_that_any_budget_leaves_is_what_a_run_may_spend() -> None:
    whole = one_wave(agent("a", budget={"cost": 3}), agent("b"), budget={"cost": 4})
    driver = Guarded(whole)
    session = driver.session
    assert [money_left(session, 0, name) for name in ("a", "b")] == [3.0, 4.0]
    acts(driver, "a#1", 10, cost=2.5)
    assert [money_left(session, 0, name) for name in ("a", "b")] == [0.5, 1.5]
    acts(driver, "a#1", 10, cost=3.5)
    assert money_left(session, 0, "a") == 0.0
    plain = Guarded(one_wave(agent("a", budget={"tokens": 10}))).session
    assert money_left(plain, 0, "a") is None


def test_the_waves_budget_stops_all_of_it_and_what_waits() -> None:
    driver = Guarded(one_wave(agent("a"), agent("b"), agent("c", needs=["a"]), budget={"tokens": 100}))
    acts(driver, "a#1", 60)
    followed = acts(driver, "b#1", 60)
    assert {event.run for event in followed if isinstance(event, ev.RunStopping)} == {"s/a#1", "s/b#1"}
    assert outcomes(followed) == {"c": "stopped"}
    driver.ends("a#1", "stopped")
    driver.ends("b#1", "stopped")
    assert driver.session.outcome == "failed"


def test_the_sessions_budget_stops_it() -> None:
    driver = Guarded(one_wave(agent("a"), session={"budget": {"cost": "$2"}}))
    followed = acts(driver, "a#1", 1, cost=2.0)
    assert "session.stop-requested" in kinds(followed)
    driver.ends("a#1", "stopped")
    assert driver.session.outcome == "stopped"
    assert "$2.00 of $2.00" in driver.session.reason


def test_a_budget_used_up_at_the_very_end_takes_nothing_back() -> None:
    driver = Guarded(one_wave(agent("a", budget={"tokens": 100})))
    driver.ends("a#1", judged=True, acted={"usage": {"input": 500}})
    assert driver.session.outcome == "succeeded"


def test_use_of_a_forbidden_tool_is_one_finding() -> None:
    driver = Guarded(one_wave(agent("a"), forbid_tools=["mcp__context7__*"]))
    first = acts(driver, "a#1", 1, forbidden=["mcp__context7__get"])
    assert findings(first) == [("tools", "warning", "used mcp__context7__get, which the plan forbids")]
    assert findings(acts(driver, "a#1", 2, forbidden=["mcp__context7__get"])) == []
    assert len(findings(acts(driver, "a#1", 3, forbidden=["mcp__context7__list"]))) == 1


def test_who_asks_for_it_again_lets_it_use_as_much_again() -> None:
    driver = Guarded(one_wave(agent("a", budget={"tokens": 100})))
    acts(driver, "a#1", 100)
    driver.ends("a#1", "stopped")
    driver.do(*requests.retry(driver.session))
    for name in list(driver.guards.taking):
        driver.taken(name)
    assert findings(acts(driver, "a#2", 50)) == []
    assert driver.running == ["a#2"]
