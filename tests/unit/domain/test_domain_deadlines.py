"""Time limits, and when there is something to decide without an event (requirement M5, invariants 6 and 8)."""

from __future__ import annotations

import math

import pytest
from driving import Driver, agent, kinds, one_wave, outcomes, started

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.decide import decide, next_deadline


def assert_deadline(drive: Driver, when: float) -> None:
    assert next_deadline(drive.session) == when
    assert decide(drive.session, math.nextafter(when, 0)) == []
    assert decide(drive.session, when) != []


def test_a_session_without_limits_never_wakes_anybody() -> None:
    drive = Driver(one_wave(agent("a")))
    assert next_deadline(drive.session) is None
    drive.ends("a#1")
    assert next_deadline(drive.session) is None


def test_the_session_deadline_stops_it() -> None:
    drive = Driver(one_wave(agent("a"), session={"timeout": 60}))
    assert_deadline(drive, 160.0)
    drive.at(160.0)
    assert drive.session.phase == "stopping"
    assert next_deadline(drive.session) is None
    drive.ends("a#1", "stopped")
    assert (drive.session.outcome, drive.session.reason) == ("timed-out", "the session's time limit of 1m")
    assert drive.node("a").outcome == "timed-out"


def test_the_wave_deadline_ends_what_runs_and_what_waits() -> None:
    drive = Driver(one_wave(agent("a"), agent("b", needs=["a"]), timeout=30))
    assert_deadline(drive, 130.0)
    following = drive.at(130.0)
    assert kinds(following) == ["run.stopping", "assignment.ended"]
    assert outcomes(following) == {"b": "timed-out"}
    assert next_deadline(drive.session) is None
    drive.ends("a#1", "stopped")
    assert drive.session.waves[0].outcome == drive.session.outcome == "timed-out"


def test_a_repetition_is_a_deadline() -> None:
    drive = Driver(one_wave(agent("a", retries=1, backoff=3)))
    drive.fails("a#1")
    assert_deadline(drive, 103.0)


def test_a_repetition_without_room_is_none() -> None:
    drive = Driver(one_wave(agent("a", retries=1, backoff=3), agent("b"), agent("c"), session={"max_parallel": 2}))
    assert started(drive.fails("a#1")) == ["c#1"]
    assert next_deadline(drive.session) is None
    assert drive.at(110.0) == []
    assert next_deadline(drive.session) is None, "a deadline that has passed would be a busy loop"
    assert started(drive.ends("b#1")) == ["a#2"]


def test_a_held_session_waits_for_nothing_and_its_deadlines_stand_still() -> None:
    drive = Driver(one_wave(agent("a", retries=1), agent("b"), session={"timeout": 60}, timeout=30))
    drive.fails("a#1")
    drive.ends("b#1", "lost")
    assert next_deadline(drive.session) is None
    assert drive.at(1000.0) == []
    drive.do(*requests.resume(drive.session))
    assert drive.session.deadline == 1060.0
    assert drive.session.current is not None
    assert drive.session.current.deadline == 1030.0


def test_a_check_that_waits_for_a_worker_is_a_deadline_and_the_waves_stands() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["x"]]}, timeout=30))
    drive.ends("a#1")
    drive.ends("@w#1.0", "withdrawn")
    drive.ends("@w#1.0-1", "withdrawn")
    assert_deadline(drive, 101.0)
    drive.at(101.0)
    drive.at(130.0)
    drive.ends("@w#1.0-2", "stopped")
    assert drive.session.outcome == "timed-out"


@pytest.mark.parametrize(
    ("own", "wave", "session", "expected"),
    [
        (None, None, None, (None, "agent")),
        (5, 10, 20, (5, "agent")),
        (50, 10, 20, (10, "wave")),
        (50, 30, 20, (20, "session")),
        (None, None, 20, (20, "session")),
        (None, 10, None, (10, "wave")),
    ],
)
def test_the_worker_gets_the_nearest_limit(
    own: float | None, wave: float | None, session: float | None, expected: tuple[float | None, str]
) -> None:
    limits = {"timeout": own} if own else {}
    plan = one_wave(agent("a", **limits), session={"timeout": session} if session else {})
    if wave:
        plan["wave"][0]["timeout"] = wave
    (start,) = [event for event in Driver(plan).log if isinstance(event, ev.RunStarting)]
    assert (start.timeout, start.timeout_of) == expected


def test_a_check_too() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [{"run": ["x"], "timeout": 40}]}, timeout=30))
    drive.now += 10
    (_, start) = drive.ends("a#1")[-2:]
    assert isinstance(start, ev.RunStarting)
    assert (start.timeout, start.timeout_of) == (20, "wave")


def test_only_the_agents_own_limit_is_worth_a_repetition() -> None:
    drive = Driver(one_wave(agent("a", timeout=5, retries=1)))
    assert kinds(drive.ends("a#1", "timed-out")) == ["retry.scheduled"]
    drive = Driver(one_wave(agent("a", retries=1), timeout=5))
    drive.now = 104.9  # the worker's clock was a little ahead
    assert outcomes(drive.ends("a#1", "timed-out")) == {"a": "timed-out"}
