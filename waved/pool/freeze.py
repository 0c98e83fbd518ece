"""Make all processes of a run stand still, and let them go on (docs/architecture.md, "Guards").

First by signals: SIGSTOP to all below the worker, in walks repeated until one finds nobody new and everybody stopped,
which takes about a millisecond and needs nothing. A tree that forks faster than it can be walked is frozen as a control
group (cgroups(7), cgroup.freeze), where waved may make groups: the worker, which is in the group too, steps out of it
first, which alone takes longer than most walks. That is why it is not the first means.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from waved.pool import cgroup, tree

WALKS_PATIENCE = 0.025
"""Seconds of walking after which the control group is frozen instead."""
PATIENCE = 0.25
"""Seconds after which it is said that the tree cannot be made to stand still."""
PAUSE = 0.0002
"""Seconds for what was told to stop to do so, before the next walk."""
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Standstill:
    """How a freeze went. `seconds`: from its beginning to all of them standing still."""

    ok: bool
    processes: int
    seconds: float
    detail: str = ""

    def message(self) -> dict[str, Any]:
        """For the daemon."""
        return asdict(self)


class Freezer:
    """Freezes and thaws all below this process. `group`: its control group; "" when it has none."""

    def __init__(self, group: str = "") -> None:
        self.frozen: Standstill | None = None
        """How it was frozen, while it is."""
        self.aside = False
        """This process has left its control group: nothing it starts from now on would be in it."""
        self._group = Path(group) if group else None
        self._group_frozen = False
        self._stopped: dict[tuple[int, int], tree.Process] = {}
        """Those that stopped because of us: nobody else's stop is undone."""

    def freeze(self) -> Standstill:
        """Make everything stand still. A second call while it does changes nothing."""
        if self.frozen is not None:
            return self.frozen
        began = time.monotonic()
        moving = self._walk_until(began + (PATIENCE if self._group is None else WALKS_PATIENCE))
        detail = ""
        if moving and self._group is not None and self._freeze_group(began + PATIENCE):
            moving, detail = [], "frozen as a control group: it forks faster than it can be stopped"
        elif moving:
            moving = self._walk_until(began + PATIENCE)
        # What waits in the kernel, for a disk or so, stops before it runs anything of its own.
        waiting = [process for process in moving if tree.state_of(process) == "D"]
        running = [process for process in moving if process not in waiting]
        if waiting and not running:
            detail = f"waits in the kernel, and stops then: {_named(waiting)}"
        elif running:
            detail = f"still moves: {_named(running)}"
        count = len(tree.descendants(os.getpid()))
        self.frozen = Standstill(not running, count, round(time.monotonic() - began, 6), detail)
        return self.frozen

    def _walk_until(self, due: float) -> list[tree.Process]:
        """Stop what is found, until a walk finds that nothing moves, or until `due`; what moved last."""
        known: set[tuple[int, int]] = set()
        while True:
            found = tree.descendants(os.getpid())
            moving = []
            fresh = False
            for process in found:
                identity = (process.pid, process.start)
                fresh = fresh or identity not in known
                known.add(identity)
                state = tree.state_of(process)
                if state in "TtZX":
                    continue
                told = identity in self._stopped
                if tree.send(process, signal.SIGSTOP):
                    self._stopped[identity] = process
                if not (told and state == "D" and tree.waits_for_vfork(process)):
                    moving.append(process)
            # Somebody who was new may have forked after we looked for its children and before it stopped.
            if (not moving and not fresh) or time.monotonic() > due:
                return moving
            if moving:
                time.sleep(PAUSE)

    def _freeze_group(self, due: float) -> bool:
        assert self._group is not None  # noqa: S101 — asked for by `freeze` only with a group
        try:
            if not self.aside:
                cgroup.step_out(self._group)
                self.aside = True
            cgroup.freeze(self._group, frozen=True)
            self._group_frozen = True
            while not cgroup.is_frozen(self._group):
                if time.monotonic() > due:
                    return False
                time.sleep(PAUSE)
        except OSError:
            return False
        return True

    def thaw(self) -> None:
        """Let everything go on. Children before parents: a shell with job control finds none of its jobs stopped."""
        if self.frozen is None:
            return
        if self._group_frozen and self._group is not None:
            with contextlib.suppress(OSError):
                cgroup.freeze(self._group, frozen=False)
            self._group_frozen = False
        for process in reversed(list(self._stopped.values())):
            tree.send(process, signal.SIGCONT)
        self._stopped.clear()
        self.frozen = None


def _named(processes: list[tree.Process]) -> str:
    names = [f"{process.pid} {process.name}" for process in processes[:MAX_NAMED]]
    return ", ".join(names) + (f" and {len(processes) - MAX_NAMED} more" if len(processes) > MAX_NAMED else "")
