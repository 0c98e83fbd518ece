"""Each command against a daemon on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import click
import pytest
from click.testing import Result
from fake_daemon import FakeDaemon

from wavectl.commands.deploy import parse_agent
from waved.errors import ConflictError, NotFoundError

Run = Callable[..., Result]


def run_of(daemon: FakeDaemon, assignment: str, session: str = "s1-deploy") -> str:
    return daemon.sessions[session].nodes[assignment].runs[-1].id


def test_list_and_status(daemon: FakeDaemon, wavectl: Run) -> None:
    assert json.loads(wavectl("list", "--json").stdout) == {"sessions": []}
    assert "no sessions" in wavectl("list").output
    daemon.exits = {"bad": 2}
    wavectl("deploy", "good=true", "bad=false", "--name", "mixed", "--detach")
    shown = wavectl("list").output
    assert "s1-mixed" in shown
    assert "1/2 1 failed" in shown
    assert wavectl("list", "--state", "running", "--json").output.strip() == '{"sessions": []}'
    status = wavectl("status").output
    assert "✗ mixed  failed" in status
    assert "exit code 2" in status
    assert json.loads(wavectl("status", "mixed", "--json").output)["session"] == "s1-mixed"


def test_deploy_understands_programs_checks_and_order(daemon: FakeDaemon, wavectl: Run) -> None:
    done = wavectl(
        "deploy", "b=x y", "a:claude=do = it", "--sequential", "--check", "pytest -q", "--timeout", "5m",
        "--retries", "2", "--pass", "AWS_*", "--detach", "--json",
    )  # fmt: skip
    assert json.loads(done.output) == {"session": "s1-deploy"}
    sent = next(params for method, params in daemon.asked if method == "session.submit")["plan"]
    assert sent["session"] == {"name": "deploy", "parallel": False, "timeout": "5m"}
    more = {"retries": 2, "env": {"pass": ["AWS_*"]}}
    assert sent["wave"][0]["agent"] == [
        {"name": "b", "command": "x y", **more},
        {"name": "a", "use": "claude", "prompt": "do = it", **more},
    ]
    assert sent["wave"][0]["gate"] == {"commands": ["pytest -q"]}


@pytest.mark.parametrize("text", ["", "=x", "a", "a b=x", "a:=x", "a= ", ":claude=x", "a:b c=x"])
def test_deploy_refuses_what_is_no_agent(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_agent(text)


def test_wait_stop_retry(daemon: FakeDaemon, wavectl: Run) -> None:
    daemon.hold = {"a", "b"}
    wavectl("deploy", "a=true", "b=true", "--detach")
    assert wavectl("wait", "--timeout", "0.05").exception is not None
    assert "stopping agent a of session s1-deploy" in wavectl("stop", "a").output
    assert wavectl("stop", "s1").output.startswith("stopping session s1-deploy")
    waited = wavectl("wait", "--json")
    assert waited.return_value == 3
    assert json.loads(waited.output)["outcome"] == "stopped"
    again = wavectl("retry", "s1", "b")
    assert "again in session s1-deploy: b" in again.output
    unknown = wavectl("retry", "s1", "bb")
    assert isinstance(unknown.exception, NotFoundError)
    assert unknown.exception.hint == 'did you mean "b"?'
    assert isinstance(wavectl("stop", "nobody").exception, NotFoundError)
    assert isinstance(wavectl("resume").exception, ConflictError)


def test_events(daemon: FakeDaemon, wavectl: Run) -> None:
    wavectl("deploy", "a=true", "--detach")
    lines = [json.loads(line) for line in wavectl("events", "--json", "--follow").output.splitlines()]
    assert [line["seq"] for line in lines] == [event.seq for event in daemon.journal]
    only = wavectl("events", "--kind", "run.*", "--after", "3").output.splitlines()
    assert [line.split()[2] for line in only] == ["run.starting", "run.started", "run.ended"]
    assert wavectl("events", "s1", "--all").exception is not None


def test_watch_shows_a_line_for_each_event_that_matters_then_the_summary(daemon: FakeDaemon, wavectl: Run) -> None:
    daemon.exits = {"b": 1}
    wavectl("deploy", "a=true", "b=false", "c=true", "--detach")
    daemon.outputs[run_of(daemon, "b")] = [(1.0, 2, b"it broke\x1b[2J here\n")]
    done = wavectl("watch", "--plain")
    assert done.return_value == 1
    lines = done.output.splitlines()
    assert "submitted as s1-deploy: 1 wave, 3 agents" in lines[0]
    assert any("✓ workspace" in line for line in lines)
    assert sum("started (pid 4711)" in line for line in lines) == 3
    assert "one after another" in done.output
    assert "in parallel" in done.output
    assert "│ it broke here" in done.output, "the last lines of what failed, made safe for a terminal"
    assert "/state/sessions/s1-deploy/runs" in done.output
    assert "\x1b" not in done.output, "no colour away from a terminal"


def test_logs_of_several_agents_are_interleaved_as_they_were_printed(daemon: FakeDaemon, wavectl: Run) -> None:
    wavectl("deploy", "a=true", "bb=true", "--detach")
    pieces = [(10.0, 1, b"one\nthr"), (12.0, 2, b"oops\n"), (13.0, 1, b"ee\n"), (20.0, 1, b"end")]
    daemon.outputs[run_of(daemon, "a")] = pieces
    daemon.outputs[run_of(daemon, "bb")] = [(11.0, 1, b"two\n"), (14.5, 1, b"\xff\n")]
    lines = wavectl("logs").output.splitlines()
    assert lines == ["a  | one", "bb | two", "a  | oops", "a  | three", "bb | \ufffd", "a  | end"]
    assert wavectl("logs", "a", "--stderr").output == "oops\n"
    assert wavectl("logs", "a", "--stdout").output.splitlines() == ["one", "three", "end"]
    assert wavectl("logs", "s1", "a", "--tail", "1").output == "end\n"
    assert wavectl("logs", "s1", "a", "--tail", "2").output.splitlines() == ["ee", "end"]
    assert wavectl("logs", "bb", "--raw").stdout_bytes == b"two\n\xff\n"
    first = json.loads(wavectl("logs", "bb", "--json").output.splitlines()[0])
    assert first == {"agent": "bb", "run": run_of(daemon, "bb"), "time": 11.0, "stream": "stdout", "text": "two"}
    stamped = wavectl("logs", "bb", "--timestamps").output.splitlines()[0]
    assert stamped.endswith(".000 two")
    assert isinstance(wavectl("logs", "s1", "nobody").exception, NotFoundError)


def test_logs_follow_a_run_and_the_next_attempt_through_a_restart(daemon: FakeDaemon, wavectl: Run) -> None:
    daemon.hold = {"a"}
    wavectl("deploy", "a=true", "b=true", "--retries", "1", "--detach")
    run = run_of(daemon, "a")
    daemon.outputs[run] = [(1.0, 1, b"first\n")]
    found: list[Result] = []
    reader = threading.Thread(target=lambda: found.append(wavectl("logs", "--follow")))
    reader.start()
    asked = threading.Event()
    while not any(method == "logs.read" for method, _ in list(daemon.asked)):
        asked.wait(0.01)
    daemon.restart()
    daemon.outputs[run].append((2.0, 1, b"second\n"))
    daemon.hold = set()
    daemon.finish("a")
    reader.join(30)
    assert not reader.is_alive()
    assert found[0].exception is None, found[0].exception
    assert [line for line in found[0].output.splitlines() if line.startswith("a")] == ["a | first", "a | second"]


def test_daemon_status_and_stop(daemon: FakeDaemon, wavectl: Run) -> None:
    assert "0.0-fake" in wavectl("daemon", "status").output
    assert json.loads(wavectl("daemon", "status", "--json").output)["problems"] == []
    assert wavectl("daemon", "stop", "--sessions", "detach").output == "the daemon stops\n"
    assert isinstance(wavectl("daemon", "start").exception, ConflictError)


def test_watch_says_that_the_daemon_is_away_and_goes_on_with_the_next(daemon: FakeDaemon, wavectl: Run) -> None:
    daemon.hold = {"slow"}
    wavectl("deploy", "slow=true", "--detach")

    def crash() -> None:
        pause = threading.Event()
        while not any(params.get("wait") for method, params in list(daemon.asked) if method == "events.read"):
            pause.wait(0.01)
        daemon.stop()
        daemon.start()
        daemon.finish("slow")

    crashing = threading.Thread(target=crash)
    crashing.start()
    done = wavectl("watch", "--plain")
    crashing.join()

    assert done.exit_code == 0
    assert "the daemon is away: " in done.stderr
    assert "waiting for it, 60 s at most" in done.stderr
    assert "the daemon is back, after " in done.stderr
    assert done.stdout.count("submitted as s1-deploy") == 1  # nothing is told twice
    assert "deploy succeeded" in done.stdout
