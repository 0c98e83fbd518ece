"""One process cannot fill the control socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from waved.ipc import crowd as module
from waved.ipc.crowd import Crowd


@pytest.fixture
def listener(short_tmp: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(short_tmp / "s"))
        made.listen(100)
        yield made


@pytest.fixture(autouse=True)
def share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_PROCESS", 5)
    monkeypatch.setattr(module, "_PAUSE", 0.0)


def connected(stack: ExitStack, listener: socket.socket, count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Both ends of connections that this process has made."""
    clients, servers = [], []
    for _ in range(count):
        clients.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
        clients[-1].connect(listener.getsockname())
        servers.append(stack.enter_context(listener.accept()[0]))
    return clients, servers


def is_cut(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def test_what_is_beyond_a_processs_share_is_cut_the_newest_first(listener: socket.socket) -> None:
    crowd = Crowd(listener.getsockname())
    with ExitStack() as stack:
        clients, servers = connected(stack, listener, 5)
        assert crowd.thin([each.fileno() for each in servers]) == 0
        more, theirs = connected(stack, listener, 3)
        assert crowd.thin([each.fileno() for each in servers + theirs]) == 3
        assert [is_cut(each) for each in clients + more] == [False] * 5 + [True] * 3


def test_others_are_not_touched(listener: socket.socket) -> None:
    crowd = Crowd(listener.getsockname())
    with ExitStack() as stack:
        pid = os.fork()
        if pid == 0:
            try:
                alone = socket.socket(socket.AF_UNIX)
                alone.connect(listener.getsockname())
                os._exit(0 if alone.recv(1) == b"x" else 1)
            finally:
                os._exit(2)
        other = stack.enter_context(listener.accept()[0])
        clients, servers = connected(stack, listener, 9)
        assert crowd.thin([other.fileno(), *(each.fileno() for each in servers)]) == 4
        assert sum(map(is_cut, clients)) == 4
        other.send(b"x")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_number_that_was_given_to_something_else_is_left_alone(listener: socket.socket) -> None:
    crowd = Crowd(listener.getsockname())
    with ExitStack() as stack:
        clients, servers = connected(stack, listener, 8)
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        crowd._pids = {each.fileno(): os.getpid() for each in servers}
        os.dup2(theirs.fileno(), servers[-1].fileno())
        assert crowd.thin([each.fileno() for each in servers]) == 3
        assert not is_cut(ours), "not the one that took the number of the newest"
        assert sum(map(is_cut, clients[:-1])) == 3


def test_no_copy_is_kept_of_what_took_a_number_and_is_no_socket(listener: socket.socket) -> None:
    """A kept copy of a locked file keeps the lock; one of a pipe's end keeps its reader waiting."""
    crowd = Crowd(listener.getsockname())
    with ExitStack() as stack:
        _, servers = connected(stack, listener, 8)
        reading, writing = os.pipe()
        os.dup2(writing, servers[0].fileno())
        os.close(writing)
        for _ in range(3):
            assert crowd.thin([each.fileno() for each in servers]) in (2, 0)
        servers[0].close()
        with os.fdopen(reading, "rb") as pipe:
            os.set_blocking(reading, False)
            assert pipe.read() == b"", "nobody has the other end any more"


def test_who_has_left_counts_no_more(listener: socket.socket) -> None:
    crowd = Crowd(listener.getsockname())
    with ExitStack() as stack:
        clients, servers = connected(stack, listener, 6)
        assert crowd.thin([each.fileno() for each in servers]) == 1
        for each in servers:
            crowd.left(each.fileno())
        assert crowd._pids == {}
        assert sum(map(is_cut, clients)) == 1
