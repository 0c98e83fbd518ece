"""What each action does, alone and together; stop-all, responders, hold and approve; rollback of attempts and waves."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Guarded, agent, kinds, of, one_wave, outcomes, started

from waved.domain import events as ev
from waved.domain import requests, requests_guards
from waved.errors import ConflictError, NotFoundError

RESPONDER = {"name": "helper", "command": ["fix"], "retries": 1}


def plan(*agents: dict[str, Any], reactions: list[Any], **wave: Any) -> dict[str, Any]:
    monitor = {"kind": "file-size", "name": "size", "paths": ["**"], "reactions": reactions}
    return {**one_wave(*agents, **wave), "monitor": [monitor], "responder": [RESPONDER]}


def finds(drive: Guarded, path: str = "a.ts", by: str = "a") -> list[ev.Event]:
    return drive.finds(path, by, monitor="size")


def caught_up(drive: Guarded, gate: str) -> list[ev.Event]:
    return drive.do(ev.GuardCaughtUp("s", f"s/{gate}", 0))


# --- responders ---------------------------------------------------------------------------------------------------


def test_a_responder_runs_and_the_wave_waits_for_it() -> None:
    drive = Guarded(plan(agent("a"), reactions=[{"do": "start-agent", "agent": "helper"}]))
    (start,) = of(finds(drive), ev.RunStarting)
    assert (start.run, start.purpose, start.agent, start.reaction) == ("s/helper@r1#1", "responder", "helper", "r1")
    drive.ends("a#1")
    assert drive.node("a").state == "checking", "its verdict waits"
    following = drive.ends("helper@r1#1")
    assert kinds(following)[:2] == ["reaction.ended", "gate.started"]
    drive.do(ev.FindingCleared("s", "f1", "short enough"))
    caught_up(drive, "a#1@gate")
    assert outcomes(drive.log) == {"a": "succeeded"}


def test_a_responder_that_fails_is_repeated_and_then_told_of() -> None:
    drive = Guarded(plan(agent("a"), reactions=[{"do": "start-agent", "agent": "helper"}]))
    finds(drive)
    assert started(drive.fails("helper@r1#1")) == ["helper@r1#2"]
    following = drive.fails("helper@r1#2")
    assert kinds(following) == ["finding.made", "reaction.ended"]
    assert of(following, ev.FindingMade)[0].monitor == "reactions"
    assert not of(following, ev.ReactionEnded)[0].ok
    assert not drive.session.held


def test_stop_all_ends_everybody_who_starts_again_when_the_responder_has_succeeded() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), reactions=[{"do": ["stop-all", "start-agent"], "agent": "helper"}]))
    stopping = of(finds(drive, by=""), ev.RunStopping)
    assert [event.run for event in stopping] == ["s/a#1", "s/b#1"]
    drive.ends("a#1", "stopped")
    assert started(drive.ends("b#1", "stopped")) == ["helper@r1#1"]
    assert started(drive.ends("helper@r1#1")) == ["a#2", "b#2"]


def test_stop_all_without_a_responder_holds_until_a_person_resumes() -> None:
    drive = Guarded(plan(agent("a"), agent("b", needs=["a"]), reactions=["stop-all"]))
    finds(drive, by="")
    drive.ends("a#1", "stopped")
    assert drive.session.held
    following = drive.do(*requests.resume(drive.session))
    assert started(following) == ["a#2"]


# --- hold, approve ------------------------------------------------------------------------------------------------


def test_hold_keeps_the_writer_frozen_and_approve_lets_it_go_on() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), reactions=["hold"]))
    finds(drive)
    drive.frozen("a#1")
    assert drive.session.held
    assert list(drive.guards.frozen) == ["s/a#1"]
    following = drive.do(*requests_guards.approve(drive.session, "f1", by="ada"))
    assert [event.run for event in of(following, ev.RunThawing)] == ["s/a#1"]
    assert not drive.session.held
    assert drive.guards.cleared["f1"].by == "ada"
    drive.ends("a#1")
    caught_up(drive, "a#1@gate")
    assert drive.node("a").outcome == "succeeded"


def test_approve_resumes_nothing_that_is_held_for_another_reason() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), reactions=["hold"]))
    finds(drive)
    drive.frozen("a#1")
    drive.ends("b#1", "lost")
    drive.do(*requests_guards.approve(drive.session))
    assert drive.session.held
    assert list(drive.guards.frozen) == ["s/a#1"]


def test_approve_refuses_what_is_not_open() -> None:
    drive = Guarded(plan(agent("a"), reactions=["alert"]))
    with pytest.raises(ConflictError, match="no finding is open"):
        requests_guards.approve(drive.session)
    with pytest.raises(NotFoundError, match="no finding 'f9'"):
        requests_guards.approve(drive.session, "f9")
    finds(drive)
    drive.do(ev.FindingCleared("s", "f1", "mended"))
    with pytest.raises(ConflictError, match="was cleared: mended"):
        requests_guards.approve(drive.session, "f1")


# --- scopes -------------------------------------------------------------------------------------------------------


def test_rollback_agent_goes_back_to_where_its_run_began() -> None:
    drive = Guarded(plan(agent("a", owns=["src/"]), reactions=["rollback-agent"]))
    drive.do(ev.SnapshotTaken("s", "g1", "c"))
    drive.do(ev.FilesChanged("s", {"a": [["lib/x", "added"], ["src/y", "modified"]]}))
    finds(drive)
    drive.frozen("a#1")
    (restoring,) = of(drive.taken("s2"), ev.RestoreStarting)
    assert (restoring.scope, restoring.to, restoring.assignment) == ("agent", "s1", "a")
    assert restoring.paths == ["src/", "lib/x", "src/y"]
    assert kinds(drive.restored("r1", paths=["a.ts"])) == ["finding.cleared", "reaction.ended", "run.thawing"]


def test_rollback_wave_has_every_assignment_start_again() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), agent("c", needs=["b"]), reactions=["rollback-wave"]))
    drive.ends("b#1")
    caught_up(drive, "b#1@gate")
    finds(drive)
    drive.frozen("a#1")
    drive.frozen("c#1")
    (restoring,) = of(drive.taken("s3"), ev.RestoreStarting)
    assert (restoring.scope, restoring.to, restoring.paths) == ("wave", "s1", [])
    drive.restored("r1", paths=["a.ts"])
    drive.ends("a#1", "stopped")
    following = drive.ends("c#1", "stopped")
    assert list(of(following, ev.WaveRetried)[0].assignments) == ["a", "b", "c"]
    assert started(following) == ["a#2", "b#2"]
    assert drive.node("c").state == "waiting"
    assert "kept in snapshot s3" in drive.node("a").failure


def test_a_failed_attempt_leaves_no_trace() -> None:
    drive = Guarded(one_wave(agent("a", retries=1, rollback="on-failure")))
    following = drive.fails("a#1")
    assert kinds(following) == ["reaction.started", "snapshot.taking"]
    assert of(drive.taken("s2"), ev.RestoreStarting)[0].to == "s1"
    following = drive.restored("r1", paths=["x"])
    assert kinds(following) == ["reaction.ended", "retry.scheduled"]
    drive.at(drive.now + 5)
    drive.fails("a#2")
    drive.taken("s3")
    assert outcomes(drive.restored("r2", paths=["x"])) == {"a": "failed"}


def test_two_that_fail_at_once_are_undone_one_after_the_other() -> None:
    drive = Guarded(one_wave(agent("a", rollback="on-failure"), agent("b", rollback="on-failure")))
    ends = [ev.RunEnded("s", f"s/{name}#1", "exited", 1) for name in ("a", "b")]
    following = drive.do(*ends)
    assert [event.reaction for event in of(following, ev.ReactionStarted)] == ["r1", "r2"]
    assert len(of(following, ev.SnapshotTaking)) == 1


def test_a_wave_whose_gate_fails_is_put_away() -> None:
    gate = {"commands": [["test"]], "on_failure": "rollback"}
    drive = Guarded(one_wave(agent("a"), gate=gate))
    drive.ends("a#1")
    assert kinds(drive.fails("@w#1.0"))[-2:] == ["reaction.started", "snapshot.taking"]
    assert of(drive.taken("s2"), ev.RestoreStarting)[0].to == "s1"
    drive.restored("r1", paths=["x"])
    assert (drive.session.outcome, drive.session.waves[0].outcome) == ("failed", "failed")


# --- what a person rolls back -------------------------------------------------------------------------------------


def test_a_person_rolls_back_files_and_agents() -> None:
    drive = Guarded(plan(agent("a", owns=["src/"]), agent("b", owns=["docs/"]), reactions=["alert"]))
    drive.do(*requests_guards.rollback(drive.session, "file", ["docs/x.md"], by="ada"))
    assert list(drive.guards.frozen) == ["s/b#1"]
    drive.frozen("b#1")
    drive.taken("s2")
    assert kinds(drive.restored("r1", paths=["docs/x.md"])) == ["reaction.ended", "run.thawing"]
    drive.do(*requests_guards.rollback(drive.session, "agent", ["a"], "s2", by="ada"))
    drive.frozen("a#1")
    assert of(drive.taken("s3"), ev.RestoreStarting)[0].to == "s2"
    drive.restored("r2", paths=["src/y"])
    assert started(drive.ends("a#1", "stopped")) == ["a#2"]
    assert "ada rolled back what a changed" in drive.node("a").failure


def test_a_session_that_is_rolled_back_is_held_and_its_wave_begins_anew() -> None:
    drive = Guarded(plan(agent("a"), reactions=["alert"]))
    drive.do(*requests_guards.rollback(drive.session, "session", by="ada"))
    drive.frozen("a#1")
    assert of(drive.taken("s2"), ev.RestoreStarting)[0].to == "s1"
    drive.restored("r1", paths=["x"])
    drive.ends("a#1", "stopped")
    assert "ada rolled back the session" in drive.session.held
    assert started(drive.do(*requests.resume(drive.session))) == ["a#2"]


@pytest.mark.parametrize(
    ("scope", "targets", "snapshot", "error", "says"),
    [
        ("file", [], "", ConflictError, "no file is named"),
        ("agent", ["x"], "", NotFoundError, "no agent 'x'"),
        ("wave", ["v"], "", NotFoundError, "no wave 'v'"),
        ("file", ["x"], "s9", NotFoundError, "no snapshot 's9'"),
        ("disk", [], "", NotFoundError, "no scope 'disk'"),
    ],
)
def test_what_cannot_be_rolled_back(
    scope: str, targets: list[str], snapshot: str, error: type[Exception], says: str
) -> None:
    drive = Guarded(plan(agent("a"), reactions=["alert"]))
    with pytest.raises(error, match=says):
        requests_guards.rollback(drive.session, scope, targets, snapshot)


def test_an_agent_whose_verdict_waits_for_a_reaction_can_be_stopped() -> None:
    drive = Guarded(plan(agent("a"), reactions=[{"do": "start-agent", "agent": "helper"}]))
    finds(drive)
    drive.ends("a#1")
    assert outcomes(drive.do(*requests.stop(drive.session, "a"))) == {}
    assert outcomes(drive.log) == {"a": "stopped"}
    drive.ends("helper@r1#1")
    assert drive.session.outcome == "failed"


# --- who is told --------------------------------------------------------------------------------------------------


def test_who_is_told_and_not_of_the_same_again_and_again() -> None:
    written = plan(agent("a"), reactions=["alert"])
    written["notify"] = [{"command": ["tell"], "severity": "warning", "monitors": ["size"]}]
    drive = Guarded(written)
    assert len(of(finds(drive), ev.AlertRaised)) == 1
    assert of(finds(drive), ev.AlertRaised) == []
    drive.now += 700
    assert len(of(finds(drive), ev.AlertRaised)) == 1
    assert of(drive.finds("b.ts", "a", monitor="size", severity="info"), ev.AlertRaised) == []
