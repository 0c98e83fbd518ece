"""Snapshots in time, the preview, silence, time limits, commands; and what views show of all that."""

from __future__ import annotations

from typing import Any

import msgpack
from driving import Guarded, agent, kinds, of, one_wave, started

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.decide import next_deadline
from waved.domain.fold import admissible
from waved.domain.view import view


def two_waves(**more: Any) -> dict[str, Any]:
    plan = one_wave(agent("a"), **more)
    plan["wave"].append({"name": "later", "agent": [agent("z")]})
    return plan


# --- snapshots ----------------------------------------------------------------------------------------------------


def test_nothing_starts_before_the_first_snapshot() -> None:
    drive = Guarded.__new__(Guarded)
    super(Guarded, drive).__init__(one_wave(agent("a")), guarded=True)
    assert kinds(drive.log) == ["checklist.ended", "snapshot.taking"]
    assert started(drive.taken("s1")) == ["a#1"]
    assert drive.session.checklist[-1].item == "backups"
    assert drive.session.nodes["a"].runs[0].base == "s1"


def test_without_a_backup_the_session_is_refused_unless_that_is_waived() -> None:
    drive = Guarded.__new__(Guarded)
    super(Guarded, drive).__init__(one_wave(agent("a")), guarded=True)
    drive.taken("s1", error="the disk is full")
    assert (drive.session.outcome, drive.session.reason) == ("refused", "the checklist failed: backups")
    super(Guarded, drive).__init__(one_wave(agent("a")), guarded=True)
    drive.session.waived = ["backups"]
    assert started(drive.taken("s1", error="the disk is full")) == ["a#1"]


def test_a_snapshot_before_each_later_wave_and_one_that_fails_is_told() -> None:
    drive = Guarded(two_waves())
    (taking,) = of(drive.ends("a#1"), ev.SnapshotTaking)
    assert (taking.label, taking.wave) == ("wave later", "later")
    following = drive.taken("s2", error="the disk is full")
    assert kinds(following)[:2] == ["finding.made", "wave.started"]
    assert drive.session.waves[1].base == "s1"
    assert started(following) == ["z#1"]


def test_a_snapshot_that_never_comes_counts_as_failed() -> None:
    drive = Guarded(two_waves())
    drive.ends("a#1")
    assert next_deadline(drive.session) == 700.0
    assert started(drive.at(700.0)) == ["z#1"]
    assert not admissible(drive.session, ev.SnapshotTaken("s", "s2", "late"))


def test_what_succeeded_is_kept_while_others_work() -> None:
    drive = Guarded(one_wave(agent("a"), agent("b"), agent("c", needs=["a"])))
    following = drive.ends("a#1")
    assert [event.label for event in of(following, ev.SnapshotTaking)] == ["after a"]
    assert started(following) == ["c#1"], "nobody waits for it"
    drive.ends("c#1")
    drive.taken("s2")
    assert drive.guards.newest == "s2"


def test_the_snapshot_before_a_wave_keeps_what_the_last_agents_left_too() -> None:
    """Another of the same files would take the processors from the wave's start."""
    plan = one_wave(agent("a"), agent("b"), agent("c"))
    drive = Guarded({**plan, "wave": [*plan["wave"], {"name": "later", "agent": [agent("z")]}]})
    drive.ends("a#1")
    drive.ends("b#1")
    assert drive.guards.after == "b", "one is being taken"
    (taking,) = of([*drive.ends("c#1"), *drive.taken("s2")], ev.SnapshotTaking)
    assert taking.wave == "later"
    following = drive.taken(taking.snapshot)
    assert started(following) == ["z#1"]
    assert of(following, ev.SnapshotTaking) == []


def test_without_snapshots_there_is_none() -> None:
    drive = Guarded({**two_waves(), "snapshots": {"enabled": False}})
    drive.ends("a#1")
    drive.ends("z#1")
    assert drive.session.outcome == "succeeded"
    assert of(drive.log, ev.SnapshotTaking) == []


# --- the preview --------------------------------------------------------------------------------------------------


def preview_plan(**more: Any) -> dict[str, Any]:
    preview = {"url": "http://localhost:{port}/", "command": ["serve"], "start_timeout": 10}
    return {**one_wave(agent("a")), "preview": preview, "monitor": [{"kind": "preview"}], **more}


def served() -> Guarded:
    drive = Guarded(preview_plan())
    drive.do(ev.PortLeased("s", 4321))
    drive.do(ev.PreviewAnswered("s", "http://localhost:4321/", 0.1))
    return drive


