"""Ladders and reactions: from a finding to files restored and an agent that starts again."""

from __future__ import annotations

from typing import Any

from driving import Guarded, agent, kinds, of, one_wave, outcomes, started

from waved.domain import events as ev
from waved.domain.decide import next_deadline

CORRUPTION = {"kind": "corruption", "patterns": ["const const"]}


def plan(*agents: dict[str, Any], reactions: list[Any] | None = None, **wave: Any) -> dict[str, Any]:
    monitor = {**CORRUPTION, **({"reactions": reactions} if reactions is not None else {})}
    return {**one_wave(*agents, **wave), "monitor": [monitor]}


# --- the order of an emergency ------------------------------------------------------------------------------------


def test_freeze_snapshot_restore_end_and_start_again() -> None:
    drive = Guarded(plan(agent("a"), agent("b")))
    assert kinds(drive.finds("a.ts", "a", line=3, evidence="const const x")) == ["reaction.started", "run.freezing"]
    assert drive.guards.frozen["s/a#1"].state == "freezing"
    (taking,) = of(drive.frozen("a#1"), ev.SnapshotTaking)
    assert (taking.snapshot, taking.label, taking.reaction) == ("s2", "before r1", "r1")
    (restoring,) = of(drive.taken("s2"), ev.RestoreStarting)
    assert (restoring.scope, restoring.present, restoring.to, restoring.paths) == ("file", "s2", "", ["a.ts"])
    following = drive.restored("r1", paths=["a.ts"])
    assert kinds(following) == ["finding.cleared", "run.stopping"]
    assert of(following, ev.RunStopping)[0].reaction == "r1"
    following = drive.ends("a#1", "stopped")
    assert kinds(following) == ["reaction.ended", "retry.scheduled", "run.starting"]
    again = of(following, ev.RunStarting)[0]
    assert again.run == "s/a#2"
    assert "const const" in again.failure
    assert "a.ts, line 3" in again.failure
    assert "kept in snapshot s2" in again.failure
    assert drive.running == ["b#1", "a#2"]
    assert drive.guards.frozen == {}


def test_a_restart_uses_up_no_retries() -> None:
    drive = Guarded(plan(agent("a", retries=1), reactions=[{"do": "restart-agent", "times": 3}, "hold"]))
    for attempt in (1, 2, 3):
        drive.finds("a.ts", "a")
        assert started(drive.ends(f"a#{attempt}", "stopped")) == [f"a#{attempt + 1}"]
    assert kinds(drive.fails("a#4"))[0] == "retry.scheduled"
    drive.at(drive.now + 10)
    assert outcomes(drive.fails("a#5")) == {"a": "failed"}


def test_who_may_write_the_path_is_frozen_where_the_writer_is_unknown_and_nobody_else() -> None:
    drive = Guarded(plan(agent("a", owns=["src/"]), agent("b", owns=["docs/"]), agent("c")))
    freezing = of(drive.finds("src/x.ts"), ev.RunFreezing)
    assert [event.run for event in freezing] == ["s/a#1", "s/c#1"]
    drive.frozen("a#1")
    drive.frozen("c#1")
    drive.taken("s2")
    thawed = of(drive.restored("r1", paths=["src/x.ts"]), ev.RunThawing)
    assert [event.run for event in thawed] == ["s/a#1", "s/c#1"]
    assert drive.running == ["a#1", "b#1", "c#1"]


def test_more_findings_of_a_subject_add_nothing_while_something_is_done_about_it() -> None:
    from waved.domain.fold import admissible

    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    again = ev.FindingMade("s", "f2", "corruption", "const const", subject="a.ts", path="a.ts", assignment="a")
    assert not admissible(drive.session, again)
    drive.frozen("a#1")
    drive.taken("s2")
    drive.restored("r1", paths=["a.ts"])
    assert admissible(drive.session, again), "what comes after the restore counts"


def test_a_finding_that_is_cleared_before_anything_was_restored_needs_no_reaction() -> None:
    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    following = drive.do(ev.FindingCleared("s", "f1", "mended"))
    assert kinds(following) == ["reaction.ended", "run.thawing"]
    assert drive.running == ["a#1"]
    assert started(drive.taken("s2")) == []


