"""Messages over a unix SEQPACKET socket: msgpack, large ones in an anonymous file, descriptors beside them.

Why not ZeroMQ here: docs/architecture.md, "Why workers speak SEQPACKET".
"""

from __future__ import annotations

import array
import os
import socket
import stat
from typing import Any

import msgpack

INLINE_LIMIT = 60_000
"""Bytes; a larger message travels in a memfd, so that no socket buffer limits it."""
FILE_LIMIT = 256 * 1024 * 1024
"""Bytes; nobody sends a larger message."""
_RECEIVE = 65_536
MAX_FDS = 128
"""Descriptors one message may carry (the kernel's limit is 253)."""
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * 4)
_INLINE, _IN_FILE = b"\x00", b"\x01"


class ChannelClosedError(Exception):
    """The peer is gone."""


class Channel:
    """One end of a connection. `send` blocks only while the peer's buffer is full."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Two connected ends."""
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(left), cls(right)

    def fileno(self) -> int:
        """For poll."""
        return self.sock.fileno()

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Send a message and descriptors. Raises ChannelClosedError when the peer is gone, BlockingIOError when a
        non-blocking channel is full.
        """
        body: bytes = msgpack.packb(message, use_bin_type=True)
        memfd = -1
        try:
            if len(body) > INLINE_LIMIT:
                memfd = os.memfd_create("waved-message", os.MFD_CLOEXEC)
                _write_all(memfd, body)
                os.lseek(memfd, 0, os.SEEK_SET)
                payload, fds = _IN_FILE, (memfd, *fds)
            else:
                payload = _INLINE + body
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self.sock.sendmsg([payload], ancillary, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError) as error:
            raise ChannelClosedError(str(error)) from None
        finally:
            if memfd >= 0:
                os.close(memfd)

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """The next message and its descriptors (the caller closes them).

        Raises ChannelClosedError at the end, and when the peer says what is no message: it is none of ours.
        BlockingIOError on a non-blocking channel with nothing to read.
        """
        try:
            payload, ancillary, _flags, _ = self._next()
        except (ConnectionResetError, BrokenPipeError) as error:
            raise ChannelClosedError(str(error)) from None
        fds = _descriptors(ancillary)
        try:
            if not payload:
                raise ChannelClosedError("end of file")  # noqa: TRY301 — an empty datagram may carry descriptors, too
            return _message(payload, fds), fds
        except ChannelClosedError:
            for fd in fds:
                os.close(fd)
            raise

    def _next(self) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """The next datagram. A peer that closed without reading all we sent is reported first, as an error, and once:
        what it had said before that is still there.
        """
        try:
            return self.sock.recvmsg(_RECEIVE, _ANCILLARY)
        except ConnectionResetError:
            return self.sock.recvmsg(_RECEIVE, _ANCILLARY)

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


def _message(payload: bytes, fds: list[int]) -> dict[str, Any]:
    """What a datagram says; a file that it came in is taken out of `fds`. Raises ChannelClosedError."""
    body = payload[1:]
    if payload[:1] == _IN_FILE:
        if not fds:
            raise ChannelClosedError("no message: its file is missing")
        with os.fdopen(fds.pop(0), "rb") as file:
            status = os.fstat(file.fileno())
            # A pipe would make us wait, a device never end.
            if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_LIMIT:
                raise ChannelClosedError("no message: its file is none, or too large")
            body = file.read(status.st_size)
    try:
        message = msgpack.unpackb(body, raw=False, strict_map_key=False)
    except Exception as error:  # noqa: BLE001 — msgpack raises many kinds for hostile bytes; all mean the same here
        raise ChannelClosedError(f"no message: {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise ChannelClosedError("no message: no map")
    return message


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    for fd in found:
        os.set_inheritable(fd, False)
    return list(found)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
