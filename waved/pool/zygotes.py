"""The daemon's line to its zygote, and to zygotes it has inherited from the version before it (an upgrade)."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import waved
from waved.pool.channel import Channel, ChannelClosedError


class Zygotes:
    """Has workers forked. `epoll` watches what arrives; `environment` is what the zygote itself runs in."""

    def __init__(self, epoll: select.epoll, environment: Mapping[str, str]) -> None:
        self._epoll = epoll
        self._environment = environment
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._inherited: dict[int, int] = {}
        """Zygotes of the version before us, which are our children: pid by pidfd."""

    @property
    def pid(self) -> int:
        """Pid of the present zygote; 0 when there is none."""
        return self._process.pid if self._channel is not None and self._process is not None else 0

    def start(self) -> None:
        """Start the zygote; it makes itself ready while we go on. Raises OSError."""
        ours, theirs = Channel.pair()
        try:
            self._process = self._begin(theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.sock.setblocking(False)
        self._channel = ours
        self._epoll.register(ours.fileno(), select.EPOLLIN)

    def _begin(self, theirs: Channel) -> subprocess.Popen[bytes]:
        root = str(Path(waved.__file__).parents[1])
        path = os.pathsep.join([root, *filter(None, [self._environment.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-m", "waved.pool", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**self._environment, "PYTHONPATH": path},
            cwd="/",
        )

    def fork(self, count: int) -> list[Channel]:
        """Connections to `count` new workers, usable at once. Raises OSError or ChannelClosedError."""
        if self._channel is None:
            self.start()
        assert self._channel is not None  # noqa: S101 — started
        ours: list[Channel] = []
        theirs: list[Channel] = []
        try:
            for _ in range(count):
                own, other = Channel.pair()
                own.sock.setblocking(False)
                ours.append(own)
                theirs.append(other)
            self._channel.send({"fork": count}, tuple(other.fileno() for other in theirs))
        except (OSError, ChannelClosedError):
            for own in ours:
                own.close()
            raise
        finally:
            for other in theirs:
                other.close()
        return ours

    def is_line(self, fd: int) -> bool:
        """Whether this descriptor is the line to the present zygote."""
        return self._channel is not None and fd == self._channel.fileno()

    def hear(self) -> tuple[list[dict[str, Any]], bool]:
        """What the zygote has said, and whether it lives."""
        found: list[dict[str, Any]] = []
        try:
            while self._channel is not None:
                found.append(self._channel.receive()[0])
        except BlockingIOError:
            return found, True
        except ChannelClosedError:
            return found, False
        return found, False

    def bury(self) -> None:
        """The zygote is dead: `start` another, or the next `fork` does."""
        self._hang_up()
        if self._process is not None:
            self._process.wait()

    def inherit(self, pids: list[int]) -> None:
        """Collect these children, of the program that was this process before an upgrade, when they end."""
        for pid in pids:
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
                self._inherited[fd] = pid
                self._epoll.register(fd, select.EPOLLIN)

    def collect(self, fd: int) -> bool:
        """Collect the inherited zygote whose pidfd this is; False when it is none."""
        if fd not in self._inherited:
            return False
        self._epoll.unregister(fd)
        os.close(fd)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._inherited.pop(fd), 0)
        return True

    def close(self) -> None:
        """Hang up: the zygote goes with its last worker."""
        self._hang_up()
        for fd in self._inherited:
            os.close(fd)
        self._inherited.clear()

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._epoll.unregister(self._channel.fileno())
            self._channel.close()
            self._channel = None
