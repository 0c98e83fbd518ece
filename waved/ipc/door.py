"""One ROUTER socket: connections in and out, and what a client that does not read costs: a little memory, bounded."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zmq

from waved.ipc import wire
from waved.ipc.crowd import Crowd

_RECEIVED = 8
"""Frames of one connection that libzmq takes before they are read: with more to say, its client waits."""
_SENT = 16
"""Replies that libzmq keeps for one connection that does not read; more are kept here."""
_KEPT, _KEPT_BYTES = 256, 16 * 1024 * 1024
"""Replies, and bytes of them, kept here for one connection; more are dropped."""
_KEPT_FOR = 30.0
"""Seconds that replies are kept for a client that takes none."""
_EVENTS = 100
"""Who came or went, looked at in one turn: somebody may connect and leave without an end."""
_QUIET, _LAST_NEWS = 5, 1.0
"""Milliseconds in which nobody comes or goes any more, and the seconds that is waited for, before a door is closed."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_COMING_AND_GOING = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED

Route = tuple[bytes, ...]


@dataclass(slots=True)
class _Kept:
    since: float
    replies: deque[tuple[Route, bytes]] = field(default_factory=deque)
    size: int = 0


class Door:
    """`accept` binds the socket: it is called again after the door was closed because too many came in."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        prepare: Callable[[zmq.Socket[bytes]], None] = lambda _: None,
        before_bind: Callable[[zmq.Socket[bytes]], None] = lambda _: None,
    ) -> None:
        """`prepare` sets what is special of this socket; `before_bind` is called each time it is bound.

        Raises zmq.ZMQError when it cannot be bound.
        """
        self._endpoint = endpoint
        self._before_bind = before_bind
        self.socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self.socket.linger = 500
        self.socket.sndhwm = _SENT
        self.socket.rcvhwm = _RECEIVED
        # Above this libzmq cuts the connection; a frame that is only a little too large gets an error reply.
        self.socket.setsockopt(zmq.MAXMSGSIZE, wire.MAX_FRAME + 1024 * 1024)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        prepare(self.socket)
        self.monitor = self.socket.get_monitor_socket(_COMING_AND_GOING)
        """Readable when a client came or went: `mind` is due."""
        self.listens = False
        self._inside: dict[int, None] = {}
        """Descriptors of the connections there are, oldest first."""
        path = endpoint.removeprefix("ipc://")
        self._crowd = Crowd(path) if path != endpoint else None
        self._kept: dict[bytes, _Kept] = {}
        self._pause = _FIRST_PAUSE
        self._due = 0.0
        self.accept()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._inside)

    def accept(self) -> None:
        """Let clients in."""
        self._before_bind(self.socket)
        self.socket.bind(self._endpoint)
        self.listens = True

    def shut(self) -> None:
        """Drop all connections and let nobody in until `accept`."""
        with contextlib.suppress(zmq.ZMQError):
            local = self._endpoint.startswith("ipc:")
            self.socket.unbind(self._endpoint if local else self.socket.getsockopt_string(zmq.LAST_ENDPOINT))
        self.listens = False
        self._inside.clear()
        if self._crowd is not None:
            self._crowd.clear()
        self._kept.clear()

    def mind(self) -> bool:
        """Count who came and went; whether anybody has."""
        moved = False
        for _ in range(_EVENTS):
            try:
                kind, value = _read_event(self.monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            if kind == zmq.Event.ACCEPTED:
                self._inside[value] = None
            else:
                self._inside.pop(value, None)
                if self._crowd is not None:
                    self._crowd.left(value)
            moved = True
        if self._crowd is not None:
            self._crowd.thin(self._inside)
        return moved

    def receive(self) -> list[zmq.Frame] | None:
        """The next message, of each connection in turn; None when none has arrived."""
        try:
            return self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.ZMQError:
            return None

    def send(self, route: Route, frame: bytes) -> None:
        """Send a reply, or keep it for a while; for a client that has gone, or takes nothing, it is dropped."""
        kept = self._kept.get(route[0])
        if kept is None:
            if self._try(route, frame):
                return
            now = time.monotonic()
            kept = self._kept[route[0]] = _Kept(now)
            self._pause = _FIRST_PAUSE
            self._due = now + self._pause
        if len(kept.replies) < _KEPT and kept.size + len(frame) <= _KEPT_BYTES:
            kept.replies.append((route, frame))
            kept.size += len(frame)

    def _try(self, route: Route, frame: bytes) -> bool:
        """False: the client's queue is full."""
        try:
            self.socket.send_multipart([*route, frame], zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError:
            return True  # it has gone
        return True

    def flush(self) -> None:
        """Send what was kept, if it is due."""
        if not self._kept or (now := time.monotonic()) < self._due:
            return
        moved = False
        for route, kept in list(self._kept.items()):
            while kept.replies and self._try(*kept.replies[0]):
                kept.size -= len(kept.replies.popleft()[1])
                kept.since, moved = now, True
            if not kept.replies or now > kept.since + _KEPT_FOR:
                del self._kept[route]
        self._pause = _FIRST_PAUSE if moved else min(2 * self._pause, _LONGEST_PAUSE)
        self._due = now + self._pause

    def patience(self) -> float | None:
        """Seconds until `flush` is due; None: it is not."""
        return max(0.0, self._due - time.monotonic()) if self._kept else None

    def close(self) -> None:
        """Close; what libzmq has of replies is sent, for half a second."""
        if self.listens:
            self.shut()
        # libzmq's thread waits when nobody reads of whom it let in, and to switch that off would wait for it.
        until = time.monotonic() + _LAST_NEWS
        while self.monitor.poll(_QUIET) and time.monotonic() < until:
            self.mind()
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close()


def _read_event(parts: Sequence[bytes]) -> tuple[int, int]:
    """Kind and value of what a socket monitor says (zmq_socket_monitor(3))."""
    return int.from_bytes(parts[0][:2], "little"), int.from_bytes(parts[0][2:6], "little")
