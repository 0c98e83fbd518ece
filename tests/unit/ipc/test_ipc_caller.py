"""Who is on the other end of a connection, as the kernel tells."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.ipc.caller import Caller, local_caller, still_lives


def test_zeromqs_peer_address() -> None:
    assert local_caller("localhost:1000:100:4711") == Caller(1000, 4711)
    assert local_caller(":0:0:1") == Caller(0, 1)


@given(st.text(max_size=30))
def test_no_address_is_an_error(address: str) -> None:
    caller = local_caller(address)
    assert not caller.remote
    assert caller.key == ""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    yield listening
    listening.close()


def test_a_process_that_connected_lives_until_it_ends(listener: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        connection, _ = listener.accept()
        with connection:
            assert still_lives(connection.fileno(), os.getpid()) is not False
            assert still_lives(connection.fileno(), os.getpid() + 1) is False
    assert still_lives(-1, os.getpid()) is False


def test_a_connection_that_outlives_its_maker_tells_so(listener: socket.socket) -> None:
    client = socket.socket(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        client.connect(listener.getsockname())
        os._exit(0)
    connection, _ = listener.accept()
    os.waitpid(child, 0)
    with client, connection:
        found = still_lives(connection.fileno(), child)
    release = tuple(int(number) for number in os.uname().release.split(".")[:2])
    assert found is (False if release >= (6, 5) else None)
