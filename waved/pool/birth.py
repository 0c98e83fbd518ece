"""How a worker comes to be: what its zygote knows before the fork, and what the new process does first.

A forked process copies each page of memory it touches, and most of what a new worker costs is that. So what is the same
for all workers is found out before the fork, and this is written with plain system calls.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from waved.pool import cgroup, tree
from waved.pool.linux import become_subreaper, offer_to_oom_killer, run_when_woken, set_process_name
from waved.pool.survivors import group_line, worker_line, zygote_line


@dataclass(frozen=True, slots=True)
class Cradle:
    """What a zygote knows of the workers it will fork."""

    home: str
    """The control group in which each makes its own; "": they have none."""
    zygote: int
    """The zygote's pid."""
    mark: bytes
    """What they have in common in the lock files of their runs (`waved.pool.survivors`)."""

    @classmethod
    def here(cls, home: Path | None) -> Cradle:
        """For workers that this process forks. From now on it is woken when a child of it ends, and so are they."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        own = os.getpid()
        return cls(str(home or ""), own, zygote_line(own, tree.start_of(own)))


@dataclass(frozen=True, slots=True)
class Being:
    """A worker that has just been born."""

    cradle: Cradle
    group: str
    """Its control group; "" when it has none."""
    mark: bytes
    """What says in the lock file of a run who its worker is."""
    wakeup: int
    """Readable when a child has ended."""

    def leave(self) -> None:
        """Remove the control group when the zygote, which would do that, is dead."""
        if self.group and os.getppid() != self.cradle.zygote:
            cgroup.leave(self.cradle.home, self.group)


def be_born(cradle: Cradle) -> Being:
    """Called first in the forked process: its name, its session, its group, its own children."""
    set_process_name("waved-worker")
    offer_to_oom_killer()
    os.setsid()
    become_subreaper()
    run_when_woken()  # many programs begin at once, and the last is to be started before the first has the processor
    group = cgroup.enter(cradle.home) if cradle.home else ""
    own = os.getpid()
    mark = cradle.mark + worker_line(own, tree.start_of(own)) + (group_line(group) if group else b"")
    wakeup, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return Being(cradle, group, mark, wakeup)
