"""The scheduler on random graphs: order, termination, limits (requirements O2–O5)."""

from __future__ import annotations

from typing import Any

from driving import Driver, agent, kinds, one_wave, outcomes, started
from hypothesis import given
from hypothesis import strategies as st

from waved.domain import events as ev


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Agents each of which needs some of those before it."""
    count = draw(st.integers(1, 9))
    found = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        found.append(agent(f"a{index}", needs=[f"a{number}" for number in sorted(needs)]))
    return draw(st.permutations(found))


def _needs(agents: list[dict[str, Any]]) -> dict[str, set[str]]:
    return {item["name"]: set(item["needs"]) for item in agents}


@given(graphs(), st.integers(0, 3), st.randoms(use_true_random=False), st.sets(st.integers(0, 8)))
def test_random_graphs_end_in_order_within_limits(
    agents: list[dict[str, Any]], limit: int, rng: Any, failing: set[int]
) -> None:
    needs = _needs(agents)
    drive = Driver(one_wave(*agents, session={"max_parallel": limit}))
    begun: list[str] = [run.partition("#")[0] for run in drive.running]
    while drive.session.phase != "ended":
        running = {run.partition("#")[0] for run in drive.running}
        done = {key for key in needs if drive.node(key).outcome == "succeeded"}
        free = {
            key for key in needs if not drive.node(key).outcome and key not in running and needs[key] <= done
        }  # may start: nothing of it has failed, and all it needs has succeeded
        assert not limit or len(running) <= limit
        assert not free or len(running) == limit, "ready, room left, and not started"
        assert running, "nothing runs and the session has not ended"
        drive.now += 1
        run = rng.choice(drive.running)
        key = run.partition("#")[0]
        following = drive.fails(run) if int(key[1:]) in failing else drive.ends(run)
        begun += [name.partition("#")[0] for name in started(following)]
    for key, required in needs.items():
        node = drive.node(key)
        failed_before = {name for name in required if drive.node(name).outcome != "succeeded"}
        expected = "skipped" if failed_before else ("failed" if int(key[1:]) in failing else "succeeded")
        assert node.outcome == expected
        assert len(node.runs) == (0 if failed_before else 1)
        if node.runs:
            assert all(begun.index(name) < begun.index(key) for name in required)
    bad = any(node.outcome != "succeeded" for node in drive.session.nodes.values())
    assert drive.session.outcome == ("failed" if bad else "succeeded")


@given(graphs())
def test_without_a_limit_every_ready_agent_starts_in_the_same_decision(agents: list[dict[str, Any]]) -> None:
    drive = Driver(one_wave(*agents))
    first = [key for key, required in _needs(agents).items() if not required]
    assert drive.running == [f"{key}#1" for key in first]
    assert {event.time for event in drive.log if isinstance(event, ev.RunStarting)} == {drive.now}


@given(graphs(), st.booleans())
def test_one_at_a_time_is_in_the_order_written(agents: list[dict[str, Any]], whole_session: bool) -> None:
    settings: dict[str, Any] = {"session": {"parallel": False}} if whole_session else {"parallel": False}
    drive = Driver(one_wave(*agents, **settings))
    needs = _needs(agents)
    done: list[str] = []
    while drive.session.phase != "ended":
        (run,) = drive.running
        key = run.partition("#")[0]
        assert key == next(name for name in needs if name not in done and needs[name] <= set(done))
        done.append(key)
        drive.ends(run)
    assert len(done) == len(agents)


def test_one_at_a_time_an_agent_keeps_its_turn_through_its_gate_and_its_repetitions() -> None:
    first = agent("a", gate={"commands": [["check"]]}, retries=1, backoff=5)
    drive = Driver(one_wave(first, agent("b"), parallel=False))
    assert started(drive.ends("a#1")) == ["a#1@gate.0"]
    assert kinds(drive.fails("a#1@gate.0"))[-1] == "retry.scheduled"
    assert drive.running == []
    assert started(drive.at(drive.now + 5)) == ["a#2"]
    drive.ends("a#2")
    assert started(drive.ends("a#2@gate.0")) == ["b#1"]


def test_dependent_tasks_start_the_moment_what_they_require_has_succeeded() -> None:
    tasks = [{"name": "base", "domain": "x"}, {"name": "top", "domain": "x", "requires": ["base"]}]
    drive = Driver(one_wave(agent("a", domain="x"), agent("b"), task=tasks))
    assert drive.running == ["a#1", "b#1"]
    following = drive.ends("a#1")
    assert started(following) == ["a/top#1"]
    assert [event.tasks for event in following if isinstance(event, ev.RunStarting)] == [["top"]]


def test_what_can_never_start_is_skipped_with_the_reason() -> None:
    drive = Driver(one_wave(agent("a"), agent("b", needs=["a"]), agent("c", needs=["b"])))
    following = drive.fails("a#1")
    assert outcomes(following) == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert drive.node("c").reason == "b skipped"
    assert drive.session.outcome == "failed"


def test_a_wave_waits_for_the_gate_of_the_one_before() -> None:
    plan = one_wave(agent("a"), gate={"commands": [["check"]]})
    plan["wave"].append({"name": "next", "agent": [agent("b")]})
    drive = Driver(plan)
    assert started(drive.ends("a#1")) == ["@w#1.0"]
    assert drive.session.wave == 0
    assert started(drive.ends("@w#1.0")) == ["b#1"]


def test_a_failed_gate_ends_the_session_or_is_continued_as_the_plan_says() -> None:
    for policy, runs, outcome in (("stop", [], "failed"), ("continue", ["b#1"], "")):
        plan = one_wave(agent("a"), gate={"commands": [["check"]], "on_failure": policy})
        plan["wave"].append({"name": "next", "agent": [agent("b")]})
        drive = Driver(plan)
        drive.ends("a#1")
        assert started(drive.fails("@w#1.0")) == runs
        assert drive.session.outcome == outcome
    drive.ends("b#1")
    assert drive.session.outcome == "failed", "what was continued is still not a success"
    assert "continued" in drive.session.reason


def test_repetitions_back_off_and_are_told_what_failed() -> None:
    drive = Driver(one_wave(agent("a", retries=2, backoff=4)))
    (scheduled,) = drive.fails("a#1", "no such table")
    assert isinstance(scheduled, ev.RetryScheduled)
    assert scheduled.at == drive.now + 4
    assert drive.at(drive.now + 3.999) == []
    (start,) = drive.at(scheduled.at)
    assert isinstance(start, ev.RunStarting)
    assert (start.attempt, start.failure) == (2, "no such table")
    (scheduled,) = drive.fails("a#2")
    assert isinstance(scheduled, ev.RetryScheduled)
    assert scheduled.at == drive.now + 8
    drive.at(scheduled.at)
    assert outcomes(drive.fails("a#3")) == {"a": "failed"}


def test_a_start_that_came_to_nothing_uses_up_no_attempt_and_is_not_hammered() -> None:
    drive = Driver(one_wave(agent("a")))
    assert started(drive.ends("a#1", "withdrawn")) == ["a#2"], "the daemon was restarted: at once"
    waits = []
    for attempt in range(2, 11):
        begin = drive.now
        assert started(drive.ends(f"a#{attempt}", "withdrawn")) == []
        at = drive.node("a").retry_at
        assert at is not None
        waits.append(at - begin)
        assert started(drive.at(at)) == [f"a#{attempt + 1}"]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    drive.ends("a#11")
    assert drive.session.outcome == "succeeded"


def test_lost_is_held_repeated_or_failed_as_the_plan_says_and_never_a_success() -> None:
    for policy, held, runs in (("hold", True, []), ("fail", False, []), ("retry", False, ["a#2"])):
        drive = Driver(one_wave(agent("a", backoff=1), session={"on_lost": policy}))
        drive.ends("a#1", "lost")
        assert bool(drive.session.held) == held
        assert started(drive.at(drive.now + 1)) == runs
        assert drive.session.outcome == ("failed" if policy == "fail" else "")


def test_a_held_session_starts_nothing_until_it_is_resumed() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), agent("c", needs=["b"]), agent("d", needs=["a"])))
    drive.ends("a#1", "lost")
    assert drive.ends("b#1") != []
    assert drive.running == []
    following = drive.do(ev.SessionResumed("s"))
    assert started(following) == ["c#1"]
    assert outcomes(following) == {"d": "skipped"}


def test_facts_that_come_twice_late_or_for_the_unknown_are_not_admitted() -> None:
    drive = Driver(one_wave(agent("a"), agent("b")))
    begun = ev.RunStarted("s", "s/a#1", 7, 100.1)
    from waved.domain.fold import admissible

    assert admissible(drive.session, begun)
    drive.do(begun)
    assert not admissible(drive.session, begun)
    drive.ends("a#1")
    for fact in (
        begun,
        ev.RunEnded("s", "s/a#1", "exited", 0),
        ev.RunEnded("s", "s/nobody#1", "exited", 0),
        ev.RunStarted("s", "s/nobody#1", 7, 1.0),
        ev.CheckEnded("s", "s/@w#1", 0, ok=True),
        ev.ChecklistEnded("s", ok=True),
        ev.ChecklistItemChecked("s", "disk", ok=True),
    ):
        assert not admissible(drive.session, fact), fact
