"""Providers that refuse calls: nobody's attempt, a common wait, and fewer callers afterwards."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.driving import Driver, agent, one_wave, started
from waved.domain import events as ev
from waved.domain.decide import next_deadline
from waved.domain.limits import MOST_REFUSALS, REFUSAL_WAIT


def caller(name: str, **more: Any) -> dict[str, Any]:
    return agent(name, backoff=1, **more)


def begun(*agents: dict[str, Any], **session: Any) -> Driver:
    driver = Driver(one_wave(*agents, session=session))
    for run in driver.running:
        driver.do(ev.RunActed("s", f"s/{run}", "thinking", provider="openai"))
    return driver


def refused(driver: Driver, run: str, reset_at: float | None = None) -> list[ev.Event]:
    return driver.ends(run, code=1, judged=False, cause="rate-limited", reset_at=reset_at, acted={"provider": "openai"})


def test_a_refused_run_is_repeated_at_the_time_named_and_uses_up_no_attempt() -> None:
    driver = begun(caller("a", retries=0))
    refused(driver, "a#1", 160.0)
    assert next_deadline(driver.session) == 160.0
    assert driver.at(159.0) == []
    assert started(driver.at(160.0)) == ["a#2"]
    driver.ends("a#2")
    assert driver.node("a").outcome == "succeeded"


def test_the_repetition_goes_on_with_the_programs_own_session() -> None:
    driver = begun(caller("a"))
    driver.do(ev.RunActed("s", "s/a#1", "thinking", provider="openai", program_session="abc"))
    refused(driver, "a#1", 160.0)
    (again,) = [event for event in driver.at(160.0) if isinstance(event, ev.RunStarting)]
    assert again.resume == "abc"


def test_resume_false_begins_anew() -> None:
    driver = begun(caller("a", resume=False))
    driver.do(ev.RunActed("s", "s/a#1", "thinking", provider="openai", program_session="abc"))
    refused(driver, "a#1", 160.0)
    (again,) = [event for event in driver.at(160.0) if isinstance(event, ev.RunStarting)]
    assert again.resume == ""


def test_without_a_time_the_wait_grows() -> None:
    driver = begun(caller("a"))
    waits = []
    for attempt in range(1, 5):
        refused(driver, f"a#{attempt}")
        due = next_deadline(driver.session)
        assert due is not None
        waits.append(due - driver.now)
        driver.at(due)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] >= REFUSAL_WAIT


def test_how_many_are_refused_at_the_same_time_makes_no_wait_longer() -> None:
    driver = begun(*(caller(f"a{number}") for number in range(10)))
    for number in range(10):
        refused(driver, f"a{number}#1")
        driver.at(driver.now + 0.1)
    limit = driver.session.providers["openai"]
    assert limit.until == 100.0 + REFUSAL_WAIT
    (again,) = started(driver.at(limit.until))
    refused(driver, again)
    assert limit.until - driver.now == 2 * REFUSAL_WAIT


def test_refusals_without_end_are_a_failure() -> None:
    driver = begun(caller("a"))
    attempt = 1
    while driver.node("a").state != "ended":
        refused(driver, f"a#{attempt}")
        attempt += 1
        due = next_deadline(driver.session)
        if due is not None:
            driver.at(due)
        assert attempt < MOST_REFUSALS + 5
    assert driver.node("a").outcome == "failed"


def test_after_refusals_fewer_call_at_once_and_more_with_each_success() -> None:
    driver = begun(*(caller(f"a{number}") for number in range(4)))
    for number in range(4):
        refused(driver, f"a{number}#1", 160.0)
    assert driver.running == []
    assert len(started(driver.at(160.0))) == 1
    at_once = []
    while driver.session.phase != "ended":
        at_once.append(len(driver.running))
        driver.ends(driver.running[0], judged=True, acted={"provider": "openai"})
    assert at_once == [1, 2, 2, 1]
    assert driver.session.outcome == "succeeded"


def test_ready_agents_of_that_provider_do_not_start_before() -> None:
    driver = begun(caller("a"), caller("b"), caller("c", needs=["b"]))
    driver.do(ev.RunActed("s", "s/a#1", "rate-limited", provider="openai", reset_at=200.0))
    assert started(driver.ends("b#1")) == []
    assert next_deadline(driver.session) == 200.0, "b's success made room for a second caller"
    assert started(driver.at(200.0)) == ["c#1"]


def test_while_its_one_place_is_taken_a_time_is_nothing_to_wait_for() -> None:
    driver = begun(caller("a"), caller("b"), caller("c", needs=["b"]))
    driver.do(ev.RunActed("s", "s/a#1", "rate-limited", provider="openai", reset_at=200.0))
    driver.session.providers["openai"].room = 0
    driver.ends("b#1")
    assert next_deadline(driver.session) is None


def test_what_waits_for_its_provider_keeps_no_repetition_of_others_back() -> None:
    """The first to be repeated is not the first that may be."""
    driver = begun(caller("a"), caller("b"), agent("c", model="x/y", backoff=5, retries=1))
    refused(driver, "a#1", 200.0)
    refused(driver, "b#1")
    driver.do(ev.RunActed("s", "s/c#1", "thinking", provider="x"))
    driver.fails("c#1")
    assert driver.node("b").retry_at == 101.0
    assert next_deadline(driver.session) == 105.0
    assert started(driver.at(105.0)) == ["c#2"]
    assert next_deadline(driver.session) == 200.0


def test_who_calls_it_is_known_of_programs_that_have_not_run_yet() -> None:
    plan = one_wave(caller("a"), caller("b"), agent("c", model="openai/y", needs=["b"]))
    driver = Driver(plan, callers=[["command", "openai/y", "openai"]])
    refused(driver, "a#1", 200.0)
    assert started(driver.ends("b#1")) == []
    assert started(driver.at(200.0)) == ["c#1"]


def test_others_start_at_once_where_the_plan_says_so() -> None:
    driver = begun(caller("a"), caller("b"), caller("c", needs=["b"]), rate_limits="agent")
    driver.do(ev.RunActed("s", "s/a#1", "rate-limited", provider="openai", reset_at=200.0))
    assert started(driver.ends("b#1")) == ["c#1"]


def test_agents_of_other_models_are_not_thought_to_call_it() -> None:
    driver = begun(caller("a"), caller("b"), agent("c", model="x/y", needs=["b"]))
    driver.do(ev.RunActed("s", "s/a#1", "rate-limited", provider="openai", reset_at=200.0))
    assert started(driver.ends("b#1")) == ["c#1"]
