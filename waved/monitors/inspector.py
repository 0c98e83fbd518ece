"""The inspector, seen from the daemon: a child process that reads what agents wrote (invariant 9).

A pattern without end, a parser that crashes or a file that eats memory costs that process, never the daemon. Requests
are answered in order, so it is always known which file the process did not survive; the others are put to the next.
"""

from __future__ import annotations

import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from typing import Any

import msgpack

from waved.errors import ResourceError
from waved.monitors.content import Answer, Checks

LARGEST = 5 * 1024 * 1024
"""Bytes of a file that is looked into."""
PATIENCE = 10.0
"""Seconds after which a process that has not answered is ended, whatever it waits for. What needs processor time is
ended much sooner, by the process itself or by the kernel."""
MOST_DEATHS = 3
"""Processes in a row that end without having answered anything."""
WINDOW = 32
"""Requests that are under way at a time: what the process has to do while the daemon does something else."""
_LENGTH = struct.Struct("!I")
_BIGGEST_ANSWER = 64 * 1024 * 1024


class Inspector:
    """Looks into files below the open folder `root`. Not thread-safe: it belongs to one thread at a time."""

    def __init__(self, root: int, largest: int = LARGEST) -> None:
        self._root = root
        self._largest = largest
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._queue: deque[dict[str, Any]] = deque()
        self._under_way: deque[dict[str, Any]] = deque()
        self._since = 0.0
        self._deaths = 0
        self._last = 0

    def start(self) -> None:
        """Have the process ready before it is needed; raises ResourceError when it cannot be started."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        words = ("-P", "-m", "waved.monitors.inspector_main", str(theirs.fileno()), str(self._root), str(self._largest))
        try:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._root),
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise ResourceError(f"the inspector of files cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours

    def fileno(self) -> int:
        """What to wait for with poll(2) when something was asked; -1 when there is no process."""
        return self._socket.fileno() if self._socket is not None else -1

    @property
    def pid(self) -> int:
        """The process; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def busy(self) -> bool:
        """Whether an answer is to be expected."""
        return bool(self._under_way)

    @property
    def full(self) -> bool:
        """Whether more requests would only wait."""
        return len(self._under_way) + len(self._queue) >= WINDOW

    @property
    def deadline(self) -> float | None:
        """When (time.monotonic) the process is given up if it has not answered."""
        return self._since + PATIENCE if self._under_way else None

    def ask(self, path: str, checks: Checks, data: bytes | None = None) -> int:
        """Ask for `checks` of the file, or of `data` as that file's content; returns what the answer will bear.

        Raises ResourceError when no process can be started.
        """
        wanted = {"path": path, "patterns": checks.patterns, "markers": checks.markers, "parse": checks.parse}
        return self._put({**wanted, "data": None if data is None else data[: self._largest]})

    def answers(self) -> list[tuple[int, Answer]]:
        """The answers that have come; never blocks. Raises ResourceError when processes end one after another."""
        found: list[tuple[int, Answer]] = []
        for number, body in self._bodies():
            answer = Answer("died") if body is None else Answer.unpacked(body["answer"])
            found.append((number, answer))
        return found

    def examine(self, path: str, checks: Checks, data: bytes | None = None) -> Answer:
        """Ask and wait. Raises ResourceError."""
        number = self.ask(path, checks, data)
        body = self._wait_for(number)
        return Answer("died") if body is None else Answer.unpacked(body["answer"])

    def search(self, pattern: str, data: bytes) -> bool | None:
        """Whether the pattern is found in `data`; None when that takes too long. Waits. Raises ResourceError."""
        body = self._wait_for(self._put({"search": pattern, "data": data[: self._largest]}))
        return None if body is None else body["found"]

    def close(self) -> None:
        """End the process and wait for its end."""
        self._end()
        self._queue.clear()
        self._under_way.clear()

    # --- requests and answers -------------------------------------------------------------------------------------

    def _put(self, request: dict[str, Any]) -> int:
        self._last += 1
        self._queue.append({"id": self._last, **request})
        self._next()
        return self._last

    def _next(self) -> None:
        while self._queue and len(self._under_way) < WINDOW:
            request = self._queue[0]
            if self._under_way and (_is_large(request) or _is_large(self._under_way[-1])):
                # While both sides write a lot, neither reads.
                return
            self.start()
            self._queue.popleft()
            if not self._under_way:
                self._since = time.monotonic()
            self._under_way.append(request)
            frame = msgpack.packb(request, unicode_errors="surrogateescape")
            self._send(_LENGTH.pack(len(frame)) + frame)

    def _send(self, frame: bytes) -> None:
        assert self._socket is not None  # noqa: S101 — start() has seen to it
        rest = memoryview(frame)
        while rest and time.monotonic() < self._since + PATIENCE:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                # The process has nothing to do but to read this.
                _wait(self._socket, select.POLLOUT, PATIENCE)
            except OSError:
                # It died before it could read; that shows when the answer is looked for.
                return

    def _bodies(self) -> list[tuple[int, dict[str, Any] | None]]:
        found: list[tuple[int, dict[str, Any] | None]] = []
        while self._under_way and self._socket is not None:
            alive = self._receive()
            while self._under_way and (body := self._complete()) is not None:
                self._deaths = 0
                self._since = time.monotonic()
                self._under_way.popleft()
                found.append((body["id"], body))
            if self._under_way and (not alive or time.monotonic() >= self._since + PATIENCE):
                found.append((self._under_way.popleft()["id"], None))
                self._queue.extendleft(reversed(self._under_way))
                self._under_way.clear()
                self._end()
                self._deaths += 1
                if self._deaths >= MOST_DEATHS:
                    self._queue.clear()
                    raise ResourceError(f"the inspector of files ended {MOST_DEATHS} times without an answer")
            before = len(self._under_way)
            self._next()
            if len(self._under_way) == before or alive:
                break
        return found

    def _wait_for(self, number: int) -> dict[str, Any] | None:
        while True:
            for found, body in self._bodies():
                if found == number:
                    return body
            if self._socket is not None:
                _wait(self._socket, select.POLLIN, self._since + PATIENCE - time.monotonic())

    def _receive(self) -> bool:
        """Take in what has come; False when the process is gone."""
        assert self._socket is not None  # noqa: S101
        try:
            while True:
                piece = self._socket.recv(1 << 20)
                if not piece:
                    return False
                self._buffer += piece
        except BlockingIOError:
            return len(self._buffer) < _BIGGEST_ANSWER
        except OSError:
            return False

    def _complete(self) -> dict[str, Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        size = _LENGTH.unpack_from(self._buffer)[0]
        if len(self._buffer) < _LENGTH.size + size:
            return None
        body: dict[str, Any] = msgpack.unpackb(bytes(self._buffer[_LENGTH.size : _LENGTH.size + size]))
        del self._buffer[: _LENGTH.size + size]
        return body

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            # It holds nothing of value; a signal it could wait out would only cost time.
            self._process.kill()
            self._process.wait()
            self._process = None
        self._buffer.clear()


def _is_large(request: dict[str, Any]) -> bool:
    data: bytes | None = request.get("data")
    return data is not None and len(data) > 1024


def _wait(connection: socket.socket, event: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(connection, event)
    poll.poll(max(0.0, seconds) * 1000 + 1)
