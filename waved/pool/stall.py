"""Silence of a run: neither output nor processor time nor I/O of its tree for as long as its state allows (requirement
M4). While the program prints, this costs one look at the clock a piece; while it is silent, two looks at its tree for
each such time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from waved.pool import tree
from waved.pool.linux import boot_seconds

OTHER = "other"
"""The state of a run whose output nobody can read."""
IDLE_SHARE = 0.01
"""A tree that uses no more processor time than this share of the time it is looked at is idle: timers, keep-alives."""
IDLE_BYTES = 4096
"""The same for bytes read and written."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a tree has used so far. Another process is progress by itself."""

    processes: frozenset[tuple[int, int]]
    seconds: float
    bytes: int
    at: float

    def moved(self, before: Sample) -> bool:
        """Whether the tree has done something since `before`."""
        if self.processes != before.processes:
            return True
        elapsed = max(0.0, self.at - before.at)
        return self.seconds - before.seconds > IDLE_SHARE * elapsed or self.bytes - before.bytes > IDLE_BYTES


class Stall:
    """Watches one run. `limits`: seconds of silence allowed, by state; a state that is missing allows any."""

    def __init__(self, limits: dict[str, float]) -> None:
        self._limits = limits
        self._state = OTHER
        self._last = boot_seconds()
        """Of the last sign of life."""
        self._said = self._last
        """When it last gave one, or was last said to have stalled."""
        self._half: Sample | None = None
        self._stalled = False
        self._paused = False

    def sign(self) -> None:
        """It has printed something."""
        self._last = self._said = boot_seconds()
        self._half = None

    def pause(self, *, paused: bool) -> None:
        """It stands still because it is made to; when it goes on, its time begins anew."""
        if self._paused and not paused:
            self.sign()
        self._paused = paused

    def be(self, state: str) -> None:
        """What the program is at."""
        if state != self._state:
            self._state = state
            self.sign()

    def _limit(self) -> float | None:
        return None if self._paused else self._limits.get(self._state)

    def _due(self) -> float | None:
        limit = self._limit()
        if limit is None:
            return None
        return self._said + (limit / 2 if self._half is None else limit)

    def patience(self) -> float | None:
        """Milliseconds until `look` has something to do; None: it has not."""
        if self._stalled and self._last >= self._said:
            return 0.0
        due = self._due()
        return None if due is None else max(0.0, due - boot_seconds()) * 1000 + 0.5

    def look(self) -> dict[str, Any] | None:
        """What the daemon is to be told now: `stalled` {state, since, limit}, since in seconds ago, or `progressed`."""
        if self._stalled and self._last >= self._said:
            self._stalled = False
            return {"progressed": {}}
        due, limit, now = self._due(), self._limit(), boot_seconds()
        if due is None or limit is None or now < due:
            return None
        sample = sample_of(os.getpid())
        if self._half is None:
            self._half = sample
            return None
        moved = sample.moved(self._half)
        # What was used up to now is known: it is the first look of the time that follows.
        self._half, self._said = None, now
        if moved:
            self._last = now
            return self.look() if self._stalled else None
        self._stalled = True
        return {"stalled": {"state": self._state, "silent": now - self._last, "limit": limit}}


def sample_of(pid: int) -> Sample:
    """What all below `pid` has used."""
    processes = tree.descendants(pid)
    seconds, count = 0.0, 0
    for process in processes:
        used, moved = tree.used(process.pid)
        seconds += used
        count += moved
    return Sample(frozenset((each.pid, each.start) for each in processes), seconds, count, boot_seconds())
