"""P2: an agent writes what another agent of its wave owns.

Only what is known is held against an agent: its own output says it wrote the path, or nobody else can have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from waved.monitors.base import RESTORED, Change, Sighting
from waved.plan.guards import OwnershipMonitor
from waved.workspace.attribution import Running, owns


class Ownership:
    """The plan's table `kind = "ownership"` at work. It is told who runs by `running`."""

    interval: float | None = None

    def __init__(self, settings: OwnershipMonitor) -> None:
        self.label = settings.label
        self._owners: dict[str, Running] = {}
        self._seen: dict[str, str] = {}

    def running(self, running: Sequence[Running]) -> None:
        """Who is at work now. Who has ended still owns its paths, until another wave begins."""
        waves = {run.wave for run in running}
        if waves:
            self._owners = {name: run for name, run in self._owners.items() if run.wave in waves}
        self._owners.update((run.assignment, run) for run in running)

    def approve(self, path: str) -> None:
        """A person says that it is well as it is: the next write of a stranger is told again."""
        self._seen.pop(path, None)

    def wants(self, path: str) -> bool:
        """Every path that somebody owns."""
        return any(owns(run.owns, path) for run in self._owners.values())

    def changed(self, changes: Sequence[Change]) -> Iterable[Sighting]:
        """A sighting for each path that a stranger wrote; cleared when its owner writes it, or it is brought back."""
        for change in changes:
            owners = [name for name, run in self._owners.items() if owns(run.owns, change.path)]
            if change.path in self._seen and (change.writer in owners or change.how == RESTORED):
                del self._seen[change.path]
                said = "was restored" if change.how == RESTORED else f"was written by its owner {change.writer}"
                yield Sighting(self.label, f"{change.path} {said}", subject=change.path, path=change.path, cleared=True)
            elif change.writer and owners and change.writer not in (*owners, self._seen.get(change.path)):
                self._seen[change.path] = change.writer
                yield self._sighting(change, owners)

    def sweep(self) -> Iterable[Sighting]:
        """Nothing: the feed's own sweep tells what was missed."""
        return ()

    def _sighting(self, change: Change, owners: list[str]) -> Sighting:
        verb = {"added": "made", "modified": "changed", "removed": "removed"}[change.kind]
        patterns = ", ".join(pattern for name in owners for pattern in self._owners[name].owns)
        return Sighting(
            self.label,
            f"{change.writer} {verb} {change.path}, which {' and '.join(owners)} owns",
            subject=change.path,
            path=change.path,
            assignment=change.writer,
            run=change.run,
            evidence=f"how it is known: {change.how}\nowned: {patterns}",
        )
