"""Who asks: what the kernel (ipc) or CURVE (tcp) says of the other end of a connection, never what a client claims."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from dataclasses import dataclass
from functools import lru_cache

from waved.ipc.borrowed import borrowed

_SO_PEERPIDFD = getattr(socket, "SO_PEERPIDFD", 77)
"""socket(7), Linux 6.5: the very process that connected, whatever its number is used for since."""
_CRED = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection."""

    uid: int = -1
    """Of a local client; -1: not known."""
    pid: int = 0
    """The process that connected, of a local client; 0: it is outside our pid namespace, or remote."""
    remote: bool = False
    """Whether it came over TCP."""
    key: str = ""
    """Of a remote client: its public key, as it is written (`waved.ipc.keys`)."""


@lru_cache(maxsize=4096)
def local_caller(address: str) -> Caller:
    """The caller by ZeroMQ's `Peer-Address`, which for ipc is `NAME:UID:GID:PID` by SO_PEERCRED."""
    fields = address.rsplit(":", 3)
    try:
        return Caller(int(fields[1]), int(fields[3]))
    except (IndexError, ValueError):
        return Caller()


def still_lives(descriptor: int, pid: int) -> bool | None:
    """Whether the process that connected on `descriptor` as `pid` still lives; None: the kernel cannot say.

    It tells a pid that was used again from the process that had it first.
    """
    try:
        with borrowed(descriptor) as connection:
            connected, _, _ = _CRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size))
            if connected != pid:
                return False  # it has closed the connection, and the number is another's
            process = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        return None if error.errno == errno.ENOPROTOOPT else False
    try:
        waiting = select.poll()
        waiting.register(process, select.POLLIN)
        return not waiting.poll(0)
    finally:
        os.close(process)
