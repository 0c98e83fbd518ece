"""The worker's side of reading what a program prints: feed the reader, keep the totals, say when to tell of them.

A reader that raises is switched off: the run goes on as one of a program nobody can read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from waved.agents.installed import installed_version
from waved.agents.progress import Documentation, Progress
from waved.agents.reader import Judgement, Reader
from waved.agents.side_files import SideFileTail
from waved.pool.linux import boot_seconds

LINGERED = "it had given its result and did not end"
SIDE_FILE_INTERVAL = 1.0
"""Seconds between two looks at a side file, while its run goes on."""
_TOLD = 1024 * 1024
"""How far reading is behind is told in steps of so many bytes."""
LINGERING = 20.0
"""Seconds a program that has given its result may take to end, unless the plan says otherwise."""


class Acting:
    """What one run's program is seen to do. Times are seconds on waved's clock."""

    def __init__(self, reader: Reader, spec: dict[str, Any], provider: str, distribution: str = "") -> None:
        reading = spec.get("reading", {})
        self._provider = provider
        self._distribution = distribution
        self.executable = ""
        """Where the program was found; told once it is known."""
        self._problem = ""
        """Why its reader was switched off."""
        self._linger: float = reading.get("linger", LINGERING)
        self._progress = Progress(
            Documentation(
                reading.get("documentation_tools", ()), reading.get("documentation_paths", ()), spec["workspace"]
            ),
            tuple(reading.get("forbidden", ())),
        )
        self._reader: Reader | None = reader
        self._side = SideFileTail(reader)
        self._offset: float = spec["clock_offset"]
        self._workspace = Path(spec["workspace"])
        self._cwd = Path(spec["cwd"])
        self._side_due = 0.0
        self._finished_at: float | None = None
        self.behind = 0
        """Bytes that are printed and not read yet."""
        self.unread = 0
        """Bytes that never were, once the run is over."""
        self._told_behind = 0

    @property
    def state(self) -> str:
        """What the program is at; "other" when nobody can read it any more."""
        return self._progress.state if self._reader is not None else "other"

    def _now(self) -> float:
        return boot_seconds() + self._offset

    def feed(self, stream: int, data: bytes | memoryview) -> None:
        """Read what the program has printed."""
        reader = self._reader
        if reader is None:
            return
        now = self._now()
        try:
            self._progress.heed(reader.feed(data, stream), now)
            finished = reader.finished
        except Exception as error:  # noqa: BLE001 — a plug-in's reader may fail in any way; its run must not
            self._switch_off(error)
            return
        self._note_finished(finished, now)

    def _look(self, now: float) -> None:
        """Look at side files, when it is time to."""
        reader = self._reader
        if reader is None or not self._side or now < self._side_due:
            return
        self._side_due = now + SIDE_FILE_INTERVAL
        try:
            self._progress.heed(self._side.poll(), now)
            finished = reader.finished
        except Exception as error:  # noqa: BLE001 — as above
            self._switch_off(error)
            return
        self._note_finished(finished, now)

    def _note_finished(self, finished: bool, now: float) -> None:
        if not finished:
            self._finished_at = None
        elif self._finished_at is None:
            self._finished_at = now

    def lingers(self) -> bool:
        """Whether it has given its result and should have ended by now."""
        return self._finished_at is not None and self._now() >= self._finished_at + self._linger

    def patience(self, *, told: bool) -> float | None:
        """Milliseconds until there is something to do though the program prints nothing; None: nothing is.

        `told`: there is a daemon to report to.
        """
        times = [self._due() if told else None]
        if self._reader is not None and self._side:
            times.append(self._side_due)
        if self._finished_at is not None:
            times.append(self._finished_at + self._linger)
        due = min((at for at in times if at is not None), default=None)
        return None if due is None else max(0.0, due - self._now()) * 1000 + 0.5

    def report_due(self, *, told: bool) -> dict[str, Any] | None:
        """What the daemon is to be told now: the fields of `run.acted`; None: nothing yet."""
        now = self._now()
        self._look(now)
        due = self._due()
        if not told or due is None or now < due:
            return None
        return self._report(now)

    def _due(self) -> float | None:
        return self._progress.due(more=self.behind // _TOLD != self._told_behind)

    def _report(self, now: float) -> dict[str, Any]:
        if self.executable and not self._progress.version:
            self._progress.version = installed_version(self.executable, self._distribution)
        self.executable = ""
        report = self._progress.report(now)
        self._told_behind = self.behind // _TOLD
        behind = self.behind if self._told_behind else 0
        wrote = self._in_workspace(report["wrote"])
        return {**report, "provider": self._provider, "wrote": wrote, "behind": behind}

    def _in_workspace(self, paths: list[str]) -> list[str]:
        """Relative to the workspace; files elsewhere are left out."""
        found = []
        for path in paths:
            whole = os.path.normpath(self._cwd / path)
            if whole.startswith(f"{self._workspace}/"):
                found.append(whole[len(str(self._workspace)) + 1 :])
        return found

    def conclude(self, exit_code: int | None, signal: int | None) -> dict[str, Any]:
        """The end of all output: what the exit record says of the program's own word and of its totals."""
        reader = self._reader
        judgement = Judgement(None)
        if reader is not None:
            try:
                self._progress.heed([*self._side.drain(), *reader.close()], self._now())
                judgement = reader.judge(exit_code, signal)
            except Exception as error:  # noqa: BLE001 — as above
                self._switch_off(error)
        judged = {} if judgement.ok is None else {"judged": judgement.ok, "judgement": judgement.reason}
        if self.unread and not self._problem:
            self._problem = f"{self.unread} bytes of its output were never read: they came too fast, or were removed"
        return {
            **judged,
            "cause": judgement.cause,
            "reset_at": judgement.reset_at,
            "last_words": self._progress.last_words,
            "acted": {**self._report(self._now()), "problem": self._problem},
        }

    def _switch_off(self, error: BaseException) -> None:
        self._reader = None
        self._finished_at = None
        self._problem = f"its output cannot be read any more: {type(error).__name__}: {error}"
