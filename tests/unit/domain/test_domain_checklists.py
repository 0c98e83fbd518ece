"""Checklists of waves and of completion: each item against what was observed (C2)."""

from __future__ import annotations

from typing import Any

import msgpack
from driving import Driver, Guarded, agent, one_wave

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.checklists import Item, checklists
from waved.domain.view import view


def lists(drive: Driver) -> dict[str, dict[str, Item]]:
    """Items by the name of their list (of a wave: its name) and their own."""
    found = checklists(drive.session, drive.now)
    return {each.wave or each.checklist: {item.item: item for item in each.items} for each in found}


def begun(drive: Driver, *runs: str, at: float = 100.0, apart: float = 0.0) -> None:
    for place, run in enumerate(runs):
        drive.do(ev.RunStarted("s", f"s/{run}", 7, at + place * apart))


def test_agents_that_start_together_and_the_evidence() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), agent("c", needs=["a"])))
    assert lists(drive)["w"]["started-together"].state == "open"
    begun(drive, "a#1", "b#1", apart=0.002)
    item = lists(drive)["w"]["started-together"]
    assert (item.state, item.evidence) == ("ticked", "2 of 2 agents at once, start skew 2.0 ms")


def test_agents_that_start_too_far_apart_did_not_start_together() -> None:
    drive = Driver(one_wave(agent("a"), agent("b")))
    begun(drive, "a#1", "b#1", apart=2.0)
    assert lists(drive)["w"]["started-together"].state == "unticked"
    strict = Driver({**one_wave(agent("a"), agent("b")), "goals": {"skew": "10ms"}})
    begun(strict, "a#1", "b#1", apart=0.02)
    assert lists(strict)["w"]["started-together"].state == "unticked"


def test_an_agent_that_never_started_is_missed_at_the_end() -> None:
    drive = Driver(one_wave(agent("a"), agent("b")))
    begun(drive, "a#1")
    drive.ends("b#1", "not-started", reason="no such program")
    drive.ends("a#1")
    item = lists(drive)["w"]["started-together"]
    assert (item.state, item.evidence) == ("unticked", "1 of 2 agents at once")


def test_what_the_plan_wants_one_by_one_is_no_failure() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), parallel=False))
    items = lists(drive)["w"]
    assert items["started-together"].state == items["no-gaps"].state == "not-applicable"
    assert lists(Driver(one_wave(agent("a"))))["w"]["started-together"].state == "not-applicable"


def test_a_limit_of_the_plan_is_told() -> None:
    drive = Driver(one_wave(agent("a"), agent("b"), agent("c"), session={"max_parallel": 2}))
    begun(drive, "a#1", "b#1", apart=0.001)
    item = lists(drive)["w"]["started-together"]
    assert item.state == "ticked"
    assert "2 of 2 agents at once (of 3; the plan allows 2)" in item.evidence


def test_a_dependent_that_starts_at_once_leaves_no_gap_and_one_that_waits_does() -> None:
    for wait, state in ((0.01, "ticked"), (120.0, "unticked")):
        drive = Driver(one_wave(agent("a"), agent("b", needs=["a"])))
        begun(drive, "a#1", at=100.001)
        drive.at(110.0)
        drive.ends("a#1")
        begun(drive, "b#1", at=110.0 + wait)
        drive.at(240.0)
        drive.ends("b#1")
        item = lists(drive)["w"]["no-gaps"]
        assert item.state == state
        assert item.evidence.endswith("(b)")


def test_a_gap_is_measured_from_the_last_end_of_what_is_required() -> None:
    drive = Driver(one_wave(agent("a"), agent("b", needs=["a"])))
    begun(drive, "a#1")
    drive.at(110.0)
    drive.ends("a#1")
    begun(drive, "b#1", at=110.0)
    drive.fails("b#1")
    drive.at(500.0)
    drive.do(*requests.retry(drive.session, ["b"]))
    begun(drive, "b#2", at=500.0)
    drive.ends("b#2")
    assert drive.session.outcome == "succeeded"
    assert lists(drive)["w"]["no-gaps"].state == "ticked"


def two_waves(**gate: Any) -> dict[str, Any]:
    plan = one_wave(agent("a", produces=["docs/*.md"]), gate=gate, task=[
        {"name": "one", "prompt": "…", "agent": "a"}, {"name": "two", "prompt": "…", "agent": "a"},
    ])  # fmt: skip
    plan["wave"].append({"name": "next", "agent": [agent("b")], "forbid_tools": ["WebFetch"]})
    return plan


