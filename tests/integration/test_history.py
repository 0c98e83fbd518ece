"""Past sessions with a real daemon: found again, exported, forgotten, through deaths of the daemon in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from wavectl import AsyncClient
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
    with daemon.client() as client:
        metrics = client.metrics(kept)
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
        assert client.metrics(kept) == metrics, "they are the same whenever one asks"
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


def test_an_export_holds_all_of_a_session_and_none_of_its_secrets(
    daemon: Daemon, workspace: Path, tmp_path: Path
) -> None:
    secret = "Zq8-very/secret.Value77"
    command = "echo the token is $MY_TOKEN; echo ghp_abcdefghijklmnopqrstuvwxyz0123456789; touch up; sleep 600"
    running = daemon.submit(
        plan_of(wave_of("w", agent_of("talks", command)), name="exported"),
        workspace,
        environment={"base": {"PATH": os.environ["PATH"]}, "session": {"MY_TOKEN": secret}, "agents": {}},
        source="# the plan as it was written\n",
    )
    wait_for(lambda: (workspace / "up").exists())
    target = tmp_path / "it.zip"
    with daemon.client() as client:
        live = client.export(running, target)
        assert not live["problems"]
        with zipfile.ZipFile(target) as archive:
            assert archive.testzip() is None
            parts = {name.removeprefix(f"{running}/"): archive.read(name) for name in archive.namelist()}
        assert {
            "manifest.json", "events.jsonl", "view.json", "metrics.json", "plan.toml", "runs/talks.1/output",
            "runs/talks.1/prompt.md", "runs/talks.1/context.json",
        } <= parts.keys()  # fmt: skip
        assert not [name for name in parts if "environment" in name]
        assert not [name for name, content in parts.items() if secret.encode() in content or b"ghp_abc" in content]
        assert parts["runs/talks.1/output"] == b"the token is [masked MY_TOKEN]\n[masked token]\n"
        events = [json.loads(line) for line in parts["events.jsonl"].splitlines()]
        view = json.loads(parts["view.json"])
        assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
        assert events[0]["kind"] == "session.submitted"
        assert events[-1]["seq"] == view["last_seq"]
        assert len(events) == live["events"] == json.loads(parts["manifest.json"])["events"]
        assert {metric["name"] for metric in json.loads(parts["metrics.json"])["metrics"]} >= {"parallel_rate", "cost"}
        before = target.read_bytes()
        with pytest.raises(ConflictError, match="there already"):
            client.export(running, target)
        assert target.read_bytes() == before
        with pytest.raises(NotFoundError, match="no folder"):
            client.export(running, tmp_path / "nowhere" / "it.zip")
        client.stop(running)
        client.wait(running)
        done = asyncio.run(exported(daemon, running, tmp_path / "ended.zip"))
    with zipfile.ZipFile(tmp_path / "ended.zip") as archive:
        assert json.loads(archive.read(f"{running}/view.json"))["outcome"] == "stopped"
        assert {f"{running}/runs/talks.1/{name}" for name in ("exit", "spec.json")} <= set(archive.namelist())
    assert done["events"] > live["events"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ended.zip", "it.zip"], "nothing unfinished is left"


async def exported(daemon: Daemon, session: str, target: Path) -> dict[str, object]:
    async with AsyncClient(str(daemon.socket)) as client:
        return await client.export(session, target)
