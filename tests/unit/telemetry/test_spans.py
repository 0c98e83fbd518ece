"""A session as a trace: whole, always the same, and no wider than what is known."""

from __future__ import annotations

from tests.unit.domain.driving import Driver, agent, one_wave
from waved.domain import events as ev
from waved.telemetry.spans import LONGEST, MOST_NOTES, Span, Trace, trace_of


def story(driver: Driver) -> list[ev.Event]:
    """All events of a driver's session."""
    plan = driver.session.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return [ev.SessionSubmitted("s", plan, "/w", time=100.0, seq=1), *driver.log]


def failed_once() -> Driver:
    """A session with a failed attempt, a second one, and a sibling."""
    driver = Driver(one_wave(agent("a", retries=1), {"name": "b", "use": "claude", "prompt": "x"}))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.5), ev.RunStarted("s", "s/b#1", 12, exec_time=100.5))
    driver.at(107.0)
    driver.ends("a#1", code=3, reason="exited with status 3", end_time=106.9)
    driver.ends("b#1", judged=True, acted={"model": "m", "usage": {"input": 9, "output": 1, "cost": 0.5}})
    driver.at(300.0)
    driver.do(ev.RunStarted("s", "s/a#2", 13, exec_time=300.1))
    driver.ends("a#2", end_time=301.0)
    assert driver.session.outcome == "succeeded"
    return driver


def named(trace: Trace) -> dict[str, Span]:
    """Spans by run, wave, or session."""
    return {str(span.attributes.get("waved.run") or span.name): span for span in trace.spans}


def test_session_wave_and_runs_with_times_attributes_and_status() -> None:
    trace = trace_of(story(failed_once()))
    spans = named(trace)
    assert list(spans) == ["session s", "wave w", "s/a#1", "s/b#1", "s/a#2"]
    root, wave = spans["session s"], spans["wave w"]
    assert (root.parent, wave.parent) == (None, root.id)
    assert all(span.parent == wave.id for name, span in spans.items() if name.startswith("s/"))
    assert (root.ok, wave.ok) == (True, True)
    first, second = spans["s/a#1"], spans["s/a#2"]
    assert (first.start, first.end, first.ok, first.reason) == (100.5, 106.9, False, "exited with status 3")
    assert first.attributes["process.exit.code"] == 3
    assert (second.start, second.end, second.ok) == (300.1, 301.0, True)
    assert second.attributes["waved.attempt"] == 2
    other = spans["s/b#1"].attributes
    assert (other["waved.program"], other["gen_ai.usage.input_tokens"], other["waved.cost_dollars"]) == (
        "claude",
        9,
        0.5,
    )
    assert root.attributes["waved.outcome"] == "succeeded"
    assert root.start == 100.0
    assert all(span.end is not None and span.end >= span.start for span in trace.spans)


def test_the_same_events_make_the_same_trace_and_other_sessions_another() -> None:
    driver = failed_once()
    one, other = trace_of(story(driver)), trace_of(story(driver))
    assert one == other
    assert len({span.id for span in one.spans}) == len(one.spans)
    assert 0 < one.id < 2**128
    assert all(0 < span.id < 2**64 for span in one.spans)
    later = story(driver)
    later[0].time = 101.0
    assert trace_of(later).id != one.id


def test_a_session_that_is_opened_again_goes_on_in_its_trace() -> None:
    driver = Driver(one_wave(agent("a"), agent("b")))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.0), ev.RunStarted("s", "s/b#1", 12, exec_time=100.0))
    driver.ends("b#1")
    driver.fails("a#1")
    assert driver.session.phase == "ended"
    before = trace_of(story(driver))
    driver.now = 500.0
    driver.do(ev.SessionRetried("s", ["a"], by="me"))
    driver.do(ev.RunStarted("s", "s/a#2", 13, exec_time=500.1))
    driver.now = 510.0
    driver.ends("a#2")
    assert driver.session.outcome == "succeeded"
    after = trace_of(story(driver))
    assert after.id == before.id
    assert after.spans[0].parent == before.spans[0].id
    assert [span.attributes.get("waved.run") for span in after.spans if span.kind == "run"] == ["s/a#2"]
    assert not {span.id for span in after.spans} & {span.id for span in before.spans}
    assert after.spans[0].start == 500.0


def test_what_nobody_can_say_is_not_said() -> None:
    driver = Driver(one_wave(agent("a"), session={"on_lost": "fail"}))
    driver.do(ev.RunStarted("s", "s/a#1", 11, exec_time=100.0))
    driver.ends("a#1", outcome="lost", reason="no exit record")
    [run] = [span for span in trace_of(story(driver)).spans if span.kind == "run"]
    assert run.ok is None
    assert "process.exit.code" not in run.attributes


def test_notes_and_texts_are_bounded() -> None:
    events: list[ev.Event] = [ev.SessionSubmitted("s", {"session": {"name": "n"}}, "/w", time=1.0)]
    events += [ev.FindingMade("s", f"f{n}", "m", "x" * 5000, time=2.0) for n in range(3 * MOST_NOTES)]
    events += [ev.SessionEnded("s", "failed", reason="y" * 5000, time=3.0)]
    [root] = trace_of(events).spans
    assert len(root.notes) == MOST_NOTES
    assert len(str(root.notes[0][2]["summary"])) == LONGEST
    assert (root.ok, len(root.reason)) == (False, LONGEST)
