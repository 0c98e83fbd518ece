"""Who may use the control socket: not the agents of the same user, unless their plan grants a look."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of
from waved.errors import NotAllowedError
from waved.pool import cgroup

ASK = Path(__file__).with_name("asking.py")
"""A program that asks the daemon what its arguments say, and writes each answer as a line of JSON."""


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


def _asking(daemon: Daemon, out: Path, *questions: tuple[str, dict[str, Any]], before: str = "") -> str:
    """A command line that asks `questions` from within a run, after being put there by `before`."""
    words = [sys.executable, str(ASK), str(daemon.socket), str(out), *(json.dumps(question) for question in questions)]
    return f"{before} {shlex.join(words)}".strip()


def _answers(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def _run(daemon: Daemon, workspace: Path, command: str, **agent: Any) -> dict[str, Any]:
    values = {"base": {"PATH": os.environ["PATH"]}}
    plan = plan_of(wave_of("w", agent_of("a", command, **agent)))
    return daemon.run(plan, workspace, environment=values)


def test_an_agent_may_ask_nothing(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    out = short_tmp / "answers"
    questions = [("daemon.status", {}), ("session.list", {}), ("session.stop", {"session": ""}), ("daemon.stop", {})]
    questions += [("keys.list", {}), ("keys.server", {}), ("session.status", {"session": ""})]
    view = _run(daemon, workspace, _asking(daemon, out, *questions))
    assert view["outcome"] == "succeeded", "session.stop had no effect"
    answers = _answers(out)
    assert len(answers) == len(questions)
    for answer in answers:
        assert answer["error"]["code"] == "not-allowed"
        assert "from within the run" in answer["error"]["message"]
        assert 'control = "own"' in answer["error"]["hint"]


@pytest.mark.parametrize(
    "before",
    [
        "setsid --wait",
        "env -i PATH=$PATH",
        # A grandchild whose parents are gone: its worker has adopted it.
        "sh -c '(\"$@\" & ) ; while [ ! -e done ]; do sleep 0.02; done' sh",
    ],
)
def test_an_agent_that_hides_is_known_by_its_descent(
    daemon: Daemon, workspace: Path, short_tmp: Path, before: str
) -> None:
    out = short_tmp / "answers"
    command = _asking(daemon, out, ("session.list", {}), ("session.stop", {}), before=before)
    assert _run(daemon, workspace, command)["outcome"] == "succeeded"
    assert [answer["error"]["code"] for answer in _answers(out)] == ["not-allowed"] * 2


@pytest.mark.skipif(cgroup.find_home({}) is None, reason="no control group (v2) here that may be divided")
def test_who_is_in_a_runs_control_group_is_known_by_that(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    """A process that descends from no worker, and was told of no run."""
    out = short_tmp / "answers"
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "while [ ! -e go ]; do sleep 0.02; done"))), workspace)
    wait_for(lambda: assignments(daemon.view(session))["a"]["state"] == "running")
    [run] = assignments(daemon.view(session))["a"]["runs"]
    home = cgroup.find_home({})
    assert home is not None
    group = cgroup.group_of(home, cgroup.worker_of(run["pid"]))
    words = [sys.executable, str(ASK), str(daemon.socket), str(out), '["session.list", {}]']
    inside = f"echo $$ > {shlex.quote(str(group))}/cgroup.procs && exec {shlex.join(words)}"
    subprocess.run(["sh", "-c", inside], env={"PATH": os.environ["PATH"]}, cwd=workspace, check=True, timeout=60)
    (workspace / "go").touch()
    assert daemon.settled(session)["outcome"] == "succeeded"
    [answer] = _answers(out)
    assert "from within the run" in answer["error"]["message"]


def test_after_a_crash_of_the_daemon_agents_are_still_known(
    own_daemon: Daemon, workspace: Path, short_tmp: Path
) -> None:
    out = short_tmp / "answers"
    command = f"touch up; while [ ! -e go ]; do sleep 0.02; done; {_asking(own_daemon, out, ('session.list', {}))}"
    values = {"base": {"PATH": os.environ["PATH"]}}
    session = own_daemon.submit(plan_of(wave_of("w", agent_of("a", command))), workspace, environment=values)
    wait_for((workspace / "up").exists)
    own_daemon.kill()
    own_daemon.start()
    (workspace / "go").touch()
    assert own_daemon.settled(session)["outcome"] == "succeeded"
    assert [answer["error"]["code"] for answer in _answers(out)] == ["not-allowed"]


def test_a_process_that_has_ended_cannot_lend_its_connection(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    """A connection outlives its maker in a child; who asks then cannot be told, and is refused."""
    out = short_tmp / "answers"
    command = [sys.executable, str(ASK), str(daemon.socket), str(out), '["session.list", {}]']
    subprocess.run(command, env={**os.environ, "ORPHAN": "1"}, cwd=workspace, check=True, timeout=60)
    wait_for(out.exists)
    [answer] = wait_for(lambda: _answers(out))
    assert answer["error"]["code"] == "not-allowed"
    assert "has ended" in answer["error"]["message"]


def test_what_the_plan_grants(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    other = daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)["session"]
    out = short_tmp / "answers"
    reading = [("session.list", {}), ("session.status", {"session": ""}), ("session.status", {"session": other})]
    reading += [("events.read", {}), ("events.read", {"session": other}), ("daemon.status", {})]
    changing = [("session.stop", {"session": ""}), ("session.retry", {"session": other}), ("keys.list", {})]

    own = _run(daemon, workspace, _asking(daemon, out, *reading, *changing), control="own")
    assert own["outcome"] == "succeeded"
    listed, status, others, events, others_events, daemon_status, *changed = _answers(out)
    assert [each["session"] for each in listed["ok"]["sessions"]] == [own["session"]]
    assert status["ok"]["session"] == own["session"]
    assert {event["session"] for event in events["ok"]["events"]} == {own["session"]}
    for refused in (others, others_events, daemon_status, *changed):
        assert refused["error"]["code"] == "not-allowed"

    out.unlink()
    view = _run(daemon, workspace, _asking(daemon, out, *reading, *changing), control="view")
    assert view["outcome"] == "succeeded"
    answers = _answers(out)
    assert all("ok" in answer for answer in answers[: len(reading)])
    assert {other, own["session"], view["session"]} <= {each["session"] for each in answers[0]["ok"]["sessions"]}
    assert all(answer["error"]["code"] == "not-allowed" for answer in answers[len(reading) :])


def test_a_grant_comes_with_the_sockets_name_and_without_it_nothing_does(daemon: Daemon, workspace: Path) -> None:
    values = {"base": {"PATH": os.environ["PATH"], "WAVED_SOCKET": "/somewhere", "WAVED_STATE_DIR": "/else"}}
    agents = [agent_of(name, f"env | grep ^WAVED_S > {name}.env", control=name) for name in ("none", "own")]
    view = daemon.run(plan_of(wave_of("w", *agents)), workspace, environment=values)
    assert view["outcome"] == "succeeded"
    seen = (workspace / "none.env").read_text()
    assert "WAVED_SOCKET" not in seen
    assert "WAVED_STATE_DIR" not in seen
    assert f"WAVED_SOCKET={daemon.socket}\n" in (workspace / "own.env").read_text()


def test_the_socket_is_its_users_alone(daemon: Daemon) -> None:
    assert daemon.socket.stat().st_mode & 0o777 == 0o600
    assert daemon.socket.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user")
def test_another_user_is_refused_even_where_the_socket_can_be_opened(daemon: Daemon) -> None:
    daemon.socket.parent.parent.chmod(0o755)
    daemon.socket.parent.chmod(0o755)
    daemon.socket.chmod(0o666)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with daemon.client() as client:
                client.daemon_status()
        except NotAllowedError as error:
            status = 0 if "user 65534 may not" in error.message else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
