"""`waved --end-leftovers`: nothing of a daemon that is gone is left, and what a living daemon runs is no leftover."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.live import Daemon, agent_of, plan_of, processes_of, wait_for, wave_of


def end_leftovers(daemon: Daemon, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "waved", "--end-leftovers", *more]
    return subprocess.run(command, env=daemon.environment, capture_output=True, text=True, timeout=60, check=False)


def running(daemon: Daemon, workspace: Path) -> str:
    waiting = f"echo $$ >> {workspace}/up; (setsid sleep 300 &); sleep 300"
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", waiting), agent_of("b", waiting))), workspace)
    wait_for(lambda: (workspace / "up").exists() and len((workspace / "up").read_text().split()) == 2)
    return session


def test_runs_whose_daemon_is_gone_are_ended_by_their_workers(daemon: Daemon, workspace: Path) -> None:
    session = running(daemon, workspace)
    daemon.kill()
    done = end_leftovers(daemon)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 run(s) went on without a daemon, and were ended\n"
    wait_for(lambda: not processes_of(daemon.folder), 10)
    daemon.start()
    ends = [event for event in daemon.events(session) if event["kind"] == "run.ended"]
    assert [(end["data"]["outcome"], end["data"]["reason"]) for end in ends] == [("stopped", "waved was stopped")] * 2


def test_runs_whose_workers_are_dead_too_are_found_by_their_marks(daemon: Daemon, workspace: Path) -> None:
    daemon.end()
    daemon.environment["WAVED_CGROUP"] = "off"  # else any zygote of this machine that starts ends them first
    daemon.start()
    running(daemon, workspace)
    daemon.kill()
    ours = [int(line.partition(" ")[0]) for line in processes_of(daemon.folder)]
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in ours}
    for name in ("waved-zygote", "waved-worker"):  # in this order: a zygote would end what its dead workers leave
        found = [pid for pid in ours if names[pid] == name]
        assert found
        for pid in found:
            os.kill(pid, signal.SIGKILL)
    done = end_leftovers(daemon)
    assert done.returncode == 0, done.stderr
    assert "2 run(s)" in done.stdout
    wait_for(lambda: not processes_of(daemon.folder), 10)
    daemon.start()


def test_a_living_daemons_agents_are_left_alone(daemon: Daemon, workspace: Path) -> None:
    session = running(daemon, workspace)
    done = end_leftovers(daemon)
    assert done.returncode == 1
    assert f"another waved (pid {daemon.pid}) holds" in done.stderr
    assert daemon.view(session)["agents"]["running"] == 2


def test_outside_a_stop_by_systemd_nothing_is_ended(daemon: Daemon, workspace: Path) -> None:
    running(daemon, workspace)
    daemon.kill()
    done = end_leftovers(daemon, "--if-stopped")
    assert (done.returncode, done.stdout) == (0, "")
    assert len([line for line in processes_of(daemon.folder) if "sleep 300" in line]) >= 2
    daemon.start()