def test_one_restore_at_a_time() -> None:
    drive = Guarded(plan(agent("a"), agent("b")))
    drive.finds("a.ts", "a")
    drive.finds("b.ts", "b")
    assert len(of(drive.frozen("b#1"), ev.SnapshotTaking)) == 1
    assert of(drive.frozen("a#1"), ev.SnapshotTaking) == []
    drive.taken("s2")
    following = drive.restored("r2", paths=["b.ts"])
    assert [event.reaction for event in of(following, ev.SnapshotTaking)] == ["r1"]


def test_two_findings_of_one_agent_end_in_one_new_attempt() -> None:
    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    drive.finds("b.ts", "a")
    drive.frozen("a#1")
    drive.taken("s2")
    drive.restored("r1", paths=["a.ts"])
    drive.taken("s3")
    assert started(drive.ends("a#1", "stopped")) == [], "no run starts while its files are being restored"
    following = drive.restored("r2", paths=["b.ts"])
    assert started(following) == ["a#2"]
    assert all(path in drive.node("a").failure for path in ("a.ts", "b.ts"))


def test_nothing_starts_while_files_are_brought_back() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), agent("c", needs=["b"])))
    drive.finds("a.ts", "a")
    drive.ends("b#1")
    assert started(drive.do(ev.GuardCaughtUp("s", "s/b#1@gate", 0))) == []
    assert drive.node("c").state == "ready"
    drive.frozen("a#1")
    drive.taken("s2")
    assert started(drive.restored("r1", paths=["a.ts"])) == ["c#1"]


# --- what can go wrong --------------------------------------------------------------------------------------------


def test_a_run_that_does_not_freeze_in_time_is_ended_and_starts_again() -> None:
    drive = Guarded(plan(agent("a", owns=["x/"]), reactions=["rollback-file"]))
    drive.finds("x/a.ts")
    assert next_deadline(drive.session) == 105.0
    assert kinds(drive.at(105.0)) == ["run.stopping"]
    assert kinds(drive.ends("a#1", "stopped")) == ["snapshot.taking"]
    drive.taken("s2")
    assert started(drive.restored("r1", paths=["x/a.ts"])) == ["a#2"]


def test_a_snapshot_that_fails_holds_the_session_and_nothing_is_restored() -> None:
    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    following = drive.taken("s2", error="the disk is full")
    assert kinds(following) == ["finding.made", "session.held"]
    assert "the disk is full" in drive.session.held
    assert drive.guards.frozen["s/a#1"].state == "frozen"
    following = drive.do(ev.SessionResumed("s"))
    assert "run.thawing" in kinds(following)
    assert not drive.guards.reactions
    assert drive.running == ["a#1"]


def test_a_restore_that_never_ends_holds_the_session_and_a_person_can_go_on() -> None:
    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    drive.taken("s2")
    due = next_deadline(drive.session)
    assert due == 400.0
    assert kinds(drive.at(due)) == ["finding.made", "session.held"]
    assert next_deadline(drive.session) is None
    drive.do(ev.SessionResumed("s"))
    assert not drive.guards.reactions
    assert drive.guards.lock == ""


def test_a_run_that_ends_while_it_is_being_frozen_is_judged_after_the_restore() -> None:
    drive = Guarded(plan(agent("a"), agent("b", needs=["a"])))
    drive.finds("a.ts", "a")
    assert kinds(drive.ends("a#1")) == ["snapshot.taking"]
    drive.taken("s2")
    following = drive.restored("r1", paths=["a.ts"])
    assert started(following) == ["a#2"], "it succeeded, but not with these files"


def test_a_stop_in_the_middle_waits_for_the_restore_and_no_longer() -> None:
    drive = Guarded(plan(agent("a")))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    drive.taken("s2")
    drive.do(ev.SessionStopRequested("s", "enough"))
    drive.ends("a#1", "stopped")
    assert drive.session.phase == "stopping"
    drive.restored("r1", paths=["a.ts"])
    assert (drive.session.phase, drive.session.outcome) == ("ended", "stopped")


# --- ladders end --------------------------------------------------------------------------------------------------


def once(drive: Guarded, reaction: int, attempt: int, snapshot: int) -> None:
    drive.finds("a.ts", "a")
    drive.frozen(f"a#{attempt}")
    drive.taken(f"s{snapshot}")
    drive.restored(f"r{reaction}", paths=["a.ts"])
    drive.ends(f"a#{attempt}", "stopped")


