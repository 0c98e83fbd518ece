"""The daemon's sockets for clients: frames in, replies out. Knows nothing of what the methods mean."""

from __future__ import annotations

import contextlib
import os
import socket as unix
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from waved import failpoints
from waved.descriptors import descriptors_left, spare_descriptors
from waved.errors import (
    BadRequestError,
    ConfigError,
    NotAllowedError,
    ProtocolError,
    ResourceError,
    WavedError,
    from_wire,
)
from waved.ipc import wire
from waved.ipc.caller import Caller, local_caller
from waved.ipc.door import Door, Route
from waved.ipc.keys import Client, Keyring
from waved.ipc.turns import BYTES, IN_FLIGHT, Turns
from waved.ipc.zap import DOMAIN, Gatekeeper

_ACCEPT_AGAIN = 0.05
"""Seconds between two looks whether clients can be let in again."""
_BACKLOG = 1_000
"""Clients that may wait while the daemon is busy or being replaced."""
_READ, _READ_FOR = 64, 0.000_2
"""Frames, and seconds, that one turn reads from each door. What is beyond waits in the connection, in the end in the
client.
"""
_TAKEN = 8
"""Clients of whom one request each is handed out in one turn: one that asks much makes nobody wait for long."""
_BREATH = 0.000_15
"""Seconds of rest after a turn in which a client had too much in flight. A daemon that is busy without a pause is what
the scheduler makes wait, and with it all clients; one that rests is let in at once.
"""
REMOTE = 512
"""Connections over TCP; with more all of them are dropped for a moment, so that none costs a descriptor for ever."""
_HANDSHAKE = 5_000
"""Milliseconds in which a remote client has to show its key."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and where its reply goes."""

    route: Route
    """The frames a reply begins with: the client's identity, and REQ's empty delimiter."""
    request: wire.Request
    caller: Caller = field(default_factory=Caller)
    descriptor: int = -1
    """Of the connection; it may have been closed since."""
    only: str = ""
    """The one session that the caller may ask about; "": any."""

    @property
    def client(self) -> Hashable:
        """Whose requests count together: those of a remote client's key, of a process, else of a connection."""
        return self.caller.key or self.caller.pid or self.route[0]


