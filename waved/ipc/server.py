"""The daemon's ROUTER socket: frames in, replies out. Knows nothing of what the methods mean."""

from __future__ import annotations

import contextlib
import os
import socket as unix
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from waved import failpoints
from waved.descriptors import descriptors_left, spare_descriptors
from waved.errors import BadRequestError, NotAllowedError, ProtocolError, WavedError, from_wire
from waved.ipc import wire

_QUEUE = 1_000
"""Replies that may wait for one slow client; more are dropped, and it asks again."""
_ACCEPT_AGAIN = 0.05
"""Seconds between two looks whether clients can be let in again."""
_COMING_AND_GOING = (
    zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
)  # fmt: skip
_BACKLOG = 1_000
"""Clients that may wait while the daemon is busy or being replaced."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and where its reply goes."""

    route: tuple[bytes, ...]
    """The frames a reply begins with: the client's identity, and REQ's empty delimiter."""
    request: wire.Request


class Server:
    """Serves one unix socket, mode 0600. Raises NotAllowedError when it cannot be bound.

    `listener`: the socket that listens at `path` already, from the daemon before; it is made if not given.
    """

    def __init__(self, path: Path, listener: unix.socket | None = None) -> None:
        self._path = path
        self.listener = listener or _listen(path)
        self.listener.setblocking(False)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 500
        self._socket.sndhwm = _QUEUE
        self._socket.rcvhwm = _QUEUE
        # Above this libzmq cuts the connection; between MAX_FRAME and this the client gets an error reply.
        self._socket.setsockopt(zmq.MAXMSGSIZE, 2 * wire.MAX_FRAME)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.monitor = self._socket.get_monitor_socket(_COMING_AND_GOING)
        """Readable when a client came or went: `mind_descriptors` is due."""
        self.mask: Callable[[str], str] = str
        """Takes out of an error what must not be told."""
        self.problem = ""
        """Why new clients have to wait; "" when they do not."""
        self._listens = False
        self._accept()

    def _accept(self) -> None:
        # ZeroMQ closes the descriptor it is given; ours stays, and can be handed to the daemon after us.
        self._socket.setsockopt(zmq.USE_FD, os.dup(self.listener.fileno()))
        self._socket.bind(f"ipc://{self._path}")
        self._listens = True

    def mind_descriptors(self) -> None:
        """Drop all connections when descriptors are short: libzmq aborts when it gets none. Clients reconnect, and wait
        in the socket's queue until there are enough.
        """
        came_or_went = False
        while self.monitor.poll(0):
            self.monitor.recv_multipart(zmq.NOBLOCK)
            came_or_went = True
        if self._listens and not came_or_went:
            return
        enough = descriptors_left() > spare_descriptors()
        if self._listens and not enough:
            self._socket.unbind(f"ipc://{self._path}")
            self._listens = False
            self.problem = "too many connections: all were dropped, and clients wait (raise LimitNOFILE)"
        elif enough and not self._listens:
            self._accept()
            self.problem = ""

    def patience(self) -> float | None:
        """Seconds until `mind_descriptors` is due even if nobody comes or goes; None: it is not."""
        return None if self._listens else _ACCEPT_AGAIN

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """For the reactor's poller."""
        return self._socket

    def receive(self, limit: int = 100) -> list[Asked]:
        """Requests that have arrived, `limit` at most. What is no request is answered with an error here."""
        found: list[Asked] = []
        for _ in range(limit):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            except zmq.ZMQError:
                continue
            delimited = len(parts) > 2 and not parts[1].buffer
            route = tuple(part.bytes for part in parts[: 2 if delimited else 1])
            body = parts[len(route) :]
            try:
                _want_one(body)
                found.append(Asked(route, wire.decode_request(body[0].buffer)))
            except (ProtocolError, BadRequestError) as error:
                readable = len(body) == 1 and len(body[0].buffer) <= wire.MAX_FRAME
                self.refuse(route, wire.request_id_of(body[0].buffer) if readable else 0, error)
        return found

    def answer(self, asked: Asked, result: dict[str, Any]) -> None:
        """Send a successful reply. A client that has gone or does not read costs nothing."""
        frame = wire.encode_ok(asked.request.id, result)
        if len(frame) > wire.MAX_FRAME:
            self.refuse(asked.route, asked.request.id, BadRequestError("the answer is too large; ask for less at once"))
            return
        self._send(asked.route, frame)

    def refuse(self, route: tuple[bytes, ...], request_id: int, error: WavedError) -> None:
        """Send an error reply."""
        masked = from_wire(error.code, self.mask(error.message), self.mask(error.hint))
        self._send(route, wire.encode_error(request_id, masked))

    def _send(self, route: tuple[bytes, ...], frame: bytes) -> None:
        failpoints.hit("server.before-reply")
        with contextlib.suppress(zmq.ZMQError):
            self._socket.send_multipart([*route, frame], zmq.NOBLOCK)
        failpoints.hit("server.after-reply")

    def disconnect(self) -> None:
        """Send what is queued (half a second at most) and let go of clients; new ones wait in the listener's queue."""
        self._socket.disable_monitor()
        self.monitor.close(0)
        self._socket.close()
        self._context.term()

    def close(self) -> None:
        """Send what is queued (half a second at most), close, remove the socket."""
        self.disconnect()
        self.listener.close()
        self._path.unlink(missing_ok=True)


def _listen(path: Path) -> unix.socket:
    mask = os.umask(0o177)
    listener = unix.socket(unix.AF_UNIX, unix.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        hint = "a socket path has at most 107 bytes: set WAVED_RUNTIME_DIR to a shorter folder"
        raise NotAllowedError(f"cannot listen on {path}: {error}", hint) from None
    finally:
        os.umask(mask)
    return listener


def _want_one(body: list[zmq.Frame]) -> None:
    if len(body) != 1:
        raise ProtocolError(f"a message of {len(body)} frames; one is expected")
