"""When the feed compares all files with what it knows: as a safety net, after lost events, and instead of inotify."""

from __future__ import annotations

import time
from collections.abc import Iterator

from waved.workspace.feed import Feed

POLL_INTERVAL = 1.0
"""Seconds between two sweeps where the kernel does not tell of changes; more in a large workspace."""
SHARE = 0.01
"""Of a processor: what sweeps may cost while the kernel tells of changes."""
POLL_SHARE = 0.05
"""The same where it does not."""
BREATH = 0.002
"""Seconds of work, and then of rest, while a sweep is under way: the daemon's main thread comes first."""


class Sweeps:
    """The sweeps of one feed; `interval`: seconds between two of them while agents run."""

    def __init__(self, feed: Feed, interval: float) -> None:
        self._feed = feed
        self._interval = interval
        self._under_way: Iterator[None] | None = None
        self._cost = 0.0
        self._next = time.monotonic() + interval

    def deadline(self, *, running: bool) -> float | None:
        """When `advance` has something to do. While no agent runs, only lost events are a reason to sweep."""
        if self._under_way is not None:
            return time.monotonic() + BREATH
        if self._feed.must_sweep:
            return 0.0
        return self._next if running else None

    def agents_began(self) -> None:
        """Agents run from now on: the interval counts from here."""
        self._next = time.monotonic() + self._pause()

    def advance(self, *, running: bool) -> None:
        """Sweep a little if it is time to. Raises LostError."""
        if self._under_way is None:
            due = running and time.monotonic() >= self._next
            if not due and not self._feed.must_sweep:
                return
            self._under_way, self._cost = self._feed.sweep(), 0.0
        began = time.thread_time()
        while (spent := time.thread_time() - began) < BREATH:
            if next(self._under_way, self) is self:
                self._cost += spent
                self._ended()
                return
        self._cost += spent

    def whole(self) -> None:
        """Sweep from the beginning to the end, now. Raises LostError."""
        began = time.thread_time()
        for _ in self._feed.sweep():
            pass
        self._cost = time.thread_time() - began
        self._ended()

    def _ended(self) -> None:
        self._under_way = None
        self._next = time.monotonic() + self._pause()

    def _pause(self) -> float:
        if self._feed.polling:
            return max(POLL_INTERVAL, self._cost / POLL_SHARE)
        return max(self._interval, self._cost / SHARE)