def test_the_preview_is_up_before_anybody_starts_and_gone_before_the_end() -> None:
    drive = Guarded(preview_plan())
    assert kinds(drive.log)[-1] == "port.leasing"
    assert started(drive.do(ev.PortLeased("s", 4321))) == ["preview@#1"]
    assert started(drive.do(ev.PreviewAnswered("s", "http://localhost:4321/", 0.1))) == ["a#1"]
    assert kinds(drive.ends("a#1"))[-1] == "run.stopping"
    assert drive.session.phase == "running"
    drive.ends("preview@#1", "stopped")
    assert drive.session.outcome == "succeeded"


def test_a_preview_that_does_not_answer_fails_the_checklist() -> None:
    drive = Guarded(preview_plan())
    drive.do(ev.PortLeased("s", 4321))
    drive.at(110.0)
    assert "preview" in of(drive.log, ev.ChecklistItemChecked)[-1].item
    drive.ends("preview@#1", "stopped")
    assert drive.session.outcome == "refused"


def test_a_preview_that_ends_is_started_again_with_pauses_and_told_of_when_it_keeps_ending() -> None:
    drive = served()
    for attempt in range(1, 6):
        assert started(drive.fails(f"preview@#{attempt}")) == []
        due = next_deadline(drive.session)
        assert due is not None
        assert due > drive.now
        assert started(drive.at(due)) == [f"preview@#{attempt + 1}"]
    following = drive.fails("preview@#6")
    assert "the preview keeps ending" in of(following, ev.FindingMade)[0].summary
    assert "a#1" in [event.run.removeprefix("s/") for event in of(following, ev.RunStopping)], "stop-all"


def test_a_broken_preview_stops_all_and_its_uptime_is_known() -> None:
    drive = served()
    drive.now += 30
    following = drive.do(ev.PreviewFailed("s", "http://localhost:4321/", "status 500"))
    assert of(following, ev.FindingMade)[0].severity == "critical"
    assert [event.run for event in of(following, ev.RunStopping)] == ["s/a#1"]
    drive.ends("a#1", "stopped")
    assert drive.session.held
    shown = view(drive.session, drive.now + 10)["preview"]
    assert (shown["state"], shown["seconds_up"], shown["seconds"], shown["uptime"]) == ("down", 30, 40, 0.75)
    assert "finding.cleared" in kinds(drive.do(ev.PreviewAnswered("s", "http://localhost:4321/", 0.1)))


def test_the_preview_is_started_again_after_a_restore() -> None:
    drive = Guarded(preview_plan(monitor=[{"kind": "corruption", "reactions": ["rollback-file"]}]))
    drive.do(ev.PortLeased("s", 4321))
    drive.do(ev.PreviewAnswered("s", "u", 0.1))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    drive.taken("s2")
    stopped = of(drive.restored("r1", paths=["a.ts"]), ev.RunStopping)
    assert [event.run for event in stopped] == ["s/preview@#1"]
    assert started(drive.ends("preview@#1", "stopped")) == ["preview@#2"]
    assert drive.guards.findings == {}


# --- silence, limits, commands ------------------------------------------------------------------------------------


def test_no_file_changes_and_then_one_does() -> None:
    drive = Guarded({**one_wave(agent("a")), "monitor": [{"kind": "file-changes", "interval": 30}]})
    drive.now = 110
    drive.do(ev.FilesChanged("s", {"a": [["x", "modified"]]}))
    assert next_deadline(drive.session) == 140.0
    assert kinds(drive.at(140.0)) == ["finding.made", "reaction.started", "reaction.ended"]
    assert next_deadline(drive.session) is None, "told once, as long as it lasts"
    assert kinds(drive.do(ev.FilesChanged("s", {"": [["x", "modified"]]}))) == ["finding.cleared"]
    shown = view(drive.session, drive.now)["waves"][0]["assignments"][0]
    assert (shown["files_changed"], shown["changes"], shown["last_change"]) == (1, 1, 110)


def test_an_agent_without_progress_is_told_of_and_then_started_again() -> None:
    drive = Guarded({**one_wave(agent("a")), "monitor": [{"kind": "progress"}]})
    drive.now = 300
    following = drive.do(ev.RunStalled("s", "s/a#1", "tool", 180.0, 120))
    assert kinds(following) == ["finding.made", "reaction.started", "reaction.ended"]
    assert "no progress for 2m (tool)" in of(following, ev.FindingMade)[0].summary
    drive.now = 420
    assert kinds(drive.do(ev.RunStalled("s", "s/a#1", "tool", 180.0, 120)))[-1] == "run.stopping"
    assert started(drive.ends("a#1", "stopped")) == ["a#2"]
    assert drive.guards.findings == {}


