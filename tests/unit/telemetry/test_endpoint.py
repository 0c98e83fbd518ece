"""The endpoint for Prometheus: answers, refuses, and is kept from neither by those who behave badly."""

from __future__ import annotations

import contextlib
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import wait_for
from waved.settings import Listen
from waved.telemetry import endpoint as module
from waved.telemetry.counts import Counts, Reading
from waved.telemetry.endpoint import LONGEST, MOST, Endpoint

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class Reactor:
    """Answers as a reactor would."""

    def __init__(self) -> None:
        self.asked = 0
        self.hangs = False

    def ask(self) -> Reading | None:
        self.asked += 1
        return None if self.hangs else Counts().reading({("waved_problems", ()): 7.0})


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def served(reactor: Reactor, short_tmp: Path) -> Iterator[Path]:
    path = short_tmp / "metrics.sock"
    endpoint = Endpoint(Listen(path), reactor.ask)
    endpoint.start()
    assert endpoint.problem == ""
    yield path
    endpoint.close()
    assert not path.exists()


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(str(path))
    return client


def answer(client: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            found += piece
    return found


def asked(path: Path, request: bytes = REQUEST) -> bytes:
    with connected(path) as client:
        client.sendall(request)
        return answer(client)


def test_a_scrape(served: Path, reactor: Reactor) -> None:
    head, _, body = asked(served).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"\nwaved_problems 7.0\n" in body
    open_text = asked(served, b"GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text; version=1.0.0\r\n\r\n")
    assert b"openmetrics" in open_text
    assert open_text.endswith(b"# EOF\n")
    assert asked(served, b"HEAD /metrics HTTP/1.0\r\n\r\n").endswith(b"close\r\n\r\n")
    assert reactor.asked == 1, "a reading is good for a second"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/../x HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\xff\xfe\x00 \x00 \x00\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * LONGEST + b"\r\n\r\n", b"431"),
    ],
    ids=["root", "path", "post", "nonsense", "bytes", "huge"],
)
def test_what_is_refused(served: Path, reactor: Reactor, request_: bytes, status: bytes) -> None:
    assert asked(served, request_).split(b" ")[1] == status
    assert reactor.asked == 0


def test_who_says_nothing_keeps_nobody_out(served: Path) -> None:
    silent = [connected(served) for _ in range(5 * MOST)]
    for client in silent[::2]:
        with contextlib.suppress(OSError):
            client.sendall(b"GET /met")
    assert b"200 OK" in asked(served)
    for client in silent:
        client.close()
    assert b"200 OK" in asked(served)


def test_who_is_slow_is_dropped(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with connected(served) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert answer(slow) == b""


def test_a_flood_costs_the_reactor_one_reading_a_second(served: Path, reactor: Reactor) -> None:
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), connected(served) as client:
                client.sendall(REQUEST)
                client.settimeout(0.05)
                client.recv(1)

    floods = [threading.Thread(target=flood) for _ in range(3)]
    begun = time.monotonic()
    for thread in floods:
        thread.start()
    for _ in range(2):
        assert b"200 OK" in asked(served)
    over.set()
    for thread in floods:
        thread.join()
    assert reactor.asked <= time.monotonic() - begun + 2


def test_a_reactor_that_hangs_is_said_to(served: Path, reactor: Reactor) -> None:
    reactor.hangs = True
    assert b"503" in asked(served)


def test_the_socket_is_the_users_alone_and_a_stale_one_no_obstacle(reactor: Reactor, short_tmp: Path) -> None:
    path = short_tmp / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    endpoint = Endpoint(Listen(path), reactor.ask)
    endpoint.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"200 OK" in asked(path)
    endpoint.close()


def test_a_file_in_the_way_is_left_alone_and_named(reactor: Reactor, short_tmp: Path) -> None:
    path = short_tmp / "metrics.sock"
    path.write_text("somebody's")
    endpoint = Endpoint(Listen(path), reactor.ask)
    endpoint.start()
    assert endpoint.problem == f"metrics: cannot listen on {path}: is there, and no socket"
    endpoint.close()
    assert path.read_text() == "somebody's"


def test_an_address_that_is_taken_is_tried_again(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    endpoint = Endpoint(Listen(host="127.0.0.1", port=port), reactor.ask)
    endpoint.start()
    assert "Address already in use" in endpoint.problem
    taken.close()
    wait_for(lambda: not endpoint.problem)
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(REQUEST)
        assert b"200 OK" in answer(client)
    endpoint.close()
