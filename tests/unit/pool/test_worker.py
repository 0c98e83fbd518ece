"""A worker in a process of its own, spoken to as the daemon does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.live import wait_for
from tests.unit.pool.worker_talk import heard, spec_of
from waved.pool import record
from waved.pool.channel import Channel, ChannelClosedError


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


def test_what_is_said_of_an_earlier_arming_is_not_about_this_one(channel: Channel, tmp_path: Path) -> None:
    channel.send({"arm": {**spec_of(tmp_path, "a", ""), "command": ["no-such-program"]}, "number": 1})
    said = heard(channel, "ended")
    assert (said["ended"]["outcome"], said["free"], said["number"]) == ("not-started", True, 1)
    channel.send({"arm": spec_of(tmp_path, "a", "exit 5"), "number": 2})
    assert heard(channel, "armed")["number"] == 2
    for late in ({"freeze": True}, {"limits": {"timeout": 1, "timeout_of": "agent"}}, {"stop": {"reason": "late"}}):
        channel.send({**late, "number": 1})
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}, "number": 1})
    with pytest.raises(TimeoutError):
        channel.sock.settimeout(0.2)
        channel.receive()
    channel.sock.settimeout(20)
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}, "number": 2})
    heard(channel, "started")
    said = heard(channel, "ended")
    assert (said["ended"]["exit_code"], said["number"]) == (5, 2)


def _begin_together(channel: Channel, folder: Path, command: str, settle: float, *before: dict[str, object]) -> None:
    """A run that starts with others, on a shot; what is said `before` it is said after the arming."""
    shot = os.eventfd(0)
    try:
        channel.send({"arm": spec_of(folder, "a", command)}, (shot,))
        heard(channel, "armed")
        for message in before:
            channel.send(message)
        channel.send({"limits": {"timeout": None, "timeout_of": "agent", "settle": settle}})
        os.eventfd_write(shot, 1)
    finally:
        os.close(shot)


def test_a_start_is_told_when_others_have_had_their_time(channel: Channel, tmp_path: Path) -> None:
    begun = time.monotonic()
    _begin_together(channel, tmp_path, f"touch {tmp_path}/up; exec sleep 600", 0.5)
    wait_for((tmp_path / "up").exists)
    assert time.monotonic() - begun < 0.5, "the program itself waits for nothing"
    heard(channel, "started")
    assert time.monotonic() - begun >= 0.5
    channel.send({"stop": {"reason": "over", "grace": 0.1}})
    assert heard(channel, "ended")["ended"]["outcome"] == "stopped"


def test_a_start_is_told_as_soon_as_anything_happens_and_first(channel: Channel, tmp_path: Path) -> None:
    _begin_together(channel, tmp_path, "exit 3", 600.0)
    heard(channel, "started")
    assert heard(channel, "ended")["ended"]["exit_code"] == 3


def test_what_is_frozen_at_its_start_is_told_to_have_started_first(channel: Channel, tmp_path: Path) -> None:
    _begin_together(channel, tmp_path, "exec sleep 600", 600.0, {"freeze": True})
    heard(channel, "started")
    assert heard(channel, "frozen")["frozen"]["ok"]
    channel.send({"stop": {"reason": "over", "grace": 0.1}})
    assert heard(channel, "ended")["ended"]["outcome"] == "stopped"
