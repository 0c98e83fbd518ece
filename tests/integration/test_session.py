"""Whole sessions on a real daemon: waves, graphs, gates, retries (O2–O5, G1–G3, O8)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


def test_waves_run_in_order_and_agents_of_a_wave_together(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("one", *(agent_of(f"a{number}", "sleep 0.3") for number in range(4))),
        wave_of("two", agent_of("b", "true")),
    )
    view = daemon.run(plan, workspace)
    assert view["outcome"] == "succeeded"
    first = [run for item in view["waves"][0]["assignments"] for run in item["runs"]]
    assert max(run["started"] for run in first) < min(run["ended"] for run in first)
    assert view["waves"][0]["ended"] <= view["waves"][1]["started"]
    assert view["metrics"]["parallel_rate"] == 1.0
    assert view["metrics"]["speedup"] > 2
    assert view["waves"][0]["skew"] is not None


def test_a_dependent_task_starts_when_what_it_requires_has_succeeded(daemon: Daemon, workspace: Path) -> None:
    wave = wave_of(
        "work",
        agent_of("api", "echo $WAVED_TASKS >> order", domain="api"),
        agent_of("ui", "echo $WAVED_TASKS >> order", domain="ui"),
        task=[
            {"name": "schema", "domain": "api"},
            {"name": "endpoint", "domain": "api", "requires": ["schema"]},
            {"name": "page", "domain": "ui", "requires": ["endpoint"]},
        ],
    )
    view = daemon.run(plan_of(wave), workspace)
    assert view["outcome"] == "succeeded"
    assert (workspace / "order").read_text().split() == ["schema", "endpoint", "page"]
    assert set(assignments(view)) == {"api", "api/endpoint", "ui/page"}


def test_what_depends_on_a_failure_is_skipped_and_the_session_fails(daemon: Daemon, workspace: Path) -> None:
    wave = wave_of(
        "w", agent_of("bad", "exit 7"), agent_of("after", "touch never", needs=["bad"]), agent_of("ok", "true")
    )
    view = daemon.run(plan_of(wave, wave_of("next", agent_of("late", "touch never"))), workspace)
    found = assignments(view)
    assert view["outcome"] == "failed"
    assert found["bad"]["runs"][0]["exit_code"] == 7
    assert (found["bad"]["outcome"], found["after"]["outcome"], found["ok"]["outcome"]) == (
        "failed",
        "skipped",
        "succeeded",
    )
    assert "bad failed" in found["after"]["reason"]
    assert found["late"]["runs"] == []
    assert not (workspace / "never").exists()


def test_retries_tell_the_next_attempt_what_failed(daemon: Daemon, workspace: Path) -> None:
    command = [
        "sh",
        "-c",
        'echo "boom $WAVED_ATTEMPT"; cat "$WAVED_PROMPT" > "prompt.$WAVED_ATTEMPT"; test "$WAVED_ATTEMPT" = 3',
    ]
    agent = agent_of("a", command, prompt="Do it.", retries=2, backoff="10ms")
    view = daemon.run(plan_of(wave_of("w", agent)), workspace)
    assert view["outcome"] == "succeeded"
    assert [run["exit_code"] for run in assignments(view)["a"]["runs"]] == [1, 1, 0]
    assert (workspace / "prompt.1").read_text().strip() == "Do it."
    second = (workspace / "prompt.2").read_text()
    assert "exited with status 1" in second
    assert "boom 1" in second


def test_missing_output_fails_the_gate_and_names_the_file(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(
        plan_of(wave_of("w", agent_of("a", ": > empty.md", produces=["empty.md", "docs/*.md"]))), workspace
    )
    found = assignments(view)["a"]
    assert found["outcome"] == "failed"
    assert "empty.md" in found["reason"]
    assert "docs/*.md" in found["reason"]


def test_gate_commands_and_junit_reports_decide_the_wave(daemon: Daemon, workspace: Path) -> None:
    report = '<testsuite name="s"><testcase name="a"/><testcase name="b"><failure>no</failure></testcase></testsuite>'
    gate = {"commands": [{"run": f"echo '{report}' > report.xml", "junit": "report.xml", "name": "tests"}]}
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "true"), gate=gate)), workspace)
    check = view["waves"][0]["gate"]["checks"][0]
    assert view["outcome"] == "failed"
    assert check["tests"] == {"total": 2, "passed": 1, "failed": 1, "skipped": 0}
    assert not check["ok"]


def test_a_failed_gate_retries_the_wave_with_the_reason(daemon: Daemon, workspace: Path) -> None:
    gate = {"commands": ["test -e fixed || { echo not yet fixed; exit 1; }"], "on_failure": "retry", "retries": 2}
    command = ["sh", "-c", 'test "$WAVED_ATTEMPT" = 1 || { grep "not yet fixed" "$WAVED_PROMPT" && touch fixed; }']
    view = daemon.run(plan_of(wave_of("w", agent_of("a", command, prompt="Fix it."), gate=gate)), workspace)
    assert view["outcome"] == "succeeded"
    assert view["waves"][0]["attempt"] == 2
    assert view["waves"][0]["outcome"] == "passed"


def test_a_gate_with_nothing_to_check_is_unverified(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)
    assert view["waves"][0]["outcome"] == "unverified"
    assert not assignments(view)["a"]["verified"]


def test_continue_goes_on_but_does_not_call_it_a_success(daemon: Daemon, workspace: Path) -> None:
    gate = {"on_failure": "continue"}
    view = daemon.run(
        plan_of(wave_of("w", agent_of("a", "false"), gate=gate), wave_of("next", agent_of("b", "touch went-on"))),
        workspace,
    )
    assert (workspace / "went-on").exists()
    assert view["outcome"] == "failed"


def test_a_critical_agent_is_tested_the_moment_it_ends(daemon: Daemon, workspace: Path) -> None:
    wave = wave_of(
        "w", agent_of("quick", "true", critical=True), agent_of("slow", "while [ ! -e tested ]; do sleep 0.01; done"),
        gate={"commands": ["touch tested"]},
    )  # fmt: skip
    view = daemon.run(plan_of(wave), workspace)
    assert view["outcome"] == "succeeded"
    assert assignments(view)["quick"]["verified"]


def test_results_flow_forward(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("research", agent_of("r", "echo found > notes.md", produces=["notes.md"])),
        wave_of(
            "work", agent_of("w", ["sh", "-c", 'cp "$WAVED_CONTEXT" context; echo {{ results[0].produced[0] }} > seen'])
        ),
    )
    assert daemon.run(plan, workspace)["outcome"] == "succeeded"
    assert (workspace / "seen").read_text().strip() == "notes.md"
    context = json.loads((workspace / "context").read_text())
    assert context["results"][0]["outcome"] == "succeeded"


def test_results_name_the_files_that_were_found_not_the_patterns(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of(
            "research",
            agent_of(
                "r", "mkdir out; echo one > out/a.md; echo two > out/b.md; touch out/c.txt", produces=["out/*.md"]
            ),
            agent_of("s", "cat out/a.md", needs=["r"], produces=[]),
        ),
        wave_of("work", agent_of("w", ["sh", "-c", "echo {{ results[0].produced | join(' ') }} > seen"])),
    )
    view = daemon.run(plan, workspace)
    assert view["outcome"] == "succeeded"
    assert (workspace / "seen").read_text().split() == ["out/a.md", "out/b.md"]
    folder = daemon.state / "sessions" / view["session"] / "runs" / "s.1"
    (result,) = json.loads((folder / "context.json").read_text())["results"]
    assert (result["produced"], result["expected"]) == (["out/a.md", "out/b.md"], ["out/*.md"])


def test_a_template_that_needs_what_is_not_known_ahead_is_rendered_when_it_is(daemon: Daemon, workspace: Path) -> None:
    """The second is made ready while the first still runs, in vain; that costs it nothing."""
    first = agent_of("a", "echo x > made-1.txt; sleep 0.3", produces=["made-*.txt"])
    word = "echo {{ 1 / (results[0].produced[0] != 'made-*.txt') }} > seen"
    view = daemon.run(plan_of(wave_of("w", first, agent_of("b", ["sh", "-c", word], needs=["a"]))), workspace)
    assert view["outcome"] == "succeeded", view["reason"]
    assert (workspace / "seen").read_text() == "1.0\n"


def test_sequential_means_one_at_a_time_in_the_order_written(daemon: Daemon, workspace: Path) -> None:
    agents = [agent_of(name, f"echo +{name} >> order; sleep 0.05; echo -{name} >> order") for name in "cab"]
    view = daemon.run(plan_of(wave_of("w", *agents, parallel=False)), workspace)
    assert view["outcome"] == "succeeded"
    assert (workspace / "order").read_text().split() == ["+c", "-c", "+a", "-a", "+b", "-b"]


def test_deadlines_of_agent_wave_and_session(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "sleep 60", timeout="300ms"))), workspace)
    run = assignments(view)["a"]["runs"][0]
    assert (run["outcome"], assignments(view)["a"]["outcome"]) == ("timed-out", "timed-out")
    assert 0.25 < run["ended"] - run["started"] < 5

    view = daemon.run(
        plan_of(wave_of("w", agent_of("a", "sleep 60"), agent_of("b", "true", needs=["a"]), timeout="300ms")), workspace
    )
    assert view["outcome"] == "timed-out"
    assert assignments(view)["b"]["runs"] == []

    view = daemon.run(plan_of(wave_of("w", agent_of("a", "sleep 60")), timeout="300ms"), workspace)
    assert view["outcome"] == "timed-out"


def test_stop_one_agent_and_retry_it(daemon: Daemon, workspace: Path) -> None:
    agent = agent_of("a", "test -e go || { touch started; sleep 60; }")
    session = daemon.submit(plan_of(wave_of("w", agent, agent_of("b", "true"))), workspace)
    wait_for((workspace / "started").exists)
    with daemon.client() as client:
        client.stop(session, "a", "enough")
        view = daemon.settled(session)
        assert assignments(view)["a"]["outcome"] == "stopped"
        assert "enough" in assignments(view)["a"]["reason"]
        assert view["outcome"] == "failed"
        (workspace / "go").touch()
        assert client.retry(session) == ["a"]
    view = daemon.settled(session)
    assert view["outcome"] == "succeeded"
    assert len(assignments(view)["b"]["runs"]) == 1
    assert assignments(view)["a"]["attempt"] == 2


def test_the_checklist_refuses_before_anything_starts(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(wave_of("w", agent_of("a", "touch started"), agent_of("b", ["no-such-program-anywhere"])))
    view = daemon.run(plan, workspace)
    assert (view["state"], view["outcome"]) == ("ended", "refused")
    item = next(item for item in view["checklist"] if not item["ok"])
    assert item["item"] == "commands"
    assert "no-such-program-anywhere" in item["detail"]
    assert not (workspace / "started").exists()
    waived = daemon.run(plan, workspace, waive=["commands"])
    assert assignments(waived)["b"]["runs"][0]["outcome"] == "not-started"
    assert (workspace / "started").exists()


def test_git_is_left_as_it_was(daemon: Daemon, workspace: Path) -> None:
    def of_git() -> dict[str, bytes]:
        files = (path for path in (workspace / ".git").rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}

    before = of_git()
    daemon.run(plan_of(wave_of("w", agent_of("a", "echo new > file"))), workspace)
    assert of_git() == before
    status = subprocess.run(["git", "status", "--porcelain"], cwd=workspace, capture_output=True, text=True, check=True)
    assert status.stdout == "?? file\n"


def test_a_plain_folder_is_a_workspace_too(daemon: Daemon, short_tmp: Path) -> None:
    folder = short_tmp / "plain"
    folder.mkdir()
    assert daemon.run(plan_of(wave_of("w", agent_of("a", "touch x"))), folder)["outcome"] == "succeeded"


def test_every_event_is_there_in_order_without_a_gap(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "true"), agent_of("b", "true"))), workspace)
    events = daemon.events(view["session"])
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "session.submitted"
    assert kinds[-1] == "session.ended"
    sequence = [event["seq"] for event in events]
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
    assert (
        kinds.index("wave.started")
        < kinds.index("run.starting")
        < kinds.index("run.started")
        < kinds.index("run.ended")
    )


def test_environment_values_reach_agents_and_nothing_else(own_daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    import os

    secret = "s3cr3t-value-of-the-test"
    environment = {"base": {"PATH": os.environ["PATH"]}, "session": {"TOKEN": secret}, "agents": {"a": {"OWN": "mine"}}}
    plan = plan_of(wave_of("w", agent_of("a", 'test "$OWN" = mine && printf %s "$TOKEN" | wc -c > length'),
                           agent_of("b", 'test -z "$OWN"')))  # fmt: skip
    plan["session"]["env"] = {"set": {"TOKEN": secret}}
    assert own_daemon.run(plan, workspace, environment=environment)["outcome"] == "succeeded"
    assert (workspace / "length").read_text().strip() == str(len(secret))
    own_daemon.end()
    holding = [path for path in short_tmp.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert holding == []
