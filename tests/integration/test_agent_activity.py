"""What agents say of themselves, on a real daemon: a stand-in named `claude` replays recordings of the real one."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, assignments, plan_of, wait_for, wave_of

RECORDINGS = Path(__file__).resolve().parent.parent / "fixtures" / "agents"

STAND_IN = """\
#!{python}
import json, os, pathlib, sys, time
home = pathlib.Path({home!r})
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
turn = len((home / "calls").read_text().splitlines())
scene = json.loads((home / "scenes").read_text())[turn - 1]
for line in scene["lines"]:
    if "pause_before" in scene and scene["pause_before"] in line:
        (home / "paused").touch()
        while not (home / "go").exists():
            time.sleep(0.01)
    print(line, flush=True)
if scene.get("hang"):
    time.sleep(600)
sys.exit(scene["exit"])
"""


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


class Claude:
    """The stand-in: what it prints each time it is called, and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        program = folder / "claude"
        program.write_text(STAND_IN.format(python=sys.executable, home=str(folder)))
        program.chmod(0o755)

    def plays(self, *scenes: dict[str, Any]) -> None:
        (self.folder / "scenes").write_text(json.dumps(scenes))

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]


def scene(recording: str, exit_status: int, workspace: Path, **more: Any) -> dict[str, Any]:
    text = (RECORDINGS / recording / "stdout").read_text().replace("/home/dev/repository", str(workspace))
    return {"lines": text.splitlines(), "exit": exit_status, **more}


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claude:
    stand_in = Claude(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{stand_in.folder}:{os.environ['PATH']}")
    return stand_in


def plan(**more: Any) -> dict[str, Any]:
    agent = {"name": "a", "use": "claude", "prompt": "Work.", "backoff": "50ms", **more}
    return plan_of(wave_of("w", agent))


def only_run(view: dict[str, Any]) -> dict[str, Any]:
    (run,) = assignments(view)["a"]["runs"]
    return dict(run)


def test_tokens_cost_tools_and_last_words_are_those_the_program_told(
    daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    claude.plays(scene("claude-edit", 0, workspace))
    view = daemon.run(plan(), workspace)
    run = only_run(view)
    assert view["outcome"] == "succeeded"
    assert run["usage"]["tools"] == {"Read": 1, "Edit": 1, "Bash": 1}
    assert (run["usage"]["input"], run["usage"]["output"]) == (7350, 142)
    assert run["usage"]["cost"] == pytest.approx(0.02322)
    assert run["acting"] == "finished"
    assert run["last_words"]
    events = daemon.events(view["session"])
    told = [event["data"] for event in events if event["kind"] == "run.acted"]
    told += [event["data"]["acted"] for event in events if event["kind"] == "run.ended"]
    assert [path for each in told for path in each["wrote"]] == ["README.md"]


def test_what_it_is_at_is_seen_while_it_is_at_it(daemon: Daemon, workspace: Path, claude: Claude) -> None:
    claude.plays(scene("claude-edit", 0, workspace, pause_before='"tool_use_id"'))
    session = daemon.submit(plan(), workspace)
    wait_for((claude.folder / "paused").exists)

    def at_a_tool() -> bool:
        runs = assignments(daemon.view(session))["a"]["runs"]
        return bool(runs) and runs[0]["acting"] == "tool" and runs[0]["tool"].startswith("Read ")

    wait_for(at_a_tool)
    (claude.folder / "go").touch()
    assert daemon.settled(session)["outcome"] == "succeeded"


def test_a_success_that_is_an_error_is_a_failure(daemon: Daemon, workspace: Path, claude: Claude) -> None:
    claude.plays(scene("claude-401", 0, workspace))
    view = daemon.run(plan(), workspace)
    run = only_run(view)
    assert (view["outcome"], run["outcome"], run["exit_code"]) == ("failed", "exited", 0)
    assert "Invalid API key" in assignments(view)["a"]["reason"]


def test_an_exit_without_a_result_is_a_failure(daemon: Daemon, workspace: Path, claude: Claude) -> None:
    cut = scene("claude-edit", 0, workspace)
    cut["lines"] = cut["lines"][:3]
    claude.plays(cut)
    assert daemon.run(plan(), workspace)["outcome"] == "failed"


def test_a_rate_limit_uses_up_no_attempt_and_the_session_is_resumed(
    daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    reset = time.time() + 2
    limited = scene("claude-429-reset", 1, workspace)
    limited["lines"] = [line.replace("1795397855", str(int(reset))) for line in limited["lines"]]
    claude.plays(limited, scene("claude-resumed", 0, workspace))
    view = daemon.run(plan(), workspace)
    item = assignments(view)["a"]
    assert view["outcome"] == "succeeded"
    assert [run["outcome"] for run in item["runs"]] == ["exited", "exited"]
    assert item["runs"][1]["started"] >= int(reset)
    first, second = claude.calls()
    assert "--resume" not in " ".join(first)
    assert "00000000-0000-4000-8000-000000000001" in " ".join(second)


def test_a_program_that_lingers_after_its_result_is_ended_and_has_finished(
    daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    claude.plays(scene("claude-edit", 0, workspace, hang=True))
    view = daemon.run(plan(linger="300ms"), workspace)
    run = only_run(view)
    assert view["outcome"] == "succeeded"
    assert "did not end" in run["reason"]
    assert run["signal"] == 15
    assert run["ended"] - run["started"] < 20


def test_what_was_done_while_no_daemon_lived_is_known_to_the_next(
    own_daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    claude.plays(scene("claude-edit", 0, workspace, pause_before='"tool_use_id"'))
    session = own_daemon.submit(plan(), workspace)
    wait_for((claude.folder / "paused").exists)
    wait_for(lambda: assignments(own_daemon.view(session))["a"]["runs"][0]["started"])
    own_daemon.kill()
    (claude.folder / "go").touch()
    own_daemon.start()
    view = own_daemon.settled(session)
    assert view["outcome"] == "succeeded"
    assert only_run(view)["usage"]["input"] == 7350


def test_what_an_agent_wrote_and_said_is_told_to_those_after_it(
    daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    claude.plays(scene("claude-edit", 0, workspace))
    agent = {"name": "a", "use": "claude", "prompt": "Work."}
    word = "echo {{ results[0].changed[0] }} > seen"
    after = {"name": "b", "command": ["sh", "-c", word], "needs": ["a"]}
    view = daemon.run(plan_of(wave_of("w", agent, after)), workspace)
    assert view["outcome"] == "succeeded"
    assert (workspace / "seen").read_text() == "README.md\n"
    context = daemon.state / "sessions" / view["session"] / "runs" / "b.1" / "context.json"
    (result,) = json.loads(context.read_text())["results"]
    assert (result["changed"], result["files_changed"], result["verified"]) == (["README.md"], 1, False)
    assert result["last_words"] == assignments(view)["a"]["runs"][0]["last_words"] != ""


def test_metrics_of_a_session_are_told_with_goals_and_verdicts(daemon: Daemon, workspace: Path, claude: Claude) -> None:
    claude.plays(scene("claude-edit", 0, workspace))
    view = daemon.run({**plan(), "goals": {"cost": 0.01}}, workspace)
    with daemon.client() as client:
        metrics = {metric["name"]: metric for metric in client.metrics(view["session"])}
    assert metrics["tokens"]["value"] == 7492
    assert metrics["cost"]["verdict"] == "missed"
    assert metrics["test_pass_rate"]["verdict"] == "not measured"
    assert metrics["documentation"]["value"] == pytest.approx(100 / 2800)


def found_by(daemon: Daemon, session: str, monitor: str) -> list[dict[str, Any]]:
    """What that monitor has found in a session."""
    told = [event["data"] for event in daemon.events(session) if event["kind"] == "finding.made"]
    return [finding for finding in told if finding["monitor"] == monitor]


def test_a_forbidden_tool_is_a_finding(daemon: Daemon, workspace: Path, claude: Claude) -> None:
    claude.plays(scene("claude-edit", 0, workspace))
    view = daemon.run(plan(forbid_tools=["Ba*", "mcp__context7__*"]), workspace)
    assert view["outcome"] == "succeeded"
    (finding,) = found_by(daemon, view["session"], "tools")
    assert finding["summary"] == "used Bash, which the plan forbids"


def test_a_budget_is_told_when_it_is_nearly_used_up_and_ends_its_agents_when_it_is(
    daemon: Daemon, workspace: Path, claude: Claude
) -> None:
    """1,400 tokens are sent with the first call, 2,900 with the first two; the third is not waited for."""
    claude.plays(scene("claude-edit", 0, workspace, pause_before='"Checking.'))
    view = daemon.run(plan(budget={"tokens": 2000, "soft": 0.5}, retries=3), workspace)
    assert not (claude.folder / "go").exists()
    (item,) = assignments(view).values()
    (run,) = item["runs"]
    assert (item["outcome"], run["outcome"]) == ("stopped", "stopped")
    assert "over budget: agent a has used 2," in item["reason"]
    found = found_by(daemon, view["session"], "budget")
    assert found[-1]["severity"] == "critical"
    assert "of 2,000 tokens" in found[-1]["summary"]
