"""A look at a connection that libzmq owns, whose descriptor it may have closed, and something else taken, meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def borrowed(descriptor: int) -> Iterator[socket.socket]:
    """A socket on a copy of `descriptor`, which is closed again in any case. Raises OSError when it is no socket.

    `socket.fromfd` leaves its copy open then. A copy of a file that is locked holds the lock, and one of a pipe's end
    keeps whoever reads to its end waiting: both for as long as the daemon lives.
    """
    copy = os.dup(descriptor)
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with connection:
        yield connection
