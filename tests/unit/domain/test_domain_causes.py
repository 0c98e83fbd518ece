"""What follows from why an agent failed: no session to resume, no login, limits of the program's own."""

from __future__ import annotations

import pytest

from tests.unit.domain.driving import Driver, agent, one_wave, started
from waved.domain import events as ev

NO_SESSION = {"judged": False, "cause": "no-session", "reason": "No conversation found with session ID: abc"}


def starting(events: list[ev.Event]) -> ev.RunStarting:
    (found,) = (event for event in events if isinstance(event, ev.RunStarting))
    return found


def killed_once(**more: object) -> Driver:
    """Its first attempt has named its session and failed; the second, which resumes it, is under way."""
    driver = Driver(one_wave(agent("a", backoff=1, **more)))
    driver.do(ev.RunActed("s", "s/a#1", "thinking", program_session="abc"))
    driver.ends("a#1", code=1, judged=False, reason="it broke")
    again = starting(driver.at(driver.now + 10))
    assert (again.run, again.resume, again.failure) == ("s/a#2", "abc", "it broke")
    return driver


def test_a_session_that_is_not_there_is_not_resumed_again_and_no_attempt_is_used_up() -> None:
    driver = killed_once(retries=1)
    again = starting(driver.ends("a#2", code=1, **NO_SESSION))
    assert (again.run, again.resume) == ("s/a#3", "")
    assert again.failure == "it broke"  # what the agent can do something about
    driver.ends("a#3")
    assert driver.node("a").outcome == "succeeded"


def test_that_is_done_once() -> None:
    driver = killed_once(retries=1)
    driver.ends("a#2", code=1, **NO_SESSION)
    assert started(driver.ends("a#3", code=1, **NO_SESSION)) == []
    assert started(driver.at(driver.now + 1000)) == []
    assert driver.node("a").outcome == "failed"


def test_one_that_resumed_nothing_has_failed_as_any_other() -> None:
    driver = Driver(one_wave(agent("a")))
    driver.ends("a#1", code=1, **NO_SESSION)
    assert driver.node("a").outcome == "failed"


def test_a_start_that_was_withdrawn_does_not_lose_the_session() -> None:
    driver = killed_once(retries=1)
    driver.do(ev.RunEnded("s", "s/a#2", "withdrawn", reason="the daemon ended before the start"))
    again = starting([*driver.log[-3:], *driver.at(driver.now + 10)])
    assert (again.run, again.resume) == ("s/a#3", "abc")


@pytest.mark.parametrize(("cause", "hint"), [("login", "wavectl doctor"), ("budget", "limit of cost")])
def test_what_cannot_end_better_is_not_repeated(cause: str, hint: str) -> None:
    driver = Driver(one_wave(agent("a", retries=3), gate={"on_failure": "retry", "retries": 2}))
    driver.ends("a#1", code=1, judged=False, cause=cause, reason="Invalid API key")
    assert started(driver.at(driver.now + 1000)) == []
    node = driver.node("a")
    assert node.outcome == "failed"
    assert hint in node.reason
    assert "Invalid API key" in node.reason
    assert driver.session.outcome == "failed"


def test_an_agent_that_used_up_its_turns_goes_on_with_its_session_as_another_attempt() -> None:
    driver = Driver(one_wave(agent("a", retries=1, backoff=1)))
    driver.do(ev.RunActed("s", "s/a#1", "thinking", program_session="abc"))
    driver.ends("a#1", code=1, judged=False, cause="turns", reason="Reached maximum number of turns")
    assert starting(driver.at(driver.now + 10)).resume == "abc"
    driver.ends("a#2", code=1, judged=False, cause="turns")
    assert driver.node("a").outcome == "failed"


def test_one_that_was_stopped_by_a_person_was_not_hopeless() -> None:
    driver = Driver(one_wave(agent("a", retries=1)))
    driver.do(ev.RunStopping("s", "s/a#1", "a person wanted it"))
    driver.do(ev.RunEnded("s", "s/a#1", "stopped", judged=False, cause="login"))
    assert driver.node("a").outcome == "stopped"