def test_the_default_ladder_of_corruption_twice_then_a_person_then_the_agent_has_failed() -> None:
    drive = Guarded(plan(agent("a"), agent("b")))
    once(drive, 1, 1, 2)
    once(drive, 2, 2, 3)
    drive.finds("a.ts", "a")
    drive.frozen("a#3")
    assert drive.session.held, "the third time a person is to look"
    drive.do(ev.SessionResumed("s"))
    assert drive.running == ["b#1", "a#3"]
    drive.finds("a.ts", "a")
    drive.frozen("a#3")
    drive.taken("s4")
    drive.restored("r4", paths=["a.ts"])
    assert outcomes(drive.ends("a#3", "stopped")) == {"a": "failed"}
    assert "const const" in drive.node("a").reason
    drive.ends("b#1")
    drive.do(ev.GuardCaughtUp("s", "s/b#1@gate", 0))
    assert drive.session.outcome == "failed"


def test_a_ladder_that_only_alerts_goes_on_alerting_and_fails_nothing() -> None:
    drive = Guarded(plan(agent("a"), reactions=["alert"]))
    for _ in range(5):
        assert kinds(drive.finds("a.ts", "a")) == ["reaction.started", "reaction.ended"]
    assert len(drive.guards.findings) == 1
    drive.ends("a#1")
    drive.do(ev.GuardCaughtUp("s", "s/a#1@gate", 0))
    assert drive.node("a").outcome == "succeeded"


def test_a_ladder_used_up_where_nobody_is_known_holds_the_session() -> None:
    drive = Guarded(plan(agent("a", owns=["src/"]), reactions=["rollback-file"]))
    drive.finds("x.ts")
    drive.taken("s2")
    drive.restored("r1", paths=["x.ts"])
    drive.finds("x.ts")
    drive.taken("s3")
    drive.restored("r2", paths=["x.ts"])
    assert drive.session.held


# --- gates --------------------------------------------------------------------------------------------------------


def test_the_first_check_waits_for_the_guard_and_names_what_it_found() -> None:
    drive = Guarded(plan(agent("a"), reactions=[{"do": "rollback-file", "times": 2}]))
    assert kinds(drive.ends("a#1")) == ["gate.started", "check.started"]
    drive.finds("a.ts", "a", line=7)
    drive.taken("s2")
    drive.do(ev.GuardCaughtUp("s", "s/a#1@gate", 0), follow=False)
    assert drive.follow() == [], "a reaction is under way"
    following = drive.restored("r1", paths=["a.ts"])
    assert kinds(following) == ["finding.cleared", "reaction.ended", "check.started"], "what was restored is judged too"
    drive.do(ev.GuardCaughtUp("s", "s/a#1@gate", 0))
    assert drive.node("a").outcome == "succeeded"
    assert not drive.node("a").verified, "the guards alone verify nothing"


def test_an_assignment_at_its_own_gate_is_restarted_and_its_gate_dropped() -> None:
    drive = Guarded(plan(agent("a", gate={"commands": [["test"]]})))
    drive.ends("a#1")
    drive.do(ev.GuardCaughtUp("s", "s/a#1@gate", 0))
    assert drive.running == ["a#1@gate.1"]
    drive.finds("a.ts", "a")
    drive.taken("s2")
    assert kinds(drive.restored("r1", paths=["a.ts"])) == ["finding.cleared", "run.stopping"]
    following = drive.ends("a#1@gate.1", "stopped")
    assert started(following) == ["a#2"]
    assert drive.session.gates == {}


def test_who_had_ended_is_blamed_at_the_waves_gate() -> None:
    gate = {"on_failure": "retry", "retries": 1}
    drive = Guarded(plan(agent("a"), agent("b"), agent("c", needs=["a"]), gate=gate))
    drive.ends("a#1")
    drive.do(ev.GuardCaughtUp("s", "s/a#1@gate", 0))
    drive.finds("a.ts", "a")
    drive.taken("s3")
    drive.restored("r1", paths=["a.ts"])
    for name in ("b", "c"):
        drive.ends(f"{name}#1")
        drive.do(ev.GuardCaughtUp("s", f"s/{name}#1@gate", 0))
    following = drive.do(ev.GuardCaughtUp("s", "s/@w#1", 0))
    (retried,) = of(following, ev.WaveRetried)
    assert list(retried.assignments) == ["a", "c"], "who is to blame, and who has built on it"
    assert started(following) == ["a#2"]
