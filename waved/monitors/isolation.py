"""A plug-in's monitor, at arm's length: it runs on a thread of its own, and may raise or hang without harm.

A call that raises, or does not come back in `PATIENCE`, is told. After `MOST_FAILURES` of them the monitor is switched
off for the session. A thread that hangs cannot be ended; it is left behind, ends with the daemon, and whatever it says
later is not listened to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

from waved.errors import WavedError
from waved.monitors.base import GUARD, MOST_EVIDENCE, Change, Factory, Monitor, Sighting, Site
from waved.plan import globs
from waved.plan.guards import PluginMonitor

PATIENCE = 10.0
"""Seconds one call may take."""
MOST_FAILURES = 3
MOST_WAITING = 10_000
"""Changes kept for a monitor that is busy; beyond that it is asked to look at everything instead."""
_SEVERITIES = ("info", "warning", "critical")

Say = Callable[[list[Sighting]], None]


class Isolated:
    """One plug-in's monitor. Its owner's thread calls everything here; `wake` is called from the plug-in's thread."""

    def __init__(
        self,
        settings: PluginMonitor,
        site: Site,
        find: Callable[[str], Factory],
        clock: Callable[[], float],
        wake: Callable[[], None],
        patience: float = PATIENCE,
    ) -> None:
        self.label = settings.label
        self.waves = tuple(settings.waves)
        self.off = False
        self._settings = settings
        self._site = site
        self._find = find
        self._clock = clock
        self._wake = wake
        self._patience = patience
        self._waiting: dict[str, tuple[Change, float]] = {}
        self._sweep_wanted = False
        self._next_sweep = clock() + settings.interval
        self._failures = 0
        self._thread: _Thread | None = None
        self._since = 0.0

    @property
    def busy(self) -> bool:
        """Whether it has been told something it has not answered."""
        return not self.off and (bool(self._waiting) or self._sweep_wanted or self._since > 0)

    def tell(self, changes: Iterable[Change]) -> None:
        """Files that changed; those the plan's `paths` name are passed on when they have settled."""
        if self.off:
            return
        now = self._clock()
        for change in changes:
            if any(globs.matches(pattern, change.path) for pattern in self._settings.paths):
                self._waiting[change.path] = (change, now)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._sweep_wanted = True

    def deadline(self, *, sweeping: bool) -> float | None:
        """When `step` has something to do. `sweeping`: agents run, so it is asked to sweep when that is due."""
        if self.off:
            return None
        if self._since:
            return self._since + self._patience
        times = [self._next_sweep] if sweeping else []
        times += [when + self._settings.settle for _, when in self._waiting.values()]
        return min(times, default=None)

    def step(self, *, sweeping: bool, hurry: bool) -> list[Sighting]:
        """Hand over what has settled, and take what it has to say; never blocks."""
        if self.off:
            return []
        said = self._collect()
        now = self._clock()
        if self._since:
            if now - self._since >= self._patience:
                self._thread = None
                self._since = 0.0
                said += self._failed(f"did not come back within {self._patience:g} s", "")
            return said
        if sweeping and now >= self._next_sweep:
            self._sweep_wanted = True
        self._hand_over(now, hurry=hurry)
        return said

    def _hand_over(self, now: float, *, hurry: bool) -> None:
        settle = 0.0 if hurry else self._settings.settle
        settled = [change for change, when in self._waiting.values() if now - when >= settle]
        if self.off or not (settled or self._sweep_wanted):
            return
        for change in settled:
            del self._waiting[change.path]
        if self._thread is None:
            self._thread = _Thread(lambda: self._find(self._settings.kind)(self._settings, self._site), self._wake)
        if self._sweep_wanted:
            self._next_sweep = now + self._settings.interval
        self._thread.calls.put((settled, self._sweep_wanted))
        self._sweep_wanted = False
        self._since = now

    def close(self) -> None:
        """Let the thread end; one that hangs is left behind."""
        if self._thread is not None:
            self._thread.calls.put(None)
        self.off = True

    def _collect(self) -> list[Sighting]:
        if self._thread is None or self._thread.answers.empty():
            return []
        self._since = 0.0
        answer = self._thread.answers.get()
        if isinstance(answer, BaseException):
            words = answer.message if isinstance(answer, WavedError) else f"{type(answer).__name__}: {answer}"
            return self._failed(f"failed: {words}", _trace(answer))
        said: list[Sighting] = []
        for sighting in answer:
            if not isinstance(sighting, Sighting) or sighting.severity not in _SEVERITIES:
                return said + self._failed(f"reported {type(sighting).__name__}, which is no sighting", repr(sighting))
            said.append(_bounded(sighting, self.label))
        return said

    def _failed(self, how: str, evidence: str) -> list[Sighting]:
        self._failures += 1
        more = ""
        if self._failures >= MOST_FAILURES:
            self.close()
            more = f"; it is switched off after {MOST_FAILURES} failures"
        summary = f'the monitor "{self.label}" {how}'[:500] + more
        return [Sighting(GUARD, summary, subject=self.label, evidence=evidence[-MOST_EVIDENCE:])]


class _Thread:
    def __init__(self, make: Callable[[], Monitor], wake: Callable[[], None]) -> None:
        self.calls: SimpleQueue[tuple[list[Change], bool] | None] = SimpleQueue()
        self.answers: SimpleQueue[list[Any] | BaseException] = SimpleQueue()
        self._make = make
        self._wake = wake
        threading.Thread(target=self._run, name="waved-plug-in", daemon=True).start()

    def _run(self) -> None:
        monitor: Monitor | None = None
        while (call := self.calls.get()) is not None:
            try:
                if monitor is None:
                    monitor = self._make()
                self.answers.put(_call(monitor, *call))
            except (Exception, SystemExit) as error:  # noqa: BLE001 — somebody else's code
                self.answers.put(error)
            self._wake()


def _call(monitor: Monitor, changes: list[Change], sweep: bool) -> list[Any]:
    wanted = [change for change in changes if monitor.wants(change.path)]
    said: list[Any] = list(monitor.changed(wanted)) if wanted else []
    if sweep and monitor.interval is not None:
        said += monitor.sweep()
    return said


def _bounded(sighting: Sighting, label: str) -> Sighting:
    return Sighting(
        monitor=label,
        summary=str(sighting.summary)[:500],
        severity=sighting.severity,
        subject=str(sighting.subject or sighting.path or sighting.assignment),
        path=str(sighting.path),
        line=int(sighting.line),
        assignment=str(sighting.assignment),
        run=str(sighting.run),
        evidence=str(sighting.evidence)[:MOST_EVIDENCE],
        cleared=bool(sighting.cleared),
    )


def _trace(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))
