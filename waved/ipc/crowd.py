"""Who is inside by a unix socket, so that one process cannot fill it: libzmq takes whoever comes, and closes nobody.

Connections a process has beyond its share are cut, which libzmq then sees and cleans up after. A descriptor's number
may have been given to something else since libzmq told of it: what it is now is looked at on a copy of it, and only a
connection of that very process to this very socket is cut.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Collection

from waved.ipc.borrowed import borrowed

PER_PROCESS = 128
"""Connections that one process may have."""
_PAUSE = 0.02
"""Seconds between two looks at them all."""
_CRED = struct.Struct("iII")


class Crowd:
    """The connections to the socket at `path`, by descriptor."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pids: dict[int, int] = {}
        """The process at the other end, of those that were looked at; 0: of none that can be named."""
        self._due = 0.0

    def left(self, descriptor: int) -> None:
        """It is a connection no more."""
        self._pids.pop(descriptor, None)

    def clear(self) -> None:
        """All were dropped."""
        self._pids.clear()

    def thin(self, inside: Collection[int]) -> int:
        """Cut what any process has beyond its share, the newest first; how many that were. `inside`: oldest first."""
        if len(inside) <= PER_PROCESS or time.monotonic() < self._due:
            return 0
        self._due = time.monotonic() + _PAUSE
        for descriptor in inside:
            if descriptor not in self._pids:
                self._pids[descriptor] = self._look(descriptor)
        greedy = {pid: count - PER_PROCESS for pid, count in Counter(self._pids.values()).items()}
        cut = 0
        for descriptor, pid in reversed(list(self._pids.items())):
            if pid and greedy[pid] > 0 and self._look(descriptor, cut_if=pid) == pid:
                self._pids[descriptor] = 0  # until libzmq says that it has gone
                greedy[pid] -= 1
                cut += 1
        return cut

    def _look(self, descriptor: int, cut_if: int = -1) -> int:
        """Whose connection this descriptor is; 0: nobody's. It is cut if it is that process's."""
        try:
            with borrowed(descriptor) as copy:
                if copy.getsockname() != self._path:
                    return 0
                pid: int = _CRED.unpack(copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size))[0]
                if pid == cut_if:
                    with contextlib.suppress(OSError):  # it has gone by itself
                        copy.shutdown(socket.SHUT_RDWR)
                return pid
        except (OSError, struct.error):
            return 0
