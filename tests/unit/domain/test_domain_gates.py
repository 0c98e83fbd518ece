"""What a gate consists of and what follows from it (requirements G1–G3, O9)."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Driver, agent, kinds, one_wave, outcomes, started
from hypothesis import given
from hypothesis import strategies as st

from waved.domain import events as ev
from waved.domain.fold import admissible
from waved.domain.gate import FAILURE_LINES, build_checks


@given(
    produces=st.lists(st.sampled_from(["p1", "p2"]), unique=True),
    own_outputs=st.lists(st.sampled_from(["o1", "o2"]), unique=True),
    own=st.lists(st.sampled_from(["c1", "c2"]), unique=True),
    wave=st.lists(st.sampled_from(["v1", "v2"]), unique=True),
    critical=st.booleans(),
)
def test_composition(
    produces: list[str], own_outputs: list[str], own: list[str], wave: list[str], critical: bool
) -> None:
    one = agent("a", produces=produces, critical=critical, gate={"outputs": own_outputs, "commands": own})
    drive = Driver(one_wave(one, gate={"commands": wave, "outputs": ["z"]}))
    session = drive.session
    checks = build_checks(session, session.waves[0], session.nodes["a"])
    looked_at = [output.path for check in checks for output in check.outputs]
    assert looked_at == [*produces, *own_outputs], "all outputs are one check, the first"
    assert [check.name for check in checks if check.command] == [*own, *(wave if critical else [])]
    assert [check.name for check in build_checks(session, session.waves[0], None)] == ["outputs z", *wave]


def _with_tasks(**more: Any) -> dict[str, Any]:
    tasks = [{"name": "t", "domain": "x"}] + [{"name": name, "domain": "x", "requires": ["t"]} for name in ("u", "v")]
    return one_wave(agent("a", domain="x", produces=["doc.md"], **more), task=tasks)


def test_what_an_agent_produces_is_looked_at_when_the_last_of_its_assignments_has_run() -> None:
    drive = Driver(_with_tasks())
    assert started(drive.ends("a#1")) == ["a/u#1", "a/v#1"]
    assert kinds(drive.ends("a/v#1")) == ["assignment.ended"]
    assert kinds(drive.ends("a/u#1")) == ["gate.started", "check.started"]
    assert outcomes(drive.checked(ok=False, detail="doc.md: missing")) == {"a/u": "failed"}


def test_also_when_the_last_two_end_at_the_same_instant() -> None:
    drive = Driver(_with_tasks())
    drive.ends("a#1")
    both = [ev.RunEnded("s", f"s/a/{name}#1", "exited", 0) for name in ("u", "v")]
    following = drive.do(*both)
    assert kinds(following) == ["assignment.ended", "gate.started", "check.started"]


def test_also_when_another_is_still_at_its_gate() -> None:
    drive = Driver(_with_tasks(gate={"commands": ["check"]}, retries=1))
    drive.ends("a#1")
    drive.ends("a#1@gate.0")
    drive.ends("a/u#1")
    drive.ends("a/v#1")
    assert [check.name for check in drive.session.gates["s/a/u#1@gate"].checks] == ["check"]
    assert [check.name for check in drive.session.gates["s/a/v#1@gate"].checks] == ["outputs doc.md", "check"]
    drive.fails("a/u#1@gate.0")
    drive.at(drive.now + 1)
    drive.ends("a/u#2")
    assert [check.name for check in drive.session.gates["s/a/u#2@gate"].checks] == ["outputs doc.md", "check"]


def test_nothing_to_check_is_unverified() -> None:
    drive = Driver(one_wave(agent("a")))
    drive.ends("a#1")
    assert not drive.node("a").verified
    assert (drive.session.waves[0].outcome, drive.session.outcome) == ("unverified", "succeeded")


def test_a_wave_without_checks_is_passed_when_all_its_agents_were_verified() -> None:
    drive = Driver(one_wave(agent("a", produces=["doc.md"])))
    drive.ends("a#1")
    drive.checked(ok=True)
    assert drive.node("a").verified
    assert drive.session.waves[0].outcome == "passed"


def test_the_wave_gate_is_not_run_when_an_agent_failed() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["check"]]}))
    following = drive.fails("a#1")
    assert started(following) == []
    assert drive.session.waves[0].reason == "a failed (exited with status 1)"


def test_junit_decides_and_not_the_exit_code() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [{"run": ["t"], "junit": "r.xml"}]}))
    drive.ends("a#1")
    early = ev.CheckEnded("s", "s/@w#1", 0, ok=True)
    assert not admissible(drive.session, early), "of a command nobody may speak before it has ended"
    assert drive.ends("@w#1.0") == [], "the reports are being read"
    tests = {"total": 2, "passed": 1, "failed": 1, "skipped": 0}
    drive.do(ev.CheckEnded("s", "s/@w#1", 0, ok=False, detail="1 of 2 failed", tests=tests))
    assert drive.session.outcome == "failed"
    gate = drive.session.waves[0].gate
    assert gate is not None
    assert gate.checks[0].tests == tests


def test_a_command_that_did_not_exit_by_itself_wrote_no_reports() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [{"run": ["t"], "junit": "r.xml"}]}))
    drive.ends("a#1")
    drive.ends("@w#1.0", "timed-out", reason="timed out after 10m")
    assert drive.session.outcome == "failed"


def test_retry_of_an_agents_own_gate_tells_what_failed() -> None:
    drive = Driver(one_wave(agent("a", gate={"commands": [["lint"]], "on_failure": "retry", "retries": 1}, backoff=1)))
    drive.ends("a#1")
    drive.ends("a#1@gate.0", code=1, reason="exited with status 1", tail="line 3: bad")
    (start,) = drive.at(drive.now + 1)
    assert isinstance(start, ev.RunStarting)
    assert start.failure == "lint: exited with status 1\nline 3: bad"
    drive.ends("a#2")
    assert outcomes(drive.fails("a#2@gate.0")) == {"a": "failed"}


def test_only_the_end_of_a_long_failure_is_told() -> None:
    drive = Driver(one_wave(agent("a", gate={"commands": [["lint"]]})))
    drive.ends("a#1")
    drive.ends("a#1@gate.0", code=1, tail="\n".join(str(number) for number in range(500)))
    lines = drive.node("a").reason.splitlines()
    assert len(lines) == FAILURE_LINES
    assert lines[-1] == "499"


def test_continue_of_an_agents_own_gate_is_success_but_not_verified() -> None:
    drive = Driver(one_wave(agent("a", gate={"commands": [["lint"]], "on_failure": "continue"})))
    drive.ends("a#1")
    assert outcomes(drive.fails("a#1@gate.0")) == {"a": "succeeded"}
    assert not drive.node("a").verified
    assert drive.session.waves[0].outcome == "unverified"


def test_a_wave_gate_repeats_whom_the_check_blames_and_its_own_runs_have_new_ids() -> None:
    gate = {"commands": [{"run": "test", "agents": ["b"]}], "on_failure": "retry", "retries": 1}
    drive = Driver(one_wave(agent("a"), agent("b"), gate=gate))
    drive.ends("a#1")
    drive.ends("b#1")
    following = drive.fails("@w#1.0", "2 tests fail")
    assert started(following) == ["b#2"]
    assert drive.node("b").failure == "test: 2 tests fail"
    assert started(drive.ends("b#2")) == ["@w#2.0"]
    drive.fails("@w#2.0")
    assert drive.session.outcome == "failed"


@pytest.mark.parametrize("outcome", ["stopped", "lost"])
def test_a_wave_gate_repeats_nobody_who_was_stopped_or_lost(outcome: str) -> None:
    drive = Driver(one_wave(agent("a"), session={"on_lost": "fail"}, gate={"on_failure": "retry"}))
    drive.ends("a#1", outcome)
    assert (drive.session.phase, drive.session.outcome) == ("ended", "failed")


def test_a_lost_check_holds_and_counts_as_failed_once_resumed() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["one"], ["two"]]}))
    drive.ends("a#1")
    assert started(drive.ends("@w#1.0", "lost", reason="its worker died")) == []
    assert drive.session.held == "the check 'one' is lost: its worker died"
    assert started(drive.do(ev.SessionResumed("s"))) == ["@w#1.1"]
    drive.ends("@w#1.1")
    assert drive.session.outcome == "failed"


def test_a_check_whose_worker_could_not_be_had_is_run_again_under_another_id() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["one"]]}))
    drive.ends("a#1")
    assert started(drive.ends("@w#1.0", "withdrawn")) == ["@w#1.0-1"]
    assert drive.ends("@w#1.0-1", "withdrawn") == [], "the second time it waits"
    assert started(drive.at(drive.now + 1)) == ["@w#1.0-2"]
    drive.ends("@w#1.0-2")
    assert drive.session.outcome == "succeeded"


def test_a_plan_cannot_name_an_assignment_like_a_gate() -> None:
    """Run folders are made of ids: two runs in one folder would be one start too many (invariant 2)."""
    from waved.reactor.specs import run_key

    tasks = [{"name": name, "agent": "w", "requires": ["t"]} for name in ("gate", "gate.1")]
    plan = one_wave(agent("w", gate={"commands": [["x"], ["y"]]}), gate={"commands": [["x"], ["y"]]})
    plan["wave"][0]["task"] = [{"name": "t", "agent": "w"}, *tasks]
    drive = Driver(plan)
    while drive.session.phase != "ended":
        drive.ends(drive.running[0])
    folders = [run_key(run) for run in drive.session.runs]
    assert len(folders) == len(set(folders)) == 3 * 3 + 2