class Server:
    """Serves one unix socket, mode 0600, and a TCP address if told to. Raises NotAllowedError when it cannot be bound.

    `listener`: the socket that listens at `path` already, from the daemon before or from systemd; it is made if not
    given. `keep`: it stays at the end, because it is systemd's.
    """

    def __init__(self, path: Path, listener: unix.socket | None = None, *, keep: bool = False) -> None:
        self._path = path
        self._keep = keep
        self.listener = listener or _listen(path)
        self.listener.setblocking(False)
        self._context = zmq.Context()
        self._local = Door(self._context, f"ipc://{path}", before_bind=self._give_listener)
        self._remote: Door | None = None
        self._gatekeeper: Gatekeeper | None = None
        self._keyring: Keyring | None = None
        self._turns: Turns[Asked] = Turns()
        self._flooded = False
        """Whether a client has just asked for more than it may have in flight."""
        self.problem = ""
        """Why new clients have to wait; "" when they do not."""
        self.mask: Callable[[str], str] = str
        """Takes out of an error what must not be told."""

    def _give_listener(self, socket: zmq.Socket[bytes]) -> None:
        # ZeroMQ closes the descriptor it is given; ours stays, and can be handed to the daemon after us.
        socket.setsockopt(zmq.USE_FD, os.dup(self.listener.fileno()))

    def listen(self, address: str, keyring: Keyring) -> None:
        """Serve authorised clients at `address` (tcp://HOST:PORT) as well. Raises ConfigError when that cannot be."""
        pair = keyring.server()
        self._keyring = keyring
        self._gatekeeper = Gatekeeper(self._context, lambda key: keyring.find(key) is not None)

        def prepare(socket: zmq.Socket[bytes]) -> None:
            socket.setsockopt(zmq.IPV6, int("[" in address))
            socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_SECRETKEY, bytes.fromhex(pair.secret))
            socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE)
            socket.setsockopt(zmq.TCP_KEEPALIVE, 1)

        try:
            self._remote = Door(self._context, address, prepare)
        except zmq.ZMQError as error:
            raise ConfigError(
                f"listen: cannot listen on {address}: {error.strerror}", "is the address this machine's, and free?"
            ) from None

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """For the reactor's poller: `mind` and `receive` are due when one is readable."""
        found = [socket for door in self._doors for socket in (door.socket, door.monitor)]
        return found if self._gatekeeper is None else [*found, self._gatekeeper.socket]

    @property
    def _doors(self) -> list[Door]:
        return [self._local] if self._remote is None else [self._local, self._remote]

    def mind(self) -> None:
        """Let clients in, unless descriptors are short: libzmq aborts when it gets none. Then all connections are
        dropped; clients reconnect, and wait in the socket's queue until there are enough.
        """
        if self._gatekeeper is not None:
            self._gatekeeper.answer()
        moved = [door.mind() for door in self._doors]
        if not any(moved) and all(door.listens for door in self._doors):
            return
        enough = descriptors_left() > spare_descriptors()
        if self._remote is not None:
            self._mind_remote(self._remote, enough)
        if self._local.listens and not enough:
            self._local.shut()
            self.problem = "too many connections: all were dropped, and clients wait (raise LimitNOFILE)"
        elif enough and not self._local.listens:
            self._local.accept()
            self.problem = ""

    def _mind_remote(self, door: Door, enough: bool) -> None:
        if door.listens and (not enough or door.connections > min(REMOTE, spare_descriptors())):
            door.shut()
        elif enough and not door.listens:
            with contextlib.suppress(zmq.ZMQError):  # the address may be taken, or gone: it is tried again
                door.accept()

    def patience(self) -> float | None:
        """Seconds until something is due even if nobody comes, goes or asks; None: nothing is."""
        if self._turns:
            return 0.0
        times = [seconds for door in self._doors if (seconds := door.patience()) is not None]
        times += [_ACCEPT_AGAIN for door in self._doors if not door.listens]
        return min(times, default=None)

    def receive(self) -> list[Asked]:
        """Requests whose turn it is. What is no request, or one too many, is answered with an error here."""
        for door in self._doors:
            door.flush()
            until = time.perf_counter() + _READ_FOR
            for _ in range(_READ):
                parts = door.receive()
                if parts is None:
                    break
                newcomer = self._take(door, parts)
                if time.perf_counter() > until or (newcomer and self._flooded):
                    break
        return self._turns.take(_TAKEN)

    def breathe(self) -> None:
        """Rest for a moment if a client floods; for the end of a turn."""
        if self._flooded:
            self._flooded = False
            time.sleep(_BREATH)

    def _take(self, door: Door, parts: list[zmq.Frame]) -> bool:
        """Let a request wait for its turn; whether it is of a client that had none waiting."""
        delimited = len(parts) > 2 and not parts[1].buffer
        route = tuple(part.bytes for part in parts[: 2 if delimited else 1])
        body = parts[len(route) :]
        caller, descriptor = _origin(door is self._remote, parts[-1])
        try:
            _want_one(body)
            frame = body[0].buffer
            asked = Asked(route, wire.decode_request(frame), caller, descriptor)
        except (ProtocolError, BadRequestError) as error:
            self._flooded = True
            readable = len(body) == 1 and len(body[0].buffer) <= wire.MAX_FRAME
            self._send(door, route, wire.encode_error(wire.request_id_of(body[0].buffer) if readable else 0, error))
            return False
        newcomer = not self._turns.waits(asked.client)
        if not self._turns.put(asked.client, asked, len(frame)):
            self._flooded = True
            self._send(door, route, wire.encode_error(asked.request.id, _TOO_MANY))
            return False
        return newcomer

    def answer(self, asked: Asked, result: dict[str, Any]) -> None:
        """Send a successful reply. A client that has gone or does not read costs nothing; one that is authorised no
        more is told that instead.
        """
        if asked.caller.remote and self.client_of(asked.caller) is None:
            self.refuse(asked, unauthorised())
            return
        frame = wire.encode_ok(asked.request.id, result)
        if len(frame) > wire.MAX_FRAME:
            self.refuse(asked, BadRequestError("the answer is too large; ask for less at once"))
            return
        self._reply(asked, frame)

    def refuse(self, asked: Asked, error: WavedError) -> None:
        """Send an error reply."""
        masked = from_wire(error.code, self.mask(error.message), self.mask(error.hint))
        self._reply(asked, wire.encode_error(asked.request.id, masked))

    def _reply(self, asked: Asked, frame: bytes) -> None:
        self._turns.done(asked.client)
        door = self._remote if asked.caller.remote else self._local
        if door is not None:
            self._send(door, asked.route, frame)

    @staticmethod
    def _send(door: Door, route: Route, frame: bytes) -> None:
        failpoints.hit("server.before-reply")
        door.send(route, frame)
        failpoints.hit("server.after-reply")

    def client_of(self, caller: Caller) -> Client | None:
        """Who a remote caller is, as far as it is authorised now."""
        return self._keyring.find(caller.key) if self._keyring is not None else None

    def disconnect(self) -> None:
        """Send what is queued (half a second at most) and let go of clients; new ones wait in the listener's queue."""
        for door in self._doors:
            door.close()
        if self._gatekeeper is not None:
            self._gatekeeper.close()
        self._context.term()

    def close(self) -> None:
        """Send what is queued (half a second at most), close, remove the socket if it is ours."""
        self.disconnect()
        self.listener.close()
        if not self._keep:
            self._path.unlink(missing_ok=True)


_TOO_MANY = ResourceError(
    f"{IN_FLIGHT} requests of this client are not answered yet, or {BYTES >> 20} MB of them",
    "wait for some answers first",
)


def unauthorised() -> NotAllowedError:
    """The error for a remote client whose key was revoked while it was connected."""
    return NotAllowedError(
        "this client's key is not authorised any more", "`wavectl keys authorize` on the daemon's side"
    )


def _origin(remote: bool, frame: zmq.Frame) -> tuple[Caller, int]:
    """Who sent a frame, and on which descriptor."""
    try:
        if remote:
            return Caller(remote=True, key=str(frame.get("User-Id"))), -1
        return local_caller(str(frame.get("Peer-Address"))), int(frame.get("__fd"))
    except (zmq.ZMQError, ValueError):
        return Caller(remote=remote), -1


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
