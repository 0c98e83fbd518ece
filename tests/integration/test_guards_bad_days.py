"""Guards where the world does not play along: nothing is lost, and it is said what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.guarded import CORRUPTION, GOOD, kinds, with_cart
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of


def test_a_workspace_that_is_deleted_holds_the_session(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    plan = plan_of(wave_of("build", agent_of("a", "sleep 60")))
    plan["monitor"] = [CORRUPTION]
    session = shared_daemon.submit(plan, workspace)
    wait_for(lambda: assignments(shared_daemon.view(session))["a"]["state"] == "running")
    shutil.rmtree(workspace)
    held = wait_for(lambda: (view := shared_daemon.view(session))["state"] == "held" and view)
    assert "workspace" in held["reason"]
    with shared_daemon.client() as client:
        client.stop(session)
    assert shared_daemon.settled(session)["outcome"] == "stopped"


def test_a_locked_git_of_the_users_hinders_nothing(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    (workspace / ".git" / "index.lock").write_text("")
    agent = agent_of("a", 'if [ "$WAVED_ATTEMPT" = 1 ]; then echo const const > src/cart.ts; sleep 60; fi')
    plan = plan_of(wave_of("build", agent))
    plan["monitor"] = [{**CORRUPTION, "reactions": [["rollback-file", "restart-agent"]]}]
    view = shared_daemon.run(plan, workspace)
    assert view["outcome"] == "succeeded", view["reason"]
    assert (workspace / "src" / "cart.ts").read_text() == GOOD
    assert (workspace / ".git" / "index.lock").exists()


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = short_tmp / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_rollback_on_a_full_disk_loses_nothing(shared_daemon: Daemon, short_tmp: Path, small_disk: Path) -> None:
    workspace = small_disk / "ws"
    (workspace / "src").mkdir(parents=True)
    plan = plan_of(wave_of("a", agent_of("one", "echo small > src/data.bin")), min_free_disk="1MB")
    big = os.urandom(6 << 20)
    (workspace / "src" / "data.bin").write_bytes(big)
    view = shared_daemon.run(plan, workspace)
    assert view["outcome"] == "succeeded", view
    filler = small_disk / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="space"):
        while True:
            os.write(fd, bytes(64 << 10))
    os.close(fd)
    with shared_daemon.client() as client:
        done = client.rollback("session", session=view["session"])
        assert done["failed"], done
        assert "the disk is full" in done["failed"][0]
        assert (workspace / "src" / "data.bin").read_text() == "small\n", "what is there stays"
        filler.unlink()
        done = client.rollback("session", session=view["session"])
    assert done["failed"] == []
    assert (workspace / "src" / "data.bin").read_bytes() == big


def test_a_pattern_without_end_is_a_finding_of_its_own(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    monitor = {**CORRUPTION, "patterns": ["(a+)+$"], "reactions": ["alert"]}
    agent = agent_of("a", "printf '%040d!' 0 | tr 0 a > src/evil.ts; sleep 0.5")
    plan = {**plan_of(wave_of("build", agent)), "monitor": [monitor]}
    view = shared_daemon.run(plan, workspace)
    assert view["state"] == "ended"
    found = kinds(shared_daemon.events(view["session"]), "finding.made")
    assert any("long" in finding["summary"] for finding in found), found
