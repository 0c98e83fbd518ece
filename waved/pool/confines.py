"""The limits of one run (a plan's `resources`), as its worker keeps them.

Where there are controllers, the kernel does (`waved.pool.controllers`). Elsewhere a worker whose run has a limit of
memory looks at its processes: once a second, and more often the closer they come to it. Limits of processors and
processes can only be kept by controllers: rlimits count per user or per process, never per run (getrlimit(2)).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any

from waved.pool import controllers, tree
from waved.pool.linux import boot_seconds, read_small

RELAXED, ALERT, CLOSE = 1.0, 0.25, 0.1
"""Seconds between two looks: below half of the limit, below four fifths, above."""


class Confines:
    """The limits of one run. `group`: the worker's control group; "" when it has none."""

    def __init__(self, limits: Mapping[str, Any], group: str) -> None:
        self.limits = limits
        self._group = group
        self._run = ""
        """The control group of the run; "" when no controller keeps any of its limits."""
        self._inside = False
        """This process is in it."""
        self._kept: frozenset[str] = frozenset()
        """Limits that the kernel keeps."""
        self._due: float | None = None
        """When to look at the processes next; None: nobody has to."""
        self._peak: int | None = None
        self.breach = ""
        """Why the run had to end, once it had to."""

    def prepare(self) -> None:
        """Before the start: this process, and with it what it starts, is in the group of the run."""
        if self._group:
            self._run = controllers.divide(self._group, self.limits)
            self._inside = bool(self._run)

    def abandon(self) -> None:
        """Nothing was started, or nothing is left."""
        if self._run:
            if self._inside:
                with contextlib.suppress(OSError):
                    controllers.settle(self._group)
            controllers.drop(self._run)
            self._run, self._inside = "", False

    def begin(self) -> None:
        """The program has started: from now on it is limited, and this process is not."""
        if self._run:
            self._inside = False
            try:
                controllers.settle(self._group)
            except OSError:
                # We would be killed with the run: better that we look after it ourselves.
                self._run = ""
            else:
                self._kept = controllers.limit(self._run, self.limits)
        if "memory" in self.limits and "memory" not in self._kept:
            self._due = boot_seconds() + ALERT

    def renew(self) -> None:
        """A new daemon has come. On its way controllers may have been taken away and given again: what was counted is
        forgotten then, so that the processes are looked at as well from now on.
        """
        if "memory" not in self._kept or controllers.holds(self._run, self.limits):
            return
        controllers.restore(self._group, self._run, self.limits)
        if self._due is None:
            self._due = boot_seconds()

    def patience(self) -> float | None:
        """Milliseconds until `look` has something to do; None: it has not."""
        return None if self._due is None else max(0.0, self._due - boot_seconds()) * 1000 + 0.5

    def look(self) -> bool:
        """Look at the processes when that is due; True when they have more memory than they may."""
        if self._due is None or boot_seconds() < self._due:
            return False
        limit: int = self.limits["memory"]
        processes = [process.pid for process in tree.descendants(os.getpid())]
        found = sum(resident(pid) for pid in processes)
        if found > limit:
            # What parent and child share is in both figures: now it is worth the time to count it once.
            found = min(found, sum(share(pid) for pid in processes))
        self._peak = max(self._peak or 0, found)
        self._due = boot_seconds() + (RELAXED if found < limit / 2 else ALERT if found < limit * 0.8 else CLOSE)
        if found <= limit:
            return False
        self.breach = f"out of memory: its processes have {_size(found)}, and may have {_size(limit)}"
        return True

    def conclude(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What the exit record is to say of it, when nothing of the run is alive any more."""
        ended = record["outcome"] == "signalled"
        killed = ended and record["signal"] == signal.SIGKILL
        told: dict[str, Any] = {}
        if self._run:
            told["cpu_seconds"] = controllers.processor_seconds(self._run)
            self._peak = controllers.peak(self._run) or self._peak
            if killed and controllers.killed_for_memory(self._run):
                self.breach = f"out of memory: it needed more than the {_size(self.limits['memory'])} it may have"
        told["memory_peak"] = self._peak
        if self.breach and ended:
            told |= {"cause": "oom", "reason": self.breach}
        return {name: value for name, value in told.items() if value is not None}


def resident(pid: int) -> int:
    """Bytes of memory of a process's own, as the kernel counts it at no cost: not files it has mapped, which can be
    read again (proc(5), status). 0 when it is gone.
    """
    found = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in read_small(f"/proc/{pid}/status").split(b"\n"):
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                found += int(line.split()[1]) * 1024
    return found


def share(pid: int) -> int:
    """As `resident`, with what several processes share divided among them (proc(5), smaps_rollup). Takes milliseconds
    for a large process.
    """
    found = 0
    try:
        for line in read_small(f"/proc/{pid}/smaps_rollup").split(b"\n"):
            if line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
                found += int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return resident(pid)
    return found


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GB" if count >= 1024**3 else f"{count / 1024**2:.0f} MB"
