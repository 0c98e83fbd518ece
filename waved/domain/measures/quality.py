"""What was found and put right, and what tests said (requirements S4, S5)."""

from __future__ import annotations

from waved.domain import events as ev
from waved.plan import globs
from waved.plan.guards import FileSizeMonitor
from waved.plan.models import Plan


class Quality:
    """A fold over a session's events."""

    def __init__(self, plan: Plan) -> None:
        self._kinds = {monitor.label: monitor.kind for monitor in plan.monitors}
        self.sizes = [monitor for monitor in plan.monitors if isinstance(monitor, FileSizeMonitor)]
        self.found: dict[str, int] = {}
        """Findings by kind of monitor."""
        self.rollbacks = 0
        self._oversize: dict[str, str] = {}
        """Open findings of size: the path."""
        self._tests: dict[tuple[str, str], dict[str, int]] = {}
        """The last count of tests, by gate (without its attempt) and check."""

    def heed(self, event: ev.Event) -> None:
        """Take in an event."""
        match event:
            case ev.FindingMade():
                kind = self._kinds.get(event.monitor, event.monitor)
                self.found[kind] = self.found.get(kind, 0) + 1
                if kind == "file-size":
                    self._oversize[event.finding] = event.path
            case ev.FindingCleared():
                self._oversize.pop(event.finding, None)
            case ev.RestoreEnded(ok=True) if event.total:
                self.rollbacks += 1
            case ev.CheckEnded(tests=dict() as tests):
                gate = event.gate.rpartition("#")[0]
                self._tests[gate, event.name] = tests

    def counted(self, paths: set[str]) -> set[str]:
        """Those of the files that a file-size monitor counts."""
        return {path for path in paths if any(_covers(monitor, path) for monitor in self.sizes)}

    @property
    def oversize(self) -> set[str]:
        """Files over the limit."""
        return set(self._oversize.values())

    @property
    def tests(self) -> tuple[int, int]:
        """(passed, run) of the tests of all checks, each as it was counted last."""
        ran = sum(tests.get("total", 0) - tests.get("skipped", 0) for tests in self._tests.values())
        return sum(tests.get("passed", 0) for tests in self._tests.values()), ran


def _covers(monitor: FileSizeMonitor, path: str) -> bool:
    return any(globs.matches(each, path) for each in monitor.paths) and not any(
        globs.matches(each, path) for each in monitor.exclude
    )
