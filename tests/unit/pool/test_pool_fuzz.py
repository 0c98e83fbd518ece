"""Whatever arrives on the sockets between daemon and workers: no crash, nothing lost (invariant 9)."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.live import wait_for
from tests.unit.pool.worker_talk import heard, start
from waved.pool import record
from waved.pool.channel import FILE_LIMIT, Channel, ChannelClosedError

_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9) | st.binary()
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
_WORDS = st.sampled_from(
    ["stop", "freeze", "thaw", "arm", "release", "limits", "shot", "hello", "connected", "withdraw"]
)
_STOPS = st.dictionaries(st.sampled_from(["reason", "grace", "at_once"]), _SCALARS)
_HEADS = st.sampled_from([b"\x00", b"\x01", b"\x02", b""])
_DATAGRAMS = st.one_of(
    st.binary(max_size=200),
    st.tuples(_HEADS, _ANYTHING.map(msgpack.packb)).map(b"".join),
    st.dictionaries(_WORDS, _ANYTHING, max_size=2).map(lambda message: b"\x00" + msgpack.packb(message)),
)
_NEARLY_RIGHT = _STOPS.filter(lambda stop: len(stop) < 2).map(lambda stop: b"\x00" + msgpack.packb({"stop": stop}))


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@settings(max_examples=300, deadline=None)
@given(_DATAGRAMS, st.integers(0, 3))
def test_a_datagram_is_a_message_or_the_end(datagram: bytes, files: int) -> None:
    ours, theirs = Channel.pair()
    ours.sock.settimeout(5)
    before = _descriptors()
    passed = [os.memfd_create("x") for _ in range(files)]
    socket.send_fds(theirs.sock, [datagram], passed)
    theirs.close()
    for fd in passed:
        os.close(fd)
    try:
        message, fds = ours.receive()
        assert isinstance(message, dict)
        for fd in fds:
            os.close(fd)
    except ChannelClosedError:
        pass
    assert _descriptors() == before - 1  # their end
    ours.close()


def test_a_message_in_a_file_that_never_ends_is_not_read() -> None:
    reading, writing = os.pipe()
    large = os.memfd_create("large")
    os.truncate(large, FILE_LIMIT + 1)
    for fd in (os.open("/dev/zero", os.O_RDONLY), reading, large):
        ours, theirs = Channel.pair()
        socket.send_fds(theirs.sock, [b"\x01"], [fd])
        with pytest.raises(ChannelClosedError, match="no message"):
            ours.receive()
        os.close(fd)
        ours.close()
        theirs.close()
    os.close(writing)


def _connect(folder: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def reached() -> bool:
        try:
            sock.connect(str(folder / record.CONTROL))
        except OSError:
            return False
        return True

    wait_for(reached)
    return sock


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.binary(min_size=1, max_size=100) | _NEARLY_RIGHT)
def test_a_worker_without_a_daemon_survives_whoever_finds_its_socket(orphan: Orphan, datagram: bytes) -> None:
    with _connect(orphan.folder) as stranger:
        stranger.send(datagram)
    assert orphan.alive()


class Orphan:
    """A worker whose daemon has gone, with a run that goes on until it is told."""

    def __init__(self, channel: Channel, folder: Path) -> None:
        self.pid = start(channel, folder, "while [ ! -e go ]; do sleep 0.02; done; exit 7")
        self.folder = folder / "a"
        self.go = folder / "go"
        channel.sock.shutdown(socket.SHUT_RDWR)

    def alive(self) -> bool:
        os.kill(self.pid, 0)
        return record.read_exit(self.folder) is None


@pytest.fixture
def orphan(channel: Channel, tmp_path: Path) -> Any:
    found = Orphan(channel, tmp_path)
    yield found
    # After all that was said to it, it still hears a daemon, and its run ends as the program did.
    with _connect(found.folder) as sock:
        daemon = Channel(sock)
        sock.settimeout(20)
        assert heard(daemon, "hello")["hello"]["run"] == "s/a"
        found.go.touch()
        assert heard(daemon, "ended")["ended"]["exit_code"] == 7
    assert record.read_exit(found.folder)["exit_code"] == 7


def test_an_agent_is_not_taken_for_the_daemon(channel: Channel, tmp_path: Path) -> None:
    script = (
        "import socket, sys, msgpack\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "while s.connect_ex(sys.argv[1]): pass\n"
        "s.settimeout(10)\n"
        "try:\n"
        "    s.send(b'\\0' + msgpack.packb({'stop': {'reason': 'me', 'grace': 0}}))\n"
        "    heard = s.recv(100)\n"
        "except (BrokenPipeError, ConnectionResetError):\n"
        "    heard = b''\n"
        "sys.exit(3 if heard == b'' else 4)\n"
    )
    (tmp_path / "agent.py").write_text(script)
    start(channel, tmp_path, f"exec {sys.executable} agent.py a/{record.CONTROL}")
    channel.sock.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: record.read_exit(tmp_path / "a"))
    assert record.read_exit(tmp_path / "a")["exit_code"] == 3