def test_a_silent_agent_whose_files_change_makes_progress() -> None:
    drive = Guarded({**one_wave(agent("a")), "monitor": [{"kind": "progress"}]})
    drive.now = 200
    drive.do(ev.FilesChanged("s", {"a": [["x", "modified"]]}))
    drive.now = 300
    assert drive.do(ev.RunStalled("s", "s/a#1", "tool", 180.0, 120)) == []
    drive.now = 420  # the worker sees nothing still, and neither have its files changed for as long
    (found,) = of(drive.do(ev.RunStalled("s", "s/a#1", "tool", 180.0, 120)), ev.FindingMade)
    assert "no progress for 3m40s" in found.summary


def test_who_nears_its_limit_and_who_was_ended_by_it() -> None:
    drive = Guarded({**one_wave(agent("a", timeout=100)), "monitor": [{"kind": "timeouts"}]})
    assert next_deadline(drive.session) == 180.0
    assert "has run 1m20s of its 1m40s" in of(drive.at(180.0), ev.FindingMade)[0].summary
    following = drive.ends("a#1", "timed-out")
    assert "was ended by the agent's time limit" in of(following, ev.FindingMade)[0].summary
    assert drive.node("a").outcome == "timed-out"
    assert drive.guards.findings == {}


def test_a_command_runs_again_and_again_while_agents_work() -> None:
    command = {"kind": "command", "name": "lint", "run": ["lint"], "interval": 60, "timeout": 20}
    drive = Guarded({**one_wave(agent("a")), "monitor": [command]})
    assert started(drive.at(160.0)) == ["monitor@lint#1"]
    following = drive.ends("monitor@lint#1", code=1, reason="exited with status 1", tail="bad line")
    (found,) = of(following, ev.FindingMade)
    assert (found.monitor, found.evidence) == ("lint", "bad line")
    assert started(drive.at(220.0)) == ["monitor@lint#2"]
    assert kinds(drive.ends("monitor@lint#2")) == ["finding.cleared"]
    assert started(drive.at(280.0)) == ["monitor@lint#3"]
    assert kinds(drive.ends("a#1"))[-1] == "run.stopping", "nobody waits for it"
    drive.ends("monitor@lint#3", "stopped")
    assert drive.session.outcome == "succeeded"


# --- views, and what is not so --------------------------------------------------------------------------------------


def test_a_view_shows_what_was_found_and_done() -> None:
    drive = Guarded({**one_wave(agent("a")), "monitor": [{"kind": "corruption"}]})
    drive.finds("a.ts", "a", line=3)
    drive.frozen("a#1")
    shown = view(drive.session, drive.now)
    msgpack.packb(shown)
    assert shown["open_findings"] == 1
    assert (shown["findings"][0]["path"], shown["findings"][0]["reactions"]) == ("a.ts", ["r1"])
    assert shown["reactions"][0]["state"] == "keeping"
    assert [each["snapshot"] for each in shown["snapshots"]] == ["s2", "s1"]
    assert shown["waves"][0]["assignments"][0]["runs"][0]["frozen"] is True


def test_a_session_of_an_older_journal_has_no_guards() -> None:
    from driving import Driver

    drive = Driver({**one_wave(agent("a")), "monitor": [{"kind": "corruption"}]})
    assert drive.session.guards is None
    assert not admissible(drive.session, ev.FindingMade("s", "f1", "corruption", "x"))
    assert view(drive.session, drive.now)["findings"] == []
    drive.ends("a#1")
    assert drive.session.outcome == "succeeded"


def test_what_comes_twice_or_late_or_of_nothing_is_not_recorded() -> None:
    drive = Guarded({**one_wave(agent("a")), "monitor": [{"kind": "corruption"}]})
    drive.finds("a.ts", "a")
    session = drive.session
    for event in (
        ev.FindingMade("s", "f1", "corruption", "again"),
        ev.FindingMade("s", "d7", "corruption", "the domain's own name"),
        ev.FindingCleared("s", "f9", "unknown"),
        ev.RunFrozen("s", "s/b#1"),
        ev.RestoreEnded("s", "r1", ok=True),
        ev.SnapshotTaken("s", "s9", "c"),
        ev.SnapshotTaken("s", "g0", "c"),
        ev.GuardCaughtUp("s", "s/a#1@gate", 0),
        ev.PreviewAnswered("s", "u", 0.1),
        ev.RunProgressed("s", "s/a#1"),
    ):
        assert not admissible(session, event), event


def test_an_ended_session_that_is_retried_keeps_what_is_there_first() -> None:
    drive = Guarded(one_wave(agent("a")))
    drive.fails("a#1")
    assert drive.session.outcome == "failed"
    following = drive.do(*requests.retry(drive.session))
    assert [event.label for event in of(following, ev.SnapshotTaking)] == ["again"]
    assert started(following) == []
    assert started(drive.taken("s2")) == ["a#2"]
    assert drive.node("a").runs[-1].base == "s2"
