"""The configuration file of a daemon that runs: what it says is done, and what it says wrongly is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, plan_of, processes_of, wait_for, wave_of


def check(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "waved", "--check"]
    return subprocess.run(command, env=daemon.environment, capture_output=True, text=True, check=False)


@pytest.fixture
def config(daemon: Daemon) -> Path:
    """The file the daemon reads at its next start; it is stopped."""
    daemon.end()
    daemon.environment["WAVED_CONFIG"] = str(daemon.folder / "waved.toml")
    return daemon.folder / "waved.toml"


def test_mistakes_are_told_by_check_and_at_the_start(daemon: Daemon, config: Path) -> None:
    config.write_text('on_stop = "stop"\n[log]\nkeeep = 3\n')
    done = check(daemon)
    assert done.returncode == 78
    assert f'{config}:3: log.keeep: unknown key; did you mean "keep"?' in done.stderr
    assert "Traceback" not in done.stderr
    assert "log.keeep" in daemon.start()
    assert daemon.process is not None
    assert daemon.process.wait(10) == 78
    config.write_text('socket_group = "no-such-group"\n')
    assert "there is no group 'no-such-group'" in daemon.start()
    assert daemon.process.wait(10) == 78
    config.write_text("")
    assert check(daemon).returncode == 0
    assert daemon.start() == "ready"


def test_the_log_goes_where_it_says_and_rotates(daemon: Daemon, config: Path, workspace: Path) -> None:
    log = daemon.folder / "logs" / "waved.log"
    log.parent.mkdir()
    config.write_text(f'[log]\nfile = "{log}"\nmax_size = "64KB"\nkeep = 2\n')
    daemon.start()
    plan = plan_of(
        *(wave_of(f"w{number}", *(agent_of(f"a{number}-{n}", "true") for n in range(12))) for number in range(5))
    )
    session = daemon.run(plan, workspace)["session"]
    events = daemon.events(session)

    def told() -> list[int]:
        paths = sorted(log.parent.glob("waved.log*"), key=lambda path: path.name, reverse=True)
        lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        return [line["seq"] for line in lines if line.get("session") == session]

    wait_for(lambda: told()[-1:] == [events[-1]["seq"]])
    assert len(list(log.parent.iterdir())) > 1, "too few events for this test"
    assert all(path.stat().st_size <= 64 * 1024 for path in log.parent.iterdir())
    assert told() == [event["seq"] for event in events][-len(told()) :]


def test_on_stop_detach_leaves_agents_running(daemon: Daemon, config: Path, workspace: Path) -> None:
    config.write_text('on_stop = "detach"\n')
    daemon.start()
    script = f"echo $$ >> {workspace}/up; while [ ! -e {workspace}/go ]; do sleep 0.02; done"
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", script))), workspace)
    wait_for(lambda: (workspace / "up").exists())
    daemon.end()
    assert [line for line in processes_of(workspace) if "while" in line]
    config.write_text("")
    daemon.start()
    (workspace / "go").touch()
    assert daemon.settled(session)["outcome"] == "succeeded"
    assert len((workspace / "up").read_text().split()) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: a file is given to another group")
def test_a_socket_group_may_use_the_socket_until_it_may_not(daemon: Daemon, config: Path) -> None:
    config.write_text('socket_group = "nogroup"\n')
    daemon.start()
    assert (daemon.socket.stat().st_mode & 0o777, daemon.runtime.stat().st_mode & 0o777) == (0o660, 0o710)
    assert daemon.socket.stat().st_gid == daemon.runtime.stat().st_gid != 0
    assert daemon.state.stat().st_mode & 0o777 == 0o700
    config.write_text("")
    with daemon.client() as client:
        client.daemon_upgrade()
        client.daemon_status()
    assert (daemon.socket.stat().st_mode & 0o777, daemon.runtime.stat().st_mode & 0o777) == (0o600, 0o700)
