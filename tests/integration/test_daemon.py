"""One daemon: starting, ending, a second one, a stale socket, a crash with agents running."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from waved import ending
from waved.errors import ConflictError, NoDaemonError


def test_a_second_daemon_says_who_is_there(daemon: Daemon, short_tmp: Path) -> None:
    second = Daemon(short_tmp)
    said = second.start()
    assert f"pid {daemon.pid}" in said
    assert second.process is not None
    assert second.process.wait(10) != 0
    with daemon.client() as client:
        assert client.daemon_status()["pid"] == daemon.pid


def test_a_stale_socket_is_no_obstacle(daemon: Daemon) -> None:
    daemon.kill()
    assert daemon.socket.exists()
    with daemon.client(timeout=1) as client, pytest.raises(NoDaemonError):
        client.daemon_status()
    assert daemon.start() == "ready"


def test_the_socket_is_for_its_owner_alone(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.runtime.stat().st_mode) == 0o700


def test_a_state_folder_that_cannot_be_written_is_named(short_tmp: Path) -> None:
    (short_tmp / "s").write_text("a file")
    daemon = Daemon(short_tmp)
    said = daemon.start()
    assert str(short_tmp / "s") in said
    daemon.end()


def test_an_unreadable_journal_is_put_aside_and_named(short_tmp: Path) -> None:
    (short_tmp / "s").mkdir()
    journal = short_tmp / "s" / "journal.sqlite"
    journal.write_bytes(b"this is no database, but it may be somebody's" * 100)
    before = journal.read_bytes()
    daemon = Daemon(short_tmp)
    assert daemon.start() == "ready"
    with daemon.client() as client:
        [problem] = client.daemon_status()["problems"]
    daemon.end()
    [aside] = short_tmp.glob("s/journal.sqlite.unreadable-*")
    assert str(aside) in problem
    assert aside.read_bytes() == before


def test_a_submission_with_a_token_is_accepted_once_even_by_the_next_daemon(daemon: Daemon, workspace: Path) -> None:
    """So a client whose connection broke before the answer came may send it again."""
    plan = plan_of(wave_of("w", agent_of("a", "echo once >> starts")))
    first = daemon.submit(plan, workspace, token="of-this-submission")
    assert daemon.submit(plan, workspace, token="of-this-submission") == first
    assert daemon.settled(first)["outcome"] == "succeeded"
    daemon.kill()
    daemon.start()
    assert daemon.submit(plan, workspace, token="of-this-submission") == first
    assert (workspace / "starts").read_text() == "once\n"
    assert daemon.submit(plan, workspace, token="of-another") != first


def test_wavectl_daemon_stop_returns_when_it_has_ended(daemon: Daemon, workspace: Path) -> None:
    """Whoever removes its folders, or starts the next one, must not meet it."""
    agent = agent_of("a", "trap '' TERM; touch up; while :; do sleep 0.1; done", stop_grace="1s")
    daemon.submit(plan_of(wave_of("w", agent)), workspace)
    wait_for((workspace / "up").exists)
    command = [sys.executable, "-c", "from wavectl.cli import main; main()", "--socket", str(daemon.socket)]
    done = subprocess.run(
        [*command, "daemon", "stop", "--sessions", "stop"], capture_output=True, text=True, timeout=60
    )
    assert daemon.process is not None
    assert daemon.process.poll() == 0
    assert (done.returncode, done.stdout) == (0, "the daemon has stopped\n")


def test_stopping_is_refused_while_sessions_go_on(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600"))), workspace)
    wait_for((workspace / "up").exists)
    with daemon.client() as client, pytest.raises(ConflictError, match=session):
        client.daemon_stop()
    with daemon.client() as client:
        client.daemon_stop("stop")
    assert daemon.process is not None
    assert daemon.process.wait(20) == 0
    assert [line for line in processes_of(workspace) if "sleep" in line] == []
    daemon.start()
    assert daemon.view(session)["outcome"] == "stopped"


def test_sigterm_ends_sessions_and_says_so(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600"))), workspace)
    wait_for((workspace / "up").exists)
    daemon.end()
    daemon.start()
    view = daemon.view(session)
    assert (view["state"], view["outcome"]) == ("ended", "stopped")
    assert "SIGTERM" in view["reason"]


def test_a_git_that_hangs_does_not_keep_a_daemon_that_was_told_to_end(
    unstarted_daemon: Daemon, workspace: Path, short_tmp: Path
) -> None:
    daemon = unstarted_daemon
    stuck, programs = short_tmp / "stuck", short_tmp / "programs"
    programs.mkdir()
    # It hangs where it makes the snapshot, as on a file system that does not answer, and heeds no signal but one.
    hang = f'[ "${{*#*fast-import}}" != "$*" ] && {{ trap "" TERM INT; touch {stuck}; sleep 600; }}'
    (programs / "git").write_text(f'#!/bin/bash\n{hang}\nexec {shutil.which("git")} "$@"\n')
    (programs / "git").chmod(0o755)
    daemon.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    daemon.start()
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "true"))), workspace)
    wait_for(stuck.exists)
    assert daemon.process is not None
    daemon.process.terminate()
    assert daemon.process.wait(ending.PATIENCE + 20) == 0
    assert "daemon.end-forced" in daemon.log.read_text()
    daemon.environment["PATH"] = os.environ["PATH"]
    daemon.start()
    assert daemon.view(session)["outcome"] == "stopped"
    assert daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)["outcome"] == "succeeded"


def test_agents_outlive_a_killed_daemon_and_their_ends_are_known(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of(
            "w",
            agent_of(
                "during", "echo x >> ledger; touch up1; while [ ! -e go1 ]; do sleep 0.01; done; touch ended; exit 5"
            ),
            agent_of("after", "echo y >> ledger; touch up2; while [ ! -e go2 ]; do sleep 0.01; done"),
            gate={"on_failure": "continue"},
        ),
        wave_of("next", agent_of("late", "touch late")),
    )
    session = daemon.submit(plan, workspace)
    wait_for(lambda: (workspace / "up1").exists() and (workspace / "up2").exists())
    seen = daemon.events(session)
    daemon.kill()
    (workspace / "go1").touch()
    wait_for((workspace / "ended").exists)
    assert daemon.start() == "ready"
    assert daemon.events(session)[: len(seen)] == seen
    view = wait_for(lambda: (now := daemon.view(session)) and assignments(now)["during"]["state"] == "ended" and now)
    assert assignments(view)["during"]["runs"][0]["exit_code"] == 5
    (workspace / "go2").touch()
    view = daemon.settled(session)
    assert assignments(view)["after"]["outcome"] == "succeeded"
    assert (workspace / "late").exists()
    assert sorted((workspace / "ledger").read_text().split()) == ["x", "y"]


def test_a_deadline_holds_without_a_daemon(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600", timeout="1s"))), workspace)
    wait_for((workspace / "up").exists)
    daemon.kill()
    wait_for(lambda: not [line for line in processes_of(workspace) if "sleep" in line])
    daemon.start()
    assert assignments(daemon.settled(session))["a"]["outcome"] == "timed-out"


def test_stop_works_on_an_adopted_run(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(
        plan_of(wave_of("w", agent_of("a", "trap '' TERM; touch up; while :; do sleep 1; done"))), workspace
    )
    wait_for((workspace / "up").exists)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        client.stop(session)
    assert daemon.settled(session)["outcome"] == "stopped"


def test_a_daemon_without_work_ends_by_itself(short_tmp: Path) -> None:
    daemon = Daemon(short_tmp)
    assert daemon.start("--idle-exit", "0.3") == "ready"
    assert daemon.process is not None
    assert daemon.process.wait(20) == 0
    wait_for(lambda: not processes_of(short_tmp))


def test_a_daemon_at_rest_does_not_wake_up(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600"))), workspace)
    wait_for((workspace / "up").exists)
    wait_for(lambda: assignments(daemon.view(session))["a"]["state"] == "running")

    def wakeups() -> int:
        lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

    before = wakeups()
    os.sched_yield()
    signal.sigtimedwait([], 1.0)
    assert wakeups() - before <= 3
    with daemon.client() as client:
        client.stop(session)
    daemon.settled(session)


def test_what_was_made_ready_ahead_is_started_once_by_the_next_daemon(daemon: Daemon, workspace: Path) -> None:
    wave = wave_of(
        "w",
        agent_of("first", "touch up; while [ ! -e go ]; do sleep 0.01; done"),
        agent_of("second", "echo second >> ledger", needs=["first"]),
    )
    session = daemon.submit(plan_of(wave), workspace)
    ahead = daemon.state / "sessions" / session / "runs" / "second.1"
    wait_for(lambda: (workspace / "up").exists() and (ahead / "lock").exists())
    daemon.kill()
    daemon.start()
    (workspace / "go").touch()
    view = daemon.settled(session)
    assert view["outcome"] == "succeeded"
    assert (workspace / "ledger").read_text() == "second\n"
    assert [run["outcome"] for run in assignments(view)["second"]["runs"] if run["outcome"] != "withdrawn"] == [
        "exited"
    ]
