"""How a run's processes are ended: on request, at the time limit, or because they outlived the program (invariant 3).

Always in the same order: ask (SIGTERM), wait, kill what is left again and again until nothing is.
"""

from __future__ import annotations

import os

from waved import failpoints
from waved.pool import tree
from waved.pool.linux import boot_seconds

KILL_PASS = 0.02
"""Seconds between two passes of killing."""
LEFTOVER_TERM_GRACE = 1.0
"""Seconds leftovers get between SIGTERM and SIGKILL."""


class Ending:
    """The deadlines of one run, and where its end has got to. All is below this process, its worker."""

    def __init__(self) -> None:
        self.cause: tuple[str, str] | None = None
        """Why it is ended by us: (outcome, reason), when it is."""
        self.spare = 0
        """Not asked to end, only killed: the outer process of a sandbox, which would take all inside with it at once.
        It ends with what it runs.
        """
        self.leftovers: dict[int, str] = {}
        """What outlived the program and was ended: "pid name" by pid."""
        self._deadline: float | None = None
        self._left: float | None = None
        """What is left of the time limit while it stands still."""
        self._whose = "agent"
        self._stop_grace = 0.0
        self._leftover_grace = 0.0
        self._kill_at: float | None = None
        self._leftover_term_at: float | None = None
        self._killing = False
        self._main_is_gone = False

    def begin(self, timeout: float | None, whose: str, stop_grace: float, leftover_grace: float) -> None:
        """The program has started: its time runs."""
        self._whose, self._stop_grace, self._leftover_grace = whose, stop_grace, leftover_grace
        if timeout is not None:
            self._deadline = boot_seconds() + timeout

    def stand_still(self) -> None:
        """The time limit stops counting, until `count_on`."""
        if self._deadline is not None:
            self._left, self._deadline = self._deadline - boot_seconds(), None

    def count_on(self) -> None:
        """The time limit counts again."""
        if self._left is not None:
            self._deadline, self._left = boot_seconds() + self._left, None

    def patience(self) -> float | None:
        """Milliseconds until `step` has something to do; None: it has not, until something ends."""
        if self._killing:
            return KILL_PASS * 1000
        times = [at for at in (self._deadline, self._kill_at, self._leftover_term_at) if at is not None]
        if not times:
            return None
        return max(0.0, min(times) - boot_seconds()) * 1000 + 0.5

    def ask(self, outcome: str, reason: str, grace: float, *, at_once: bool = False) -> None:
        """Ask the tree to end; it is killed when the grace is over, or `at_once`, as it stands: what is frozen does
        nothing any more. A second call can only shorten the grace.
        """
        kill_at = boot_seconds() + (0.0 if at_once else grace)
        if self.cause is None:
            self.cause = (outcome, reason)
            if not at_once:
                tree.terminate(os.getpid(), self.spare)
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        self._leftover_term_at = None

    def hurry(self) -> None:
        """Kill what is left without a grace."""
        self._kill_at = boot_seconds()

    def main_ended(self) -> None:
        """The program is gone; what it left behind gets a short grace."""
        self._main_is_gone = True
        self._deadline = self._left = None
        until = boot_seconds() + self._leftover_grace
        if self.cause is None:
            self._leftover_term_at = until
        elif self._kill_at is not None:
            self._kill_at = min(self._kill_at, until)

    def step(self) -> None:
        """Do what is due."""
        now = boot_seconds()
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self.ask("timed-out", f"{self._whose} time limit", self._stop_grace)
        if self._leftover_term_at is not None and now >= self._leftover_term_at:
            self._leftover_term_at = None
            self._name_leftovers()
            tree.terminate(os.getpid(), self.spare)
            until = now + LEFTOVER_TERM_GRACE
            self._kill_at = until if self._kill_at is None else min(self._kill_at, until)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._killing = True
            self._name_leftovers()
        if self._killing:
            failpoints.hit("worker.before-kill")
            tree.kill(os.getpid())

    def _name_leftovers(self) -> None:
        if self._main_is_gone:
            for process in tree.descendants(os.getpid()):
                self.leftovers.setdefault(process.pid, f"{process.pid} {process.name}")
