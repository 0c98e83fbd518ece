"""A probe of the preview, against servers that answer well, badly, slowly, for ever and not at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waved.monitors.preview import LARGEST, Probe, Prober, probe
from waved.plan.guards import Preview

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
Answer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A server that reads a request and does what it is told; yields its address."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection, over)
                except OSError:
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(data: bytes) -> Answer:
    return lambda connection, _: connection.sendall(data)


def trickles(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(0.02):
            connection.sendall(piece)

    return answer


def look(answer: Answer, search: Callable[[str, bytes], bool | None] | None = None, **settings: object) -> Probe:
    with served(answer) as url:
        table = Preview(url=url, **{"timeout": 2.0, **settings})  # type: ignore[arg-type]
        return probe(url, table, search or (lambda pattern, body: pattern.encode() in body))


def test_up_means_answered_whole_and_well() -> None:
    found = look(says(OK), match="hell")
    assert (found.up, found.reason, found.status) == (True, "", 200)
    assert found.seconds < 2.0
    assert look(says(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")).up
    assert look(says(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"), status=[503]).up
    assert look(says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)).up
    assert look(says(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")).up
    assert look(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), match="hello").up


@pytest.mark.parametrize(
    ("answer", "settings", "reason"),
    [
        (says(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"), {}, "status 500"),
        (says(OK), {"status": [201, 204]}, "status 200; wanted: 201, 204"),
        (says(OK), {"match": "It works"}, 'does not match "It works"'),
        (says(b"\x00\xff garbage \r\n\r\n"), {}, "is no HTTP"),
        (says(b""), {}, "is no HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), {}, "broke off"),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), {}, "broke off"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"), {}, "is no HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), {}, "is no HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n"), {"match": "x"}, "does not match"),
    ],
)
def test_down_says_why(answer: Answer, settings: dict[str, object], reason: str) -> None:
    found = look(answer, **settings)
    assert not found.up
    assert reason in found.reason


@pytest.mark.parametrize(
    "answer",
    [
        lambda _, over: over.wait(),
        trickles(b"", b"H"),
        trickles(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        trickles(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        trickles(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silent", "status", "headers", "continues", "body", "chunks"],
)
def test_the_time_limit_holds_for_all_of_it(answer: Answer) -> None:
    began = time.monotonic()
    found = look(answer, timeout=0.3)
    assert not found.up
    assert found.reason == "no whole answer within 0.3 s" or "is no HTTP" in found.reason
    assert time.monotonic() - began < 5.0


def test_an_answer_without_end_is_read_as_far_as_needed() -> None:
    sizes = []

    def search(_: str, body: bytes) -> bool:
        sizes.append(len(body))
        return True

    def flood(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    assert look(flood, search, match="x", timeout=20.0).up
    assert sizes == [LARGEST]


def test_nobody_listens_and_no_such_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = probe(f"http://127.0.0.1:{port}/", Preview(url="x"), lambda *_: True)
    assert found.reason == "nothing listens there"
    assert not probe("ftp://127.0.0.1/", Preview(url="x"), lambda *_: True).up
    assert not probe("http://[::1/", Preview(url="x"), lambda *_: True).up
    assert "not known" in probe("http://no-such-name.invalid/", Preview(url="x", timeout=20.0), lambda *_: True).reason


def test_a_name_server_that_does_not_answer_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait())
    found = probe("http://example.invalid/", Preview(url="x", timeout=0.1), lambda *_: True)
    release.set()
    assert found.reason == "no whole answer within 0.1 s"


def test_a_server_that_speaks_no_tls() -> None:
    with served(says(b"HTTP/1.1 400 Bad\r\n\r\n")) as url:
        found = probe(url.replace("http:", "https:"), Preview(url="x"), lambda *_: True)
    assert not found.up
    assert found.reason.startswith(("TLS failed", "cannot be reached"))


def test_a_pattern_without_end_does_not_stop_the_daemon(tmp_path: Path) -> None:
    body = b"a" * 60 + b"b"
    with served(says(b"HTTP/1.1 200 OK\r\n\r\n" + body)) as url:
        prober = Prober(Preview(url=url, match="(a+)+$"), url, tmp_path)
        try:
            found = prober.probe()
            assert found.reason == 'the pattern "(a+)+$" takes too long on the answer'
        finally:
            prober.close()
        prober = Prober(Preview(url=url, match="a+b"), url, tmp_path)
        assert prober.probe().up
        prober.close()
        prober.close()
