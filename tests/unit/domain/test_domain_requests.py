"""What a person may ask for: stop, retry, resume."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Driver, agent, kinds, one_wave, outcomes, started

from waved.domain import events as ev
from waved.domain import requests
from waved.errors import ConflictError, NotFoundError


def stop(drive: Driver, *args: str) -> list[ev.Event]:
    return drive.do(*requests.stop(drive.session, *args, by="ada"))


def retry(drive: Driver, *agents: str) -> list[ev.Event]:
    return drive.do(*requests.retry(drive.session, agents, by="ada"))


def two_waves(**wave: Any) -> dict[str, Any]:
    plan = one_wave(agent("a"), agent("b", needs=["a"]), agent("c"), **wave)
    plan["wave"].append({"name": "later", "agent": [agent("z")]})
    return plan


# --- stop -----------------------------------------------------------------------------------------------------------


def test_stop_ends_what_runs_and_what_has_not_started() -> None:
    drive = Driver(two_waves())
    following = stop(drive)
    assert [event.run for event in following if isinstance(event, ev.RunStopping)] == ["s/a#1", "s/c#1"]
    assert outcomes(following) == {"b": "stopped"}
    drive.ends("a#1", "stopped")
    assert drive.session.phase == "stopping"
    drive.ends("c#1", "stopped")
    assert (drive.session.outcome, drive.session.reason) == ("stopped", "stopped by ada")
    assert drive.session.waves[1].phase == "waiting"


def test_stop_twice_is_one_stop_and_after_the_end_a_conflict() -> None:
    drive = Driver(one_wave(agent("a")))
    stop(drive)
    assert requests.stop(drive.session) == []
    drive.ends("a#1", "stopped")
    with pytest.raises(ConflictError, match="has ended"):
        requests.stop(drive.session)


def test_stop_before_the_checklist_is_done() -> None:
    drive = Driver(one_wave(agent("a")))
    fresh = Driver.__new__(Driver)
    fresh.now, fresh.log = drive.now, []
    from waved.domain.fold import begin

    plan = drive.session.plan.model_dump(mode="json", by_alias=True)
    fresh.session = begin(ev.SessionSubmitted("s", plan, "/w"))
    assert kinds(stop(fresh)) == ["session.ended"]
    assert fresh.session.outcome == "stopped"


def test_an_agent_that_did_its_work_but_was_not_checked_is_stopped_and_not_failed() -> None:
    drive = Driver(one_wave(agent("a", gate={"commands": [["x"]]}, retries=3)))
    drive.ends("a#1")
    stop(drive)
    drive.ends("a#1@gate.0", "stopped")
    assert drive.node("a").outcome == "stopped"


def test_stop_of_one_agent_leaves_the_others() -> None:
    drive = Driver(two_waves())
    following = stop(drive, "a")
    assert kinds(following) == []
    assert drive.session.active["s/a#1"].state == "stopping"
    assert drive.session.active["s/c#1"].state == "starting"
    assert outcomes(drive.ends("a#1", "stopped")) == {"a": "stopped", "b": "skipped"}
    drive.ends("c#1")
    assert drive.session.outcome == "failed"


@pytest.mark.parametrize("state", ["ready", "backing-off", "waiting"])
def test_stop_of_an_agent_that_does_not_run_ends_it_at_once(state: str) -> None:
    drive = Driver(one_wave(agent("x", retries=1), agent("y"), agent("b", needs=["y"]), session={"max_parallel": 1}))
    name = {"ready": "y", "backing-off": "x", "waiting": "b"}[state]
    if state == "backing-off":
        drive.fails("x#1")
    assert drive.node(name).state == state
    stop(drive, name)
    assert drive.node(name).outcome == "stopped"


def test_stop_of_an_agent_at_its_gate_ends_its_check() -> None:
    drive = Driver(one_wave(agent("a", gate={"commands": [["x"]]}), agent("b")))
    drive.ends("a#1")
    stop(drive, "a")
    assert drive.session.active["s/a#1@gate.0"].stop_reason == "stopped by ada"
    assert outcomes(drive.ends("a#1@gate.0", "stopped")) == {"a": "stopped"}


def test_stop_of_an_agent_that_has_ended_or_not_begun_or_is_unknown() -> None:
    drive = Driver(two_waves())
    drive.ends("c#1")
    for name in ("c", "z"):
        with pytest.raises(ConflictError, match="nothing of agent"):
            stop(drive, name)
    with pytest.raises(NotFoundError, match="no agent 'nobody'"):
        stop(drive, "nobody")


# --- retry ----------------------------------------------------------------------------------------------------------


def test_retry_of_an_ended_session_runs_what_failed_and_what_was_skipped_then_goes_on() -> None:
    drive = Driver(two_waves())
    drive.ends("c#1")
    drive.fails("a#1")
    assert drive.session.outcome == "failed"
    assert started(retry(drive)) == ["a#2"]
    assert (drive.session.phase, drive.session.outcome, drive.session.ended) == ("running", "", None)
    assert started(drive.ends("a#2")) == ["b#1"]
    assert started(drive.ends("b#1")) == ["z#1"]
    drive.ends("z#1")
    assert drive.session.outcome == "succeeded"


def test_retry_of_one_of_two_leaves_what_needs_the_other_skipped() -> None:
    agents = [agent("a"), agent("b"), agent("c", needs=["a", "b"])]
    drive = Driver(one_wave(*agents))
    drive.fails("a#1")
    drive.fails("b#1")
    following = retry(drive, "a")
    assert started(following) == ["a#2"]
    assert outcomes(following) == {"c": "skipped"}
    drive.ends("a#2")
    assert drive.session.outcome == "failed"


def test_retry_of_one_of_two_in_a_held_session_leaves_nobody_waiting_for_ever() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), agent("c", needs=["a", "b"])))
    drive.ends("a#1", "lost")
    drive.fails("b#1")
    assert drive.node("c").state == "waiting"
    retry(drive, "a")
    assert drive.node("c").outcome == "skipped"
    drive.ends("a#2")
    assert drive.session.outcome == "failed"


def test_retry_in_a_held_session_saves_what_waits_for_it_from_being_skipped() -> None:
    drive = Driver(one_wave(agent("a"), agent("b", needs=["a"])))
    drive.ends("a#1", "lost")
    following = retry(drive)
    assert (started(following), outcomes(following)) == (["a#2"], {})
    assert started(drive.ends("a#2")) == ["b#1"]


def test_retry_after_a_continued_wave_runs_the_later_waves_again() -> None:
    drive = Driver(two_waves(gate={"on_failure": "continue"}))
    drive.fails("a#1")
    assert started(drive.ends("c#1")) == ["z#1"]
    drive.ends("z#1")
    retry(drive)
    drive.ends("a#2")
    assert started(drive.ends("b#1")) == ["z#2"]
    drive.ends("z#2")
    assert drive.session.outcome == "succeeded"


def test_retry_when_the_wave_gate_failed_runs_its_agents_again_under_new_ids() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["x"]], "on_failure": "retry", "retries": 1}))
    for attempt in (1, 2):
        drive.ends(f"a#{attempt}")
        drive.fails(f"@w#{attempt}.0")
    assert drive.session.outcome == "failed"
    assert started(retry(drive)) == ["a#3"]
    assert started(drive.ends("a#3")) == ["@w#3.0"], "a run's id is never used twice"
    assert started(drive.fails("@w#3.0")) == ["a#4"], "the gate has its retries again"
    drive.ends("a#4")
    drive.fails("@w#4.0")
    assert drive.session.outcome == "failed"


def test_retry_gives_the_attempts_and_the_time_again() -> None:
    drive = Driver(one_wave(agent("a", retries=1, backoff=1), session={"timeout": 50}, timeout=20))
    drive.at(150.0)
    drive.ends("a#1", "stopped")
    assert drive.session.outcome == "timed-out"
    drive.now = 1000.0
    (start,) = retry(drive)
    assert isinstance(start, ev.RunStarting)
    assert (start.timeout, start.timeout_of) == (20, "wave")
    assert (drive.session.deadline, drive.session.waves[0].deadline) == (1050.0, 1020.0)
    assert kinds(drive.fails("a#2")) == ["retry.scheduled"], "not out of time any more"


def test_retry_while_the_session_goes_on_does_not_move_its_deadline() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), session={"timeout": 50}))
    drive.fails("a#1")
    drive.now += 10
    assert started(retry(drive, "a")) == ["a#2"]
    assert drive.session.deadline == 150.0


def test_retry_that_makes_no_sense() -> None:
    drive = Driver(two_waves())
    with pytest.raises(ConflictError, match="nothing to retry"):
        retry(drive)
    with pytest.raises(NotFoundError):
        retry(drive, "nobody")
    stop(drive)
    with pytest.raises(ConflictError, match="is being stopped"):
        retry(drive)
    for run in list(drive.running):
        drive.ends(run, "stopped")
    assert started(retry(drive)) == ["a#2", "c#2"]


def test_retry_of_a_session_that_succeeded() -> None:
    drive = Driver(one_wave(agent("a")))
    drive.ends("a#1")
    with pytest.raises(ConflictError, match="nothing to retry"):
        retry(drive)


# --- resume ---------------------------------------------------------------------------------------------------------


def test_resume_counts_what_was_lost_as_failed() -> None:
    drive = Driver(one_wave(agent("a")))
    drive.ends("a#1", "lost")
    drive.do(*requests.resume(drive.session, "ada"))
    assert drive.session.outcome == "failed"
    assert drive.node("a").outcome == "lost"
    with pytest.raises(ConflictError, match="is not held"):
        requests.resume(drive.session)
