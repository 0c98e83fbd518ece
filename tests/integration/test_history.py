"""Past sessions with a real daemon: found again, exported, forgotten, through deaths of the daemon in between."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from waved.errors import BadRequestError, ConflictError, NoDaemonError, NotFoundError
from waved.workspace.identity import folder_name
from waved.workspace.shadow import Shadow


def session(daemon: Daemon, workspace: Path, name: str, command: str = "date >> log.txt") -> str:
    return str(daemon.run(plan_of(wave_of("w", agent_of("a", command)), name=name), workspace)["session"])


def rows(daemon: Daemon, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{daemon.state}/journal.sqlite?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def gone(daemon: Daemon, name: str) -> bool:
    """Whether nothing is left of a session but the word that it was pruned."""
    return (
        not (daemon.state / "sessions" / name).exists()
        and not rows(daemon, f"SELECT 1 FROM events WHERE session = '{name}'")
        and not rows(daemon, "SELECT 1 FROM pruning")
    )


def snapshots_of(daemon: Daemon, workspace: Path) -> set[str]:
    """The sessions that snapshots of a workspace are of."""
    if not (daemon.state / "snapshots" / folder_name(workspace)).exists():
        return set()
    return {snapshot.label.session for snapshot in Shadow.open(daemon.state, workspace).snapshots()}


def test_sessions_are_found_by_what_they_were(daemon: Daemon, workspace: Path) -> None:
    good, bad = session(daemon, workspace, "good"), session(daemon, workspace, "bad", "exit 1")
    with daemon.client() as client:
        assert [one["session"] for one in client.list()] == [bad, good]
        assert [one["session"] for one in client.list(outcome="failed")] == [bad]
        assert [one["session"] for one in client.list(name="g*d")] == [good]
        assert [one["session"] for one in client.list(name=good, workspace=str(workspace))] == [good]
        assert client.list(workspace="/elsewhere") == client.list(state="running") == []
        began = client.list(name="bad")[0]["submitted"]
        assert [one["session"] for one in client.list(since=began)] == [bad]
        assert [one["session"] for one in client.list(until=began)] == [good]
        assert len(client.list(limit=1)) == 1


def test_pruning_says_first_what_it_would_do_and_takes_all_of_a_session(daemon: Daemon, workspace: Path) -> None:
    old, kept = session(daemon, workspace, "old"), session(daemon, workspace, "kept")
    other = daemon.folder / "other"
    other.mkdir()
    running = daemon.submit(plan_of(wave_of("w", agent_of("a", "sleep 600")), name="goes-on"), other)
    with daemon.client() as client:
        would = client.prune(max_sessions=1)
        assert [(one["session"], one["why"]) for one in would["sessions"]] == [(old, "number")]
        assert would["dry"]
        assert would["kept"] == 1
        assert would["bytes"] > 1000
        assert client.status(old)["outcome"] == "succeeded"
        with pytest.raises(ConflictError, match="goes on"):
            client.prune([running], dry=False)
        with pytest.raises(BadRequestError, match="max_age"):
            client.prune(dry=False)
        assert old in snapshots_of(daemon, workspace)
        done = client.prune(max_sessions=1, dry=False)
        assert [one["session"] for one in done["sessions"]] == [old]
        with pytest.raises(NotFoundError):
            client.status(old)
        assert gone(daemon, old)
        assert old not in snapshots_of(daemon, workspace)
        assert [one["session"] for one in client.list()] == [running, kept]
        said = [event for event in client.events() if event["kind"] == "session.pruned"]
        assert [event["data"]["pruned"] for event in said] == [old]
        client.snapshot_restore("s1", kept, dry=True)
        client.stop(running)
        client.wait(running)
        client.prune([kept], dry=False)
        assert gone(daemon, kept)
        assert snapshots_of(daemon, workspace) == set(), "with the last session of a workspace all of its snapshots go"


def test_snapshots_wait_for_whoever_works_there(daemon: Daemon, workspace: Path) -> None:
    old = session(daemon, workspace, "old")
    running = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600")), name="goes-on"), workspace)
    wait_for(lambda: (workspace / "up").exists())
    with daemon.client() as client:
        client.prune([old], dry=False)
        assert rows(daemon, "SELECT session FROM pruning") == [(old,)]
        assert not (daemon.state / "sessions" / old).exists()
        client.stop(running)
        client.wait(running)
        wait_for(lambda: gone(daemon, old))
        wait_for(lambda: old not in snapshots_of(daemon, workspace))


PLACES = ("prune.in-events", "prune.after-folder")


def test_a_daemon_that_dies_in_the_midst_of_pruning_goes_on_with_it(daemon: Daemon, workspace: Path) -> None:
    kept, *old = (session(daemon, workspace, name, "true") for name in ("kept", "a", "b"))
    events = rows(daemon, f"SELECT seq, kind, data FROM events WHERE session = '{kept}'")
    for place, name in zip(PLACES, old, strict=True):
        daemon.end()
        daemon.environment["WAVED_FAILPOINTS"] = f"{place}=kill"
        daemon.start()
        with daemon.client(timeout=5.0, reconnect=0.0) as client, pytest.raises(NoDaemonError):
            client.prune([name], dry=False)
        assert daemon.process is not None
        assert daemon.process.wait(30) == -signal.SIGKILL
        del daemon.environment["WAVED_FAILPOINTS"]
        daemon.start()
        wait_for(lambda name=name: gone(daemon, name))  # type: ignore[misc] # mypy cannot tell the default's type
    assert rows(daemon, f"SELECT seq, kind, data FROM events WHERE session = '{kept}'") == events
    with daemon.client() as client:
        assert [one["session"] for one in client.list()] == [kept]
        assert client.status(kept)["outcome"] == "succeeded"
        assert not client.daemon_status()["problems"]
    last = int(str(rows(daemon, "SELECT max(seq) FROM events")[0][0]))
    there = {row[0] for row in rows(daemon, "SELECT seq FROM events")}
    noted = {
        n for first, end in rows(daemon, "SELECT * FROM pruned") for n in range(int(str(first)), int(str(end)) + 1)
    }
    assert noted == set(range(1, last + 1)) - there


def test_the_configuration_file_has_old_sessions_go_by_themselves(short_tmp: Path) -> None:
    settings = short_tmp / "waved.toml"
    settings.write_text("[retention]\nmax_sessions = 1\n")
    workspace = short_tmp / "ws"
    workspace.mkdir()
    daemon = Daemon(short_tmp)
    daemon.start("--config", str(settings))
    try:
        first, second = session(daemon, workspace, "first"), session(daemon, workspace, "second")
        wait_for(lambda: gone(daemon, first))
        with daemon.client() as client:
            assert [one["session"] for one in client.list()] == [second]
            [said] = [event for event in client.events() if event["kind"] == "session.pruned"]
        assert (said["data"]["by"], said["data"]["reason"]) == ("[retention]", "number")
        assert (daemon.state / "sessions" / second).exists()
    finally:
        daemon.end()
