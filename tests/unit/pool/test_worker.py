"""A worker in a process of its own, spoken to as the daemon does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waved.pool import record, tree, worker
from waved.pool.birth import Cradle
from waved.pool.channel import Channel, ChannelClosedError


@pytest.fixture
def channel() -> Iterator[Channel]:
    """The daemon's end of a channel to a new worker, which is gone when the test is over."""
    ours, theirs = Channel.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            worker.main(theirs, Cradle.here(None))
        finally:
            os._exit(0)
    theirs.close()
    ours.sock.settimeout(20)
    yield ours
    ours.close()
    process = tree.look(pid)
    assert os.waitpid(pid, 0)[1] in (0, signal.SIGKILL), process


def spec_of(folder: Path, key: str, command: str) -> dict[str, Any]:
    """What a worker needs to run a shell command."""
    return {
        "run": f"s/{key}", "purpose": "agent", "folder": str(folder / key), "workspace": str(folder), "attempt": 1,
        "leftover_grace": 0.1, "stop_grace": 1.0, "clock_offset": 0.0, "failure": "", "program": "command",
        "command": command, "args": [], "model": None, "instructions": [], "prompt": "", "tasks": [], "context": {},
        "cwd": str(folder), "env": {"PATH": os.environ["PATH"]}, "output_limit": 1 << 20,
    }  # fmt: skip


def heard(channel: Channel, word: str) -> dict[str, Any]:
    """The next message, which has to be of this kind."""
    message, fds = channel.receive()
    assert not fds
    assert word in message, message
    return message


def test_one_run_after_another_and_a_stop_that_came_too_late_is_nobodys(channel: Channel, tmp_path: Path) -> None:
    channel.send({"arm": spec_of(tmp_path, "a", "exit 3")})
    heard(channel, "armed")
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}})
    heard(channel, "started")
    first = heard(channel, "ended")
    assert (first["ended"]["exit_code"], first["free"]) == (3, True)
    channel.send({"stop": {"reason": "meant for the first", "grace": 0.1}})
    channel.send({"arm": spec_of(tmp_path, "b", "exit 4")})
    heard(channel, "armed")
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}})
    heard(channel, "started")
    second = heard(channel, "ended")["ended"]
    assert (second["outcome"], second["exit_code"]) == ("exited", 4)
    assert record.read_exit(tmp_path / "b") is not None


def test_a_folder_that_a_daemon_fenced_off_is_not_touched(channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    channel.send({"arm": spec_of(tmp_path, "a", "touch started")})
    assert heard(channel, "ended")["ended"]["outcome"] == "withdrawn"
    with pytest.raises(ChannelClosedError):
        channel.receive()
    assert list((tmp_path / "a").iterdir()) == []


def test_what_a_killed_worker_had_only_made_ready_is_made_ready_anew(channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / record.LOCK).write_text("{}")
    (tmp_path / "a" / "prompt.md").write_text("of the dead worker")
    channel.send({"arm": spec_of(tmp_path, "a", "exit 0")})
    heard(channel, "armed")
    assert (tmp_path / "a" / "prompt.md").read_text() == ""


def test_a_folder_with_the_end_of_a_run_is_not_touched(channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / record.LOCK).write_text("{}")
    record.write_exit(str(tmp_path / "a"), {"run": "s/a", "outcome": "exited", "exit_code": 7})
    channel.send({"arm": spec_of(tmp_path, "a", "touch started")})
    assert heard(channel, "ended")["ended"]["outcome"] == "withdrawn"
    left = record.read_exit(tmp_path / "a")
    assert left is not None
    assert left["exit_code"] == 7
