"""A slow or hostile client costs the others nothing, and the daemon a bounded amount of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import psutil
import pytest
import zmq

from tests.flooding import KINDS
from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from waved.ipc.door import _KEPT_BYTES, _RECEIVED, _SENT
from waved.ipc.turns import BYTES, IN_FLIGHT
from waved.ipc.wire import Request, encode_request

ROOT = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024
ROOM = 64 * MEGABYTE
"""What allocators and journals may add to what is bounded."""


def _memory(daemon: Daemon) -> int:
    return int(psutil.Process(daemon.pid).memory_info().rss)


@contextmanager
def _flood(kind: str, daemon: Daemon) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.flooding", kind, str(daemon.socket)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


@contextmanager
def _channel(daemon: Daemon) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as channel:
        channel.linger = 0
        channel.sndhwm = channel.rcvhwm = 100_000
        channel.connect(f"ipc://{daemon.socket}")
        yield channel


SMOKE = ("answers", "large", "polls", "held")
"""Those of each run; all with `-m torture` as well."""


@pytest.mark.parametrize(
    "kind", [kind if kind in SMOKE else pytest.param(kind, marks=pytest.mark.torture) for kind in KINDS]
)
def test_an_honest_client_is_answered_while_another_floods(kind: str, daemon: Daemon, workspace: Path) -> None:
    before = _memory(daemon)
    with daemon.client(timeout=20) as client, _flood(kind, daemon):
        spent = []
        for _ in range(40):
            begin = time.monotonic()
            assert client.daemon_status()["pid"] == daemon.pid
            spent.append(time.monotonic() - begin)
        assert sorted(spent)[20] < 1.0
        # Sessions go on as well.
        assert daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)["outcome"] == "succeeded"
        assert _memory(daemon) - before < _RECEIVED * 8 * MEGABYTE + BYTES + ROOM
    # When it is over nothing goes on.
    used = sum(psutil.Process(daemon.pid).cpu_times()[:2])
    wait_for(lambda: _at_rest(daemon), what=lambda: f"{used} s of CPU, and more all the time")


def _at_rest(daemon: Daemon) -> bool:
    process = psutil.Process(daemon.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(0.3)
    return sum(process.cpu_times()[:2]) - before <= 0.02


def test_what_a_client_does_not_read_is_bounded(daemon: Daemon, workspace: Path) -> None:
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "head -c 5000000 /dev/urandom"))), workspace)
    run = view["waves"][0]["assignments"][0]["runs"][0]["run"]
    question = encode_request(Request(1, "logs.read", {"session": "", "run": run, "limit": 4 * MEGABYTE}))
    before = _memory(daemon)
    with _channel(daemon) as slow, daemon.client() as client:
        for _ in range(200):
            slow.send(question)
        # All have been answered, or dropped, when a question that was asked later is.
        for _ in range(20):
            assert client.daemon_status()["pid"] == daemon.pid
        wait_for(lambda: _at_rest(daemon))
        assert _memory(daemon) - before < _SENT * 4 * MEGABYTE + _KEPT_BYTES + ROOM


def test_more_than_a_client_may_have_in_flight_is_refused_and_the_rest_answered(daemon: Daemon) -> None:
    poll = {"after": 2**40, "wait": 1.5}
    with _channel(daemon) as channel:
        for number in range(IN_FLIGHT + 50):
            channel.send(encode_request(Request(number, "events.read", poll)))
        replies = {}
        while len(replies) < IN_FLIGHT + 50:
            assert channel.poll(20_000)
            reply = msgpack.unpackb(channel.recv())
            replies[reply["id"]] = reply
    refused = [reply for reply in replies.values() if "error" in reply]
    assert len(refused) == 50
    assert all(reply["error"]["code"] == "resources" for reply in refused)
    assert all("ok" in replies[number] for number in range(IN_FLIGHT))
    with daemon.client() as client:
        assert client.daemon_status()["problems"] == []


def test_answers_to_many_questions_at_once_wait_for_their_reader(daemon: Daemon) -> None:
    """More than ZeroMQ is told to keep: nothing honest is dropped."""
    count = IN_FLIGHT
    with _channel(daemon) as channel:
        for number in range(count):
            channel.send(encode_request(Request(number, "session.list", {})))
        with daemon.client() as client:
            for _ in range(3):
                client.daemon_status()
        seen = []
        while len(seen) < count:
            assert channel.poll(20_000), f"{len(seen)} of {count} were answered"
            seen.append(msgpack.unpackb(channel.recv())["id"])
    assert seen == list(range(count))
