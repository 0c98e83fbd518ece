"""Nothing of a run survives its end (invariant 3), and deadlines and truth hold whatever a program does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of

HIDE = """\
import os, time, signal
signal.signal(15, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
"""


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


def _left(workspace: Path) -> list[str]:
    return [line for line in processes_of(workspace) if "sleep" in line or "python" in line]


def test_a_process_that_forked_twice_and_ignores_term_is_ended_and_named(daemon: Daemon, workspace: Path) -> None:
    script = HIDE + "open('hidden','w').write(str(os.getpid()))\ntime.sleep(600)\n"
    (workspace / "hide.py").write_text(script)
    command = "python3 hide.py & while [ ! -s hidden ]; do sleep 0.01; done"
    view = daemon.run(plan_of(wave_of("w", agent_of("a", command))), workspace)
    hidden = int((workspace / "hidden").read_text())
    run = assignments(view)["a"]["runs"][0]
    assert view["outcome"] == "succeeded"
    assert any(line.startswith(f"{hidden} ") for line in run["leftovers"])
    assert not Path(f"/proc/{hidden}").exists()


def test_stop_ends_a_tree_that_ignores_term(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(
        plan_of(wave_of("w", agent_of("a", "trap '' TERM; touch up; while :; do sleep 1; done"))), workspace
    )
    wait_for((workspace / "up").exists)
    with daemon.client() as client:
        client.stop(session)
    view = daemon.settled(session)
    assert view["outcome"] == "stopped"
    assert assignments(view)["a"]["runs"][0]["signal"] == signal.SIGKILL
    assert _left(workspace) == []


def test_a_process_forking_in_a_loop_is_ended(daemon: Daemon, workspace: Path) -> None:
    storm = "trap '' TERM; touch up; while :; do (trap '' TERM; sleep 5 & exec sleep 5) & sleep 0.005; done"
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", storm))), workspace)
    wait_for((workspace / "up").exists)
    with daemon.client() as client:
        client.stop(session)
    assert daemon.settled(session)["outcome"] == "stopped"
    assert _left(workspace) == []


def test_a_stopped_process_is_ended_too(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; kill -STOP $$"))), workspace)
    wait_for((workspace / "up").exists)
    with daemon.client() as client:
        client.stop(session)
    assert daemon.settled(session)["outcome"] == "stopped"


def test_a_killed_worker_is_noticed_its_tree_ended_and_the_run_lost(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "setsid sleep 600 & touch up; sleep 600"))), workspace)
    wait_for((workspace / "up").exists)
    events = wait_for(lambda: [event for event in daemon.events(session) if event["kind"] == "run.started"])
    os.kill(events[0]["data"]["worker"], signal.SIGKILL)
    view = daemon.settled(session)
    assert view["state"] == "held"
    assert assignments(view)["a"]["outcome"] == "lost"
    assert _left(workspace) == []
    with daemon.client() as client:
        client.resume(session)
    assert daemon.settled(session)["outcome"] == "failed"


def test_an_agent_killed_by_a_signal_is_no_success(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "kill -SEGV $$"))), workspace)
    run = assignments(view)["a"]["runs"][0]
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("signalled", None, signal.SIGSEGV)
    assert view["outcome"] == "failed"


def test_an_agent_that_closes_its_output_goes_on_until_it_ends(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(
        plan_of(wave_of("w", agent_of("a", "exec >&- 2>&- <&-; sleep 0.3; touch done; exit 4"))), workspace
    )
    assert (workspace / "done").exists()
    assert assignments(view)["a"]["runs"][0]["exit_code"] == 4


def test_stdin_is_empty_never_open(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "cat; echo after"))), workspace)
    assert view["outcome"] == "succeeded"
    assert daemon.output(f"{view['session']}/a#1") == b"after\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["./text"], "not an executable file"),
        (["./script"], "no #! line"),
        (["./missing"], "no such file"),
        (["."], "not"),
    ],
)
def test_what_cannot_be_started_says_why(daemon: Daemon, workspace: Path, command: list[str], said: str) -> None:
    (workspace / "text").write_text("hello")
    (workspace / "script").write_text("echo hello")
    (workspace / "script").chmod(0o755)
    view = daemon.run(plan_of(wave_of("w", agent_of("a", command))), workspace, waive=["commands"])
    run = assignments(view)["a"]["runs"][0]
    assert run["outcome"] == "not-started"
    assert run["exit_code"] is None
    assert said in run["reason"]
