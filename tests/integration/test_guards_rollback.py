"""Rollback and undo by a person, of sessions that go on and of those that have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.guarded import GOOD, user_state, with_cart
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of

WAVECTL = [sys.executable, "-c", "from wavectl.cli import main; main()"]


def wavectl(daemon: Daemon, *arguments: str, status: int = 0) -> str:
    """What the command line says."""
    done = subprocess.run(
        [*WAVECTL, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "WAVED_SOCKET": str(daemon.socket), "NO_COLOR": "1", "COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout


def test_of_an_ended_session_at_each_scope_and_undone_again(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    before = user_state(workspace)
    first = agent_of("one", "echo 1 >> src/cart.ts; echo new > src/one.ts", owns=["src/**"])
    second = agent_of("two", "echo 2 > two.md; echo 3 > src/three.ts", owns=["*.md"])
    plan = plan_of(wave_of("a", first), wave_of("b", second))
    view = shared_daemon.run(plan, workspace)
    assert view["outcome"] == "succeeded"
    session = view["session"]
    listed = wavectl(shared_daemon, "snapshots", "list")
    assert "session" in listed
    assert "wave b" in listed
    wavectl(shared_daemon, "rollback", session, "--file", "src/cart.ts", "--yes")
    assert (workspace / "src" / "cart.ts").read_text() == GOOD
    assert (workspace / "src" / "one.ts").exists()
    said = wavectl(shared_daemon, "rollback", "--agent", "two", "--yes")
    assert "removed two.md" in said
    assert (workspace / "src" / "three.ts").exists(), "another's file, as far as anybody can tell"
    wavectl(shared_daemon, "rollback", "--wave", "b", "--yes")
    assert not (workspace / "src" / "three.ts").exists()
    assert (workspace / "src" / "one.ts").exists()
    said = wavectl(shared_daemon, "rollback", "--all", "--yes")
    assert not (workspace / "src" / "one.ts").exists()
    (kept,) = [line.split("restore ")[1].split("`")[0] for line in said.splitlines() if "snapshots restore" in line]
    assert "one.ts" in wavectl(shared_daemon, "snapshots", "diff", kept)
    wavectl(shared_daemon, "snapshots", "restore", kept, "--yes")
    assert (workspace / "src" / "one.ts").read_text() == "new\n"
    assert user_state(workspace) == before
    assert "no snapshot" in subprocess.run(
        [*WAVECTL, "snapshots", "show", "s99"], capture_output=True, text=True, check=False,
        env={**os.environ, "WAVED_SOCKET": str(shared_daemon.socket)},
    ).stderr  # fmt: skip


def test_it_asks_first(shared_daemon: Daemon, workspace: Path) -> None:
    shared_daemon.run(plan_of(wave_of("a", agent_of("one", "echo 1 > new.md"))), workspace)
    done = subprocess.run(
        [*WAVECTL, "rollback", "--all"], capture_output=True, text=True, check=False, input="n\n",
        env={**os.environ, "WAVED_SOCKET": str(shared_daemon.socket)},
    )  # fmt: skip
    assert done.returncode == 130
    assert "new.md" in done.stderr
    assert (workspace / "new.md").exists()


def test_of_a_running_session_an_agent_begins_again(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = agent_of("one", 'if [ "$WAVED_ATTEMPT" = 1 ]; then echo bad > src/cart.ts; sleep 60; fi', owns=["src/**"])
    session = shared_daemon.submit(plan_of(wave_of("a", agent)), workspace)
    wait_for(lambda: (workspace / "src" / "cart.ts").read_text() == "bad\n")
    assert "begun: r1" in wavectl(shared_daemon, "rollback", session, "--agent", "one", "--yes")
    view = shared_daemon.settled(session)
    assert view["outcome"] == "succeeded"
    assert len(assignments(view)["one"]["runs"]) == 2
    assert (workspace / "src" / "cart.ts").read_text() == GOOD