def test_a_session_from_beginning_to_end() -> None:
    drive = Driver(two_waves(commands=[["x"]]))
    begun(drive, "a#1")
    wave = lists(drive)["w"]
    assert (wave["tasks"].state, wave["tasks"].evidence) == ("ticked", "2 of 2 tasks independent")
    assert wave["wave-before"].state == "not-applicable"
    assert {wave[name].state for name in ("agents", "outputs", "tests", "verified")} == {"open"}
    drive.ends("a#1")
    (gate,) = drive.session.gates.values()
    drive.do(ev.CheckEnded("s", gate.id, 0, True, "outputs", files=["docs/one.md"]))
    assert (lists(drive)["w"]["outputs"].state, drive.session.waves[0].phase) == ("open", "gate")
    drive.ends("@w#1.0")
    wave = lists(drive)["w"]
    assert {wave[name].state for name in ("agents", "outputs", "tests", "verified")} == {"ticked"}
    assert wave["outputs"].evidence == "1 of 1: docs/*.md; 1 file found: docs/one.md"
    assert wave["tests"].evidence == "1 of 1 command succeeded"
    after = lists(drive)["next"]
    assert (after["wave-before"].state, after["wave-before"].evidence) == ("ticked", "w: passed")
    begun(drive, "b#1")
    drive.ends("b#1")
    last = lists(drive)
    assert (last["next"]["tools"].state, last["next"]["tools"].evidence) == ("ticked", "none of WebFetch was used")
    assert (last["next"]["verified"].state, last["next"]["verified"].evidence) == (
        "unticked", "there was nothing to check",
    )  # fmt: skip
    assert last["completion"]["nothing-runs"].state == "ticked"
    assert last["completion"]["tasks"].evidence == "3 of 3 pieces of work succeeded, 2 verified; unverified: b"


def test_what_was_not_reached_is_not_ticked() -> None:
    drive = Driver(two_waves(commands=[["x"]]))
    begun(drive, "a#1")
    drive.fails("a#1")
    last = lists(drive)
    assert last["w"]["agents"].evidence == "0 of 1; not: a (failed)"
    assert (last["next"]["agents"].state, last["next"]["agents"].evidence) == ("unticked", "the wave was not reached")
    assert (last["next"]["wave-before"].state, last["next"]["wave-before"].evidence[:9]) == ("unticked", "w: failed")
    assert last["completion"]["tasks"].evidence == "0 of 3 pieces of work succeeded, 0 verified; not done: one, two, b"
    assert last["completion"]["tasks"].state == "unticked"


def test_a_forbidden_tool_that_was_used_is_named() -> None:
    drive = Guarded(one_wave(agent("a"), forbid_tools=["WebFetch"]))
    begun(drive, "a#1")
    drive.do(ev.RunActed("s", "s/a#1", "tool", tool="WebFetch", forbidden=["WebFetch"]))
    item = lists(drive)["w"]["tools"]
    assert (item.state, item.evidence) == ("unticked", "used: WebFetch by a")


def watched(**more: Any) -> dict[str, Any]:
    monitors = [
        {"kind": "corruption", "patterns": ["x"], "reactions": ["alert"]}, {"kind": "progress", "after": 120},
    ]  # fmt: skip
    return {**one_wave(agent("a"), agent("b")), "monitor": monitors, **more}


def test_guards_are_told_with_what_they_saw() -> None:
    drive = Guarded(watched())
    begun(drive, "a#1", "b#1")
    drive.do(ev.FilesChanged("s", {"a": [["x", "modified"], ["y", "added"]]}))
    items = lists(drive)["w"]
    assert (items["monitors"].state, items["progress"].state) == ("ticked", "ticked")
    assert items["monitors"].evidence == "2 monitors: corruption, progress; 2 changes of files seen"
    assert items["progress"].evidence == "progress (after 2m); 0 findings"
    assert items["backup"].state == "ticked"
    assert items["corruption"].state == "open"
    drive.finds("x", by="a")
    assert lists(drive)["w"]["corruption"].evidence == "1 finding open: x"
    drive.do(ev.FindingCleared("s", "f1", "it is no longer so"))
    assert lists(drive)["w"]["corruption"].evidence == "1 finding, all put right"


