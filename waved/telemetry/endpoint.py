"""`GET /metrics` over HTTP, on a loopback address or a unix socket: one thread, which takes nothing of anybody.

The reactor is asked for a reading at most once a second, however many ask here. A client has five seconds and 8 KB for
its request and gets one answer. With `MOST` of them inside, a newcomer takes the place of the one that has said least
for longest: who opens connections and says nothing keeps nobody out. More than `RATE` a second wait in the socket's
queue.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from waved.settings import Listen
from waved.telemetry.counts import Reading
from waved.telemetry.exposition import render

MOST = 8
"""Clients at once."""
RATE = 200
"""Clients let in in a second."""
PATIENCE = 5.0
"""Seconds for a request to come, and for its answer to be taken."""
LONGEST = 8 * 1024
"""Bytes of a request."""
FRESH = 1.0
"""Seconds for which a reading is good."""
_AGAIN = 10.0
"""Seconds between two tries to listen."""
_BACKLOG = 128

log = structlog.get_logger("waved")


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    due: float
    request: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None


class Endpoint:
    """`ask`: gets a reading from the reactor, or None when it does not answer; called in this thread, may block.

    `group`: who may open a unix socket besides the daemon's user; -1 for nobody.
    """

    def __init__(self, listen: Listen, ask: Callable[[], Reading | None], group: int = -1) -> None:
        self._listen = listen
        self._ask = ask
        self._group = group
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ending = False
        self.problem = ""
        """Why nobody can be answered; "" when they can."""
        self.port = 0
        """Where it listens, over TCP."""
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._open = False
        """Whether newcomers are looked for."""
        self._clients: dict[int, _Client] = {}
        self._second, self._let_in = 0.0, 0
        self._reading: Reading | None = None
        self._read_at = -FRESH
        self._texts: dict[str, bytes] = {}
        """Answers made of this reading, by the request's `Accept`."""
        self._thread = threading.Thread(target=self._run, name="waved-metrics", daemon=True)

    def start(self) -> None:
        """Listen, and begin to answer; where that cannot be, it is tried again (`problem`)."""
        self._bind()
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more; the socket is removed. Waits for an answer under way."""
        self._ending = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            return  # it waits for the reactor, which is us; it ends with the process
        self._selector.close()
        os.close(self._wake)
        if self._listener is not None:
            self._listener.close()
            if self._listen.path is not None:
                self._listen.path.unlink(missing_ok=True)

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._selector.register(self._wake, selectors.EVENT_READ)
        while not self._ending:
            if self._listener is None:
                self._bind()
            self._look_for_newcomers()
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is self._listener:
                    self._accept()
                elif (client := self._clients.get(key.fd)) is not None:
                    self._serve(client)
            now = time.monotonic()
            for late in [client for client in self._clients.values() if client.due <= now]:
                self._drop(late)
        for client in list(self._clients.values()):
            self._drop(client)

    def _patience(self) -> float | None:
        """Nothing is done while nobody asks (invariant 10)."""
        now = time.monotonic()
        times = [client.due for client in self._clients.values()]
        if self._listener is None:
            times.append(now + _AGAIN)
        elif not self._open:
            times.append(self._second + 1.0)
        return max(0.0, min(times) - now) if times else None

    def _bind(self) -> None:
        try:
            self._listener = _listening(self._listen, self._group)
        except OSError as error:
            problem = f"metrics: cannot listen on {self._listen}: {error.strerror or error}"
            if problem != self.problem:
                log.warning("metrics.unavailable", problem=problem, note=f"tried again every {_AGAIN:g} s")
            self.problem = problem
            return
        self.problem = ""
        if self._listen.path is None:
            self.port = int(self._listener.getsockname()[1])

    def _look_for_newcomers(self) -> None:
        now = time.monotonic()
        if now >= self._second + 1.0:
            self._second, self._let_in = now, 0
        wanted = self._listener is not None and self._let_in < RATE
        if wanted != self._open and self._listener is not None:
            if wanted:
                self._selector.register(self._listener, selectors.EVENT_READ)
            else:
                self._selector.unregister(self._listener)
            self._open = wanted

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 — only then it is waited for
        self._let_in += 1
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone, or there are no descriptors
        connection.setblocking(False)
        if len(self._clients) >= MOST:
            # The one that is silent longest; else the one whose answer waits longest.
            self._drop(min(self._clients.values(), key=lambda client: (client.answer is not None, client.due)))
        client = _Client(connection, time.monotonic() + PATIENCE)
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ)

    def _drop(self, client: _Client) -> None:
        self._clients.pop(client.connection.fileno(), None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()

    def _serve(self, client: _Client) -> None:
        try:
            if client.answer is None:
                self._read(client)
            else:
                self._write(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _read(self, client: _Client) -> None:
        piece = client.connection.recv(LONGEST)
        if not piece:
            self._drop(client)
            return
        client.request += piece
        if len(client.request) > LONGEST:
            client.answer = memoryview(_refusal(431, "Request Header Fields Too Large"))
        elif b"\r\n\r\n" in client.request:
            client.answer = memoryview(self._answer(bytes(client.request)))
        if client.answer is not None:
            client.due = time.monotonic() + PATIENCE
            self._selector.modify(client.connection, selectors.EVENT_WRITE)
            self._write(client)

    def _write(self, client: _Client) -> None:
        assert client.answer is not None  # noqa: S101 — the caller has looked
        client.answer = client.answer[client.connection.send(client.answer) :]
        if not client.answer:
            with contextlib.suppress(OSError):
                client.connection.shutdown(socket.SHUT_WR)
            self._drop(client)

    # --- answers ------------------------------------------------------------------------------------------------

    def _answer(self, request: bytes) -> bytes:
        line, *headers = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _refusal(400, "Bad Request")
        if words[0] not in ("GET", "HEAD"):
            return _refusal(405, "Method Not Allowed")
        if words[1].partition("?")[0] != "/metrics":
            return _refusal(404, "Not Found")
        accept = next((text for name, _, text in (h.partition(":") for h in headers) if name.lower() == "accept"), "")
        kind, text = self._text(accept.strip())
        if not text:
            return _refusal(503, "Service Unavailable")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        return head.encode() + (b"" if words[0] == "HEAD" else text)

    def _text(self, accept: str) -> tuple[str, bytes]:
        now = time.monotonic()
        if now >= self._read_at + FRESH:
            self._reading, self._read_at = self._ask(), time.monotonic()
            self._texts.clear()
        if self._reading is None:
            return "", b""
        openly = "application/openmetrics-text" in accept
        kind = "application/openmetrics-text; version=1.0.0" if openly else "text/plain; version=0.0.4"
        if kind not in self._texts:
            self._texts[kind] = render(self._reading, kind)[1]
        return f"{kind}; charset=utf-8", self._texts[kind]


def _refusal(status: int, reason: str) -> bytes:
    body = f"{reason}: GET /metrics is answered here\n"
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


def _listening(listen: Listen, group: int) -> socket.socket:
    if listen.path is not None:
        return _unix(listen.path, group)
    family, kind, protocol, _, address = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _unix(path: Path, group: int) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(17, "is there, and no socket")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(listener.fileno(), 0o600)  # what the file will have; the process's umask is every thread's
        listener.bind(str(path))
        if group >= 0:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
