"""Whatever arrives on the control socket: a clear answer, or none; never the daemon's end (invariant 9)."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from waved.errors import BadRequestError, ConflictError, NotFoundError, PlanError
from waved.ipc import wire
from waved.reactor.methods import METHODS


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


def _ask(daemon: Daemon, *frames: bytes, kind: int = zmq.DEALER, wait: int = 10_000) -> dict[str, Any] | None:
    with zmq.Context() as context, context.socket(kind) as channel:
        channel.linger = 0
        channel.connect(f"ipc://{daemon.socket}")
        channel.send_multipart(frames)
        return msgpack.unpackb(channel.recv()) if channel.poll(wait) else None


def _alive(daemon: Daemon) -> bool:
    with daemon.client() as client:
        return bool(client.daemon_status()["pid"] == daemon.pid)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"", "protocol"),
        (b"\xff\x00garbage", "protocol"),
        (msgpack.packb([1, 2]), "protocol"),
        (msgpack.packb({"v": 99, "id": 3, "method": "daemon.status"}), "protocol"),
        (msgpack.packb({"v": 1, "id": "x", "method": "daemon.status"}), "bad-request"),
        (msgpack.packb({"v": 1, "id": 1}), "bad-request"),
        (msgpack.packb({"v": 1, "id": 1, "method": "no.such"}), "bad-request"),
        (msgpack.packb({"v": 1, "id": 1, "method": "session.status", "params": {"session": 5}}), "bad-request"),
        (msgpack.packb({"v": 1, "id": 1, "method": "session.status", "params": {"extra": 5}}), "bad-request"),
        (b"\x00" * (wire.MAX_FRAME + 1), "protocol"),
    ],
)
def test_what_is_no_request_gets_an_error_reply(daemon: Daemon, frame: bytes, code: str) -> None:
    reply = _ask(daemon, frame)
    assert reply is not None
    assert reply["error"]["code"] == code
    assert reply["error"]["message"]
    assert _alive(daemon)


def test_the_id_of_a_refused_request_is_told(daemon: Daemon) -> None:
    reply = _ask(daemon, msgpack.packb({"v": 99, "id": 41, "method": "daemon.status"}))
    assert reply is not None
    assert reply["id"] == 41
    assert "99" in reply["error"]["message"]


def test_a_large_request_is_for_what_takes_a_plan_alone(daemon: Daemon) -> None:
    """Others are refused by their first bytes: whoever floods with them costs the daemon little."""
    said = {}
    for method in ("daemon.status", "session.submit"):
        reply = _ask(daemon, wire.encode_request(wire.Request(3, method, {"more": bytes(wire.LARGE)})))
        assert reply is not None
        assert (reply["id"], reply["error"]["code"]) == (3, "bad-request")
        said[method] = reply["error"]["message"]
    assert f"takes {wire.LARGE} at most" in said["daemon.status"]
    assert "at most" not in said["session.submit"]


def test_req_sockets_are_served_too(daemon: Daemon) -> None:
    reply = _ask(daemon, wire.encode_request(wire.Request(5, "daemon.status")), kind=zmq.REQ)
    assert reply is not None
    assert reply["ok"]["pid"] == daemon.pid


def test_several_frames_are_refused(daemon: Daemon) -> None:
    reply = _ask(daemon, b"one", b"two")
    assert reply is not None
    assert reply["error"]["code"] == "protocol"


def test_random_bytes_on_the_raw_socket_cost_nothing(daemon: Daemon) -> None:
    for size in (1, 10, 1000, 100_000):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(daemon.socket))
            try:
                raw.sendall(os.urandom(size))
            except (BrokenPipeError, ConnectionResetError):
                continue
    assert _alive(daemon)


_METHODS = sorted({*METHODS} - {"daemon.stop", "daemon.upgrade"})
_NAMES = ["session", "plan", "workspace", "environment", "after", "limit", "wait", "run", "agents", "offset", "index"]
_INTEGERS = st.integers(-(2**63), 2**63 - 1)
_SCALARS = st.none() | st.booleans() | _INTEGERS | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_CALLS = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "id": st.integers(0, 9),
        "method": st.sampled_from(_METHODS),
        "params": st.dictionaries(st.sampled_from(_NAMES), _ANYTHING, max_size=4),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), _ANYTHING.map(msgpack.packb), _CALLS.map(msgpack.packb)))
def test_fuzzed_frames_are_answered_and_survived(fuzzed: Fuzzed, frame: bytes) -> None:
    fuzzed.send(frame)
    assert fuzzed.answers_itself()


class Fuzzed:
    """One connection for all examples of the fuzz test."""

    def __init__(self, daemon: Daemon) -> None:
        self.context = zmq.Context()
        self.channel = self.context.socket(zmq.DEALER)
        self.channel.linger = 0
        self.channel.connect(f"ipc://{daemon.socket}")
        self.number = 10

    def send(self, frame: bytes) -> None:
        self.channel.send(frame)

    def answers_itself(self) -> bool:
        """The daemon answers an honest question asked after the frame."""
        self.number += 1
        self.channel.send(wire.encode_request(wire.Request(self.number, "daemon.status")))
        while self.channel.poll(10_000):
            reply = msgpack.unpackb(self.channel.recv())
            if reply["id"] == self.number:
                return "ok" in reply
        return False

    def close(self) -> None:
        self.channel.close()
        self.context.term()


@pytest.fixture
def fuzzed(daemon: Daemon) -> Any:
    connection = Fuzzed(daemon)
    yield connection
    connection.close()


def test_unknown_and_ambiguous_sessions(daemon: Daemon, workspace: Path) -> None:
    with daemon.client() as client, pytest.raises(NotFoundError, match="no session yet"):
        client.status("")
    first = daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)["session"]
    second = daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)["session"]
    with daemon.client() as client:
        assert client.status("")["session"] == second
        assert client.status("t")["session"] == second
        assert client.status(first)["session"] == first
        with pytest.raises(NotFoundError, match="nobody"):
            client.status("nobody")
        with pytest.raises(BadRequestError, match="several"):
            client.status("t-")
        with pytest.raises(NotFoundError, match="no agent 'x'"):
            client.retry(first, ["x"])
        with pytest.raises(ConflictError, match="has ended"):
            client.stop(first)
        with pytest.raises(ConflictError, match="nothing to retry"):
            client.retry(first)
        with pytest.raises(ConflictError, match="not held"):
            client.resume(first)


def test_a_plan_is_validated_again_by_the_daemon(daemon: Daemon, workspace: Path) -> None:
    bad = plan_of(wave_of("w", agent_of("a", "true", needs=["b"]), agent_of("b", "true", needs=["a"])))
    with pytest.raises(PlanError, match=r"a → b → a|b → a → b"):
        daemon.submit(bad, workspace)
    with pytest.raises(PlanError):
        daemon.submit({"session": {}}, workspace)
    with daemon.client() as client:
        assert str(workspace) not in [item["workspace"] for item in client.list()]


def test_a_long_poll_is_answered_when_something_happens(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "while [ ! -e go ]; do sleep 0.01; done"))), workspace)
    wait_for(lambda: any(event["kind"] == "run.started" for event in daemon.events(session)))
    last = daemon.events(session)[-1]["seq"]
    with daemon.client() as client:
        empty = client.request("events.read", {"session": session, "after": last, "wait": 0.05})
        assert empty["events"] == []
        (workspace / "go").touch()
        found = client.request("events.read", {"session": session, "after": last, "wait": 30.0}, wait=30)
        assert found["events"][0]["seq"] == last + 1
