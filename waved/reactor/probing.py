"""Probing the preview (requirement M3): one thread a session that has one. It tells changes only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from waved.plan.guards import Preview

if TYPE_CHECKING:
    from waved.monitors.preview import Probe, Prober

STARTING_PAUSE = 0.1
"""Seconds between two probes of a preview that has not answered yet, at first; longer each time."""
DOWN_PAUSE = 2.0
"""The most that becomes, and the pause while it is down."""


class Probing:
    """Probes until closed. `tell(up, seconds, reason)` is called, on its thread, when the answer changes."""

    def __init__(self, settings: Preview, folder: Path, tell: Callable[[bool, float, str], None]) -> None:
        self._settings = settings
        self._folder = folder
        self._tell = tell
        self._url = ""
        self._woken = Event()
        self._closed = False
        self._fresh = False
        self._thread: Thread | None = None

    def begin(self, url: str) -> None:
        """It has been started anew, or its address is known now: tell how it is, whatever was told before."""
        self._url = url
        self._fresh = True
        self._woken.set()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="waved-preview", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop; a probe under way is not waited for, and what it finds is not told."""
        self._closed = True
        self._woken.set()

    def _run(self) -> None:
        from waved.monitors.preview import Prober  # late: only a session with a preview needs what it needs

        prober, url = Prober(self._settings, self._url, self._folder), self._url
        try:
            while not self._closed:
                if url != self._url:
                    prober.close()
                    prober, url = Prober(self._settings, self._url, self._folder), self._url
                self._probe_on(prober)
        finally:
            prober.close()

    def _probe_on(self, prober: Prober) -> None:
        """Probe one address until there is another, or the end."""
        url = self._url
        told: str | None = None
        pause = STARTING_PAUSE
        while not self._closed and url == self._url:
            self._woken.clear()
            if self._fresh:
                self._fresh, told, pause = False, None, STARTING_PAUSE
            answer = self._probe(prober, was_up=told == "")
            if self._closed or self._fresh:
                continue
            if told is None or answer.reason != told:
                told = answer.reason
                self._tell(not told, answer.seconds, told)
            pause = self._settings.interval if not told else min(pause * 2, DOWN_PAUSE, self._settings.interval)
            self._woken.wait(pause)

    def _probe(self, prober: Prober, *, was_up: bool) -> Probe:
        """What counts: one that was well is down only after so many failures in a row."""
        answer = prober.probe()
        for _ in range(self._settings.failures - 1 if was_up else 0):
            if answer.up or self._closed:
                break
            self._woken.wait(min(STARTING_PAUSE, self._settings.interval))
            answer = prober.probe()
        return answer
