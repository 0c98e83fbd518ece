"""The workers a daemon has a connection to: what it knows of each, and how it hears and tells them."""

from __future__ import annotations

import contextlib
import select
from dataclasses import dataclass
from typing import Any

from waved.pool.channel import Channel, ChannelClosedError
from waved.pool.linux import boot_seconds
from waved.pool.messages import Limits, Spec
from waved.pool.shot import Shot

PROBLEM_SHOWN = 5.0
"""Seconds that a problem is shown after it was met last."""
SHORTAGE_PAUSE = 0.5
"""Seconds without asking for workers after none could be made."""


@dataclass(slots=True)
class Worker:
    """What the daemon knows of a worker; the process itself is `waved.pool.worker`."""

    channel: Channel
    run: str = ""
    spec: Spec | None = None
    pid: int = 0
    zygote: int = 0
    """Pid of the zygote that forked it, if it was one of ours."""
    armed: bool = False
    released: bool = False
    started: bool = False
    shot: Shot | None = None
    """The starting shot it waits for."""
    told: Limits | None = None
    """The limits it has been told, and starts with when it hears its shot."""
    number: int = 0
    """Of what it was armed with last; 0: by a daemon before this one. What is said to it, and what it says, is about
    that: an answer to an earlier one may still be under way."""
    turned_away: bool = False
    """It ends after what it was armed with before, and has not heard of this run."""
    limits: Limits | None = None
    """Of its run, once its start has been decided."""


class Shortage:
    """What kept workers from being made or reached a moment ago: the machine is left alone for a while."""

    def __init__(self) -> None:
        self._problem = ""
        self._over = 0.0
        """Seconds since boot."""

    def met(self, problem: str) -> None:
        """No worker can be had now."""
        self._problem = problem
        self._over = boot_seconds() + SHORTAGE_PAUSE

    @property
    def lasts(self) -> bool:
        """Whether none is to be asked for yet."""
        return boot_seconds() < self._over

    @property
    def problem(self) -> str:
        """What it was; "" when nothing was."""
        return self._problem if boot_seconds() < self._over + PROBLEM_SHOWN else ""


class Roster:
    """All workers by the descriptor of their channel, watched by one epoll."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.shortage = Shortage()
        self._by_fd: dict[int, Worker] = {}

    def add(self, worker: Worker) -> None:
        """Hear what it says from now on."""
        self._by_fd[worker.channel.fileno()] = worker
        self.epoll.register(worker.channel.fileno(), select.EPOLLIN)

    def replace(self, worker: Worker) -> None:
        """It is known anew: its run is over."""
        self._by_fd[worker.channel.fileno()] = worker

    def forget(self, worker: Worker) -> None:
        """It is not heard any more. It ends when it hears that nobody is there."""
        fd = worker.channel.fileno()
        self._by_fd.pop(fd, None)
        with contextlib.suppress(OSError):
            self.epoll.unregister(fd)
        worker.channel.close()

    def at(self, fd: int) -> Worker | None:
        """The worker behind a descriptor."""
        return self._by_fd.get(fd)

    def send(self, worker: Worker, message: dict[str, Any], fds: tuple[int, ...] = ()) -> bool:
        """Tell it something about what it was armed with last; False when it cannot be reached."""
        numbered = {**message, "number": worker.number} if worker.number else message
        try:
            worker.channel.send(numbered, fds)
        except ChannelClosedError:
            return True  # its end is read from the channel, with what it said before
        except OSError as error:  # its buffer is full (it hangs), or no memfd can be made
            self.shortage.met(f"a worker cannot be reached: {error}")
            return False
        return True

    def close(self) -> None:
        """Watch nothing any more."""
        self.epoll.close()