def test_without_guards_nothing_is_claimed() -> None:
    drive = Driver(one_wave(agent("a")))
    begun(drive, "a#1")
    drive.ends("a#1")
    names = ("backup", "monitors", "progress", "corruption", "tools", "outputs", "tests", "tasks")
    assert {lists(drive)["w"][name].state for name in names} == {"not-applicable"}


def test_a_preview_counts_until_the_work_is_over_and_not_while_it_is_shut_down() -> None:
    plan = {**one_wave(agent("a")), "preview": {"url": "http://localhost:1/", "command": ["serve"]}}
    drive = Guarded(plan)
    drive.do(ev.RunStarted("s", "s/preview@#1", 8, 100.0), ev.PreviewAnswered("s", "http://localhost:1/", 0.1))
    begun(drive, "a#1")
    assert lists(drive)["completion"]["preview"].evidence.endswith("answers now")
    drive.at(110.0)
    drive.ends("a#1")
    drive.at(115.0)
    drive.do(ev.PreviewFailed("s", "http://localhost:1/", "refused"))
    drive.ends("preview@#1", "stopped")
    assert drive.session.phase == "ended"
    item = lists(drive)["completion"]["preview"]
    assert (item.state, item.evidence) == ("ticked", "http://localhost:1/, up 10 of 10 s; it answered to the end")
    assert drive.guards.preview is not None
    assert drive.guards.preview.seconds_up == drive.guards.preview.seconds == 10


def test_a_session_that_is_repeated_counts_its_preview_again_once_it_answers() -> None:
    plan = {**one_wave(agent("a")), "preview": {"url": "http://localhost:1/", "command": ["serve"]}}
    drive = Guarded(plan)
    drive.do(ev.RunStarted("s", "s/preview@#1", 8, 100.0), ev.PreviewAnswered("s", "http://localhost:1/", 0.1))
    drive.at(110.0)
    drive.fails("a#1")
    drive.ends("preview@#1", "stopped")
    drive.at(500.0)
    drive.do(*requests.retry(drive.session, ["a"]))
    drive.at(505.0)
    drive.do(ev.PreviewAnswered("s", "http://localhost:1/", 0.1))
    drive.at(510.0)
    preview = drive.guards.preview
    assert preview is not None
    assert (preview.watched_from, preview.seconds, preview.at_end) == (505.0, 10.0, None)


def test_the_view_tells_them_and_what_agents_say_is_bounded() -> None:
    name = "x" * 20_000
    drive = Guarded(watched(session={"name": "s"}))
    drive.finds(name, by="a")
    shown = view(drive.session, drive.now)["checklists"]
    assert [each["checklist"] for each in shown] == ["pre-deployment", "wave", "completion"]
    assert all(
        item["state"] in ("ticked", "unticked", "open", "not-applicable") for it in shown for item in it["items"]
    )
    assert len(msgpack.packb(shown)) < 8_000


def test_before_deployment_is_told_in_the_words_of_what_was_looked_at() -> None:
    plan = {**one_wave(agent("a")), "monitor": [{"kind": "file-size", "paths": ["**"]}]}
    drive = Driver.__new__(Driver)
    drive.now, drive.log = 100.0, []
    from waved.domain.fold import begin
    from waved.plan.models import Plan

    dumped = Plan.model_validate(plan).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    drive.session = begin(ev.SessionSubmitted("s", dumped, "/w", guarded=True, time=100.0, seq=1))
    assert {item.state for item in lists(drive)["pre-deployment"].values()} == {"open", "not-applicable"}
    drive.do(ev.ChecklistItemChecked("s", "workspace", ok=True, detail="/w"), follow=False)
    drive.do(ev.ChecklistItemChecked("s", "disk", ok=False, detail="full", waived=True), follow=False)
    drive.do(ev.ChecklistItemChecked("s", "file sizes", ok=True, detail="3 files within the limit"), follow=False)
    items = lists(drive)["pre-deployment"]
    assert (items["infrastructure"].state, items["infrastructure"].evidence) == (
        "unticked",
        "disk: full (waived: disk)",
    )
    assert (items["file-sizes"].state, items["file-sizes"].evidence) == ("ticked", "3 files within the limit")
    assert items["session-folder"].state == "not-applicable"
