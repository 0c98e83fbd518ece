"""Starts that wait until every change of their session's files is seen: the checklist waits for that before the first
wave, but a session that is opened again, or recovered, goes on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from waved.pool.linux import boot_seconds
from waved.pool.messages import Start, session_of


class HeldStarts:
    """`ready`: whether a session's files are watched as far as that is wanted. `patience`: seconds a start waits."""

    def __init__(self, ready: Callable[[str], bool], patience: float) -> None:
        self._ready = ready
        self._patience = patience
        self._held: dict[str, tuple[float, Start]] = {}
        """By run: until when it waits."""

    def hold(self, session: str, start: Start) -> bool:
        """Keep a start that has to wait; False: it may go."""
        if self._ready(session):
            return False
        self._held[start.run] = (boot_seconds() + self._patience, start)
        return True

    def due(self) -> list[Start]:
        """Those that wait no longer."""
        if not self._held:
            return []
        now = boot_seconds()
        return self.take([run for run, (due, _) in self._held.items() if due <= now or self._ready(session_of(run))])

    def take(self, runs: Collection[str]) -> list[Start]:
        """Those of these runs that wait: they do so no more, for something is wanted of them."""
        return [self._held.pop(run)[1] for run in runs if run in self._held]

    def next_deadline(self) -> float | None:
        """When `due` is due at the latest; seconds since boot."""
        return min((due for due, _ in self._held.values()), default=None)
