"""A backup as docs/operations.md has it, made while the daemon works: what it tells of is there on another machine."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.live import Daemon, agent_of, assignments, plan_of, wave_of


def test_what_was_backed_up_can_be_restored(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    done = daemon.run(plan_of(wave_of("w", agent_of("a", "echo told; echo changed > made"))), workspace)
    busy = daemon.submit(plan_of(wave_of("w", agent_of("b", "sleep 60")), on_lost="hold"), workspace)
    with daemon.client() as client:
        assert any(event["kind"] == "run.started" for event in client.events(busy, follow=True))

    backup = short_tmp / "backup"
    backup.mkdir()
    with (
        closing(sqlite3.connect(daemon.state / "journal.sqlite")) as journal,
        closing(sqlite3.connect(backup / "journal.sqlite")) as copy,
    ):
        journal.backup(copy)
    parts = ["sessions", "snapshots"]
    subprocess.run(["tar", "-C", daemon.state, "-cf", backup / "rest.tar", "--exclude=environment", *parts], check=True)
    daemon.end()

    restored = Daemon(short_tmp / "there")
    restored.state.mkdir(parents=True, mode=0o700)
    (backup / "journal.sqlite").rename(restored.state / "journal.sqlite")
    subprocess.run(["tar", "-C", restored.state, "-xf", backup / "rest.tar"], check=True)
    assert restored.start() == "ready"
    try:
        assert restored.view(done["session"])["outcome"] == "succeeded"
        assert restored.output(f"{done['session']}/a#1") == b"told\n"
        assert len(restored.view(done["session"])["snapshots"]) == len(done["snapshots"]) > 0
        view = restored.settled(busy)
        assert (view["state"], assignments(view)["b"]["outcome"]) == ("held", "lost")
    finally:
        restored.end()
