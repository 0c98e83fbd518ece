"""A session of real agent programs under a real daemon: two programs in one wave edit a repository.

claude and codex, against the scripted API. One runs into a limit that says when it ends, and goes on with its own
session then; one has given its result and hangs. What waved shows of them is compared with what the API has served.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_programs import executable_of
from tests.integration.real_programs import SLOWEST, SUBSCRIPTION, agent, at_home, limit_until, shown
from tests.live import Daemon, assignments, plan_of, processes_of, wait_for, wave_of
from tests.record_agents import EDIT
from tests.scripted_api import Call, ScriptedApi, Turn, Usage
from waved.domain.usage import dollars


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as serving:
        yield serving


def in_all(item: dict[str, Any]) -> tuple[int, int]:
    """Tokens sent and written in all runs of an assignment."""
    usages = [run["usage"] for run in item["runs"]]
    return sum(each.get("input", 0) for each in usages), sum(each.get("output", 0) for each in usages)


def test_real_programs_edit_a_repository_and_all_figures_are_those_served(
    daemon: Daemon, workspace: Path, short_tmp: Path, api: ScriptedApi
) -> None:
    for name in ("claude", "codex"):
        executable_of(name)
    (workspace / "README.md").write_text("# demo\nline two\n")
    reset = time.time() + 6
    wait = "while [ ! -e go ]; do sleep 0.05; done; git status --short"
    coding = [
        Turn("Writing.", (Call("write", "cart.py", new="TOTAL = 1\n"),), "", Usage(900, 50, 100)),
        Turn("Checking.", (Call("shell", command=wait),), "", Usage(1000, 30, 200)),
        Turn("The cart is written.", usage=Usage(1100, 20, 300)),
    ]
    background = {"command": "sleep 300", "run_in_background": True}
    hanging = [
        Turn("Starting it.", (Call("raw", tool="Bash", arguments=background),), "", Usage(400, 30)),
        Turn("It runs.", usage=Usage(500, 20)),
    ]
    scripts = {"limited": [EDIT[0], limit_until(reset), *EDIT[1:]], "coder": coding, "server": hanging}
    urls = {name: api.script(name, turns, workspace) for name, turns in scripts.items()}
    values = {
        "limited": at_home("claude", urls["limited"], short_tmp / "h1", **SUBSCRIPTION),
        "coder": at_home("codex", urls["coder"], short_tmp / "h2"),
        "server": at_home("claude", urls["server"], short_tmp / "h3"),
    }
    agents = [
        agent("limited", "claude", retries=0, backoff="100ms"),
        agent("coder", "codex"),
        agent("server", "claude", linger="2s"),
    ]
    review = {"name": "review", "command": ["sh", "-c", 'cp "$WAVED_CONTEXT" context.json']}
    plan = plan_of(wave_of("work", *agents), wave_of("look", review))
    base = {"PATH": os.environ["PATH"]}
    session = daemon.submit(plan, workspace, environment={"base": base, "agents": values})

    def told() -> str:
        return f"{daemon.view(session)}"

    def run_of(name: str, number: int = -1) -> dict[str, Any]:
        runs = assignments(daemon.view(session))[name]["runs"]
        return dict(runs[number]) if runs else {"acting": "", "usage": {}, "tool": "", "reset_at": None}

    # While they are at it: a tool that runs, a limit and its end, a result of one that goes on living.
    wait_for(lambda: "go ]" in run_of("coder")["tool"], SLOWEST, told)
    wait_for(lambda: run_of("server")["acting"] == "finished", SLOWEST, told)
    lingering = run_of("server")
    assert lingering["usage"]["cost"] > 0
    status = shown(daemon, "status", session)
    assert "while [ ! -e go ]" in status
    assert dollars(lingering["usage"]["cost"]) in status
    wait_for(lambda: run_of("limited", 0)["state"] == "ended", SLOWEST, told)
    assert run_of("limited", 0)["cause"] == "rate-limited"
    (workspace / "go").touch()
    view = wait_for(lambda: (found := daemon.view(session))["state"] == "ended" and found, SLOWEST, told)

    assert view["outcome"] == "succeeded", view["reason"]
    assert (workspace / "README.md").read_text() == "# demo\nline two, edited\n"
    assert (workspace / "cart.py").read_text() == "TOTAL = 1\n"
    found = assignments(view)
    first, second = found["limited"]["runs"]
    assert (first["exit_code"], second["exit_code"], second["attempt"]) == (1, 0, 2)
    assert second["started"] >= int(reset)
    events = daemon.events(session)
    starts = [event["data"] for event in events if event["kind"] == "run.starting"]
    ends = {event["data"]["run"]: event["data"] for event in events if event["kind"] == "run.ended"}
    (resumed,) = (start.get("resume") for start in starts if start["run"] == second["run"])
    assert resumed == ends[first["run"]]["acted"]["program_session"] != ""
    assert ends[second["run"]]["acted"]["program_session"] == resumed
    (server,) = found["server"]["runs"]
    assert server["outcome"] == "exited"
    assert "did not end" in server["reason"]
    assert server["ended"] - server["started"] < SLOWEST
    for name in scripts:
        served = api.used(name)
        assert in_all(found[name]) == (served.prompt, served.output), name
    # claude counts what a session cost from its first run on, codex does not tell.
    lines = [line for line in daemon.output(second["run"]).splitlines() if b'"type":"result"' in line]
    cost = sum(run["usage"]["cost"] for run in found["limited"]["runs"])
    assert cost == pytest.approx(json.loads(lines[-1])["total_cost_usd"])
    assert [run["usage"].get("cost") for run in found["coder"]["runs"]] == [None]
    assert {run["version"].count(".") for name in scripts for run in found[name]["runs"]} == {2}
    tools = [run["usage"]["tools"] for run in found["limited"]["runs"]]
    assert [sum(each.values()) for each in tools] == [1, 2]
    log = shown(daemon, "logs", session, "coder")
    assert "The cart is written." in log
    said = {each["assignment"]: each for each in _context(workspace)}
    assert said["limited"]["changed"] == ["README.md"]
    assert said["coder"]["last_words"] == "The cart is written."


def test_kill_9_of_the_daemon_and_of_a_worker_while_real_programs_work(
    daemon: Daemon, workspace: Path, short_tmp: Path, api: ScriptedApi
) -> None:
    """What goes on without a daemon is known to the next; what lost its worker is ended, and goes on when told to."""
    values, agents = {}, []
    for name in ("claude", "codex"):
        executable_of(name)
        wait = f"while [ ! -e go-{name} ]; do sleep 0.05; done"
        turns = [
            Turn("Writing.", (Call("write", f"{name}.py", new="TOTAL = 1\n"),), "", Usage(900, 50, 100)),
            Turn("Checking.", (Call("shell", command=wait),), "", Usage(1000, 30, 200)),
            Turn("Done.", usage=Usage(1100, 20, 300)),
        ]
        values[name] = at_home(name, api.script(name, turns, workspace), short_tmp / name)
        agents.append(agent(name, name))
    base = {"PATH": os.environ["PATH"]}
    session = daemon.submit(plan_of(wave_of("w", *agents)), workspace, environment={"base": base, "agents": values})

    def run_of(name: str) -> dict[str, Any]:
        runs = assignments(daemon.view(session))[name]["runs"]
        return dict(runs[-1]) if runs else {"tool": "", "acting": "", "state": ""}

    wait_for(lambda: all("do sleep" in run_of(name)["tool"] for name in values), SLOWEST)
    daemon.kill()
    (workspace / "go-codex").touch()
    daemon.start()
    wait_for(lambda: run_of("codex")["state"] == "ended", SLOWEST)
    started = {
        event["data"]["run"]: event["data"] for event in daemon.events(session) if event["kind"] == "run.started"
    }
    worker = next(each["worker"] for run, each in started.items() if "/claude#" in run)
    os.kill(worker, signal.SIGKILL)
    view = wait_for(lambda: (found := daemon.view(session))["state"] == "held" and found, SLOWEST)
    lost = run_of("claude")
    assert (lost["outcome"], lost["exit_code"]) == ("lost", None)
    assert "claude is lost: its worker died" in view["reason"]
    assert not processes_of(short_tmp / "claude")

    (workspace / "go-claude").touch()
    with daemon.client() as client:
        client.retry(session, ["claude"])
    view = wait_for(lambda: (found := daemon.view(session))["state"] == "ended" and found, SLOWEST)
    assert view["outcome"] == "succeeded", view["reason"]
    found = assignments(view)
    resumed = [event["data"] for event in daemon.events(session) if event["kind"] == "run.starting"][-1]["resume"]
    assert resumed != ""
    (codex,) = found["codex"]["runs"]
    served = api.used("codex")
    assert (codex["usage"]["input"], codex["usage"]["output"]) == (served.prompt, served.output)
    # Of what a killed claude wrote, only the first token of each answer is known: it tells the rest with its result.
    assert in_all(found["claude"])[0] == api.used("claude").prompt
    assert (workspace / "claude.py").read_text() == "TOTAL = 1\n"


def _context(workspace: Path) -> list[dict[str, Any]]:

    return list(json.loads((workspace / "context.json").read_text())["results"])
