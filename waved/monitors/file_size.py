"""M6: source files that are, or grow, too long."""

from __future__ import annotations

from typing import Literal

from waved.monitors.base import ASK_PAST, Past, Ruling, Verdict
from waved.monitors.content import Answer, Checks
from waved.plan import globs
from waved.plan.guards import FileSizeMonitor


class FileSize:
    """The plan's table `kind = "file-size"` at work."""

    def __init__(self, settings: FileSizeMonitor) -> None:
        self.label = settings.label
        self.settle = settings.settle
        self.waves = tuple(settings.waves)
        self._settings = settings

    def wants(self, path: str) -> bool:
        """Whether the plan has the file counted."""
        return any(globs.matches(pattern, path) for pattern in self._settings.paths) and not any(
            globs.matches(pattern, path) for pattern in self._settings.exclude
        )

    def checks(self) -> Checks:
        """Nothing but what every answer holds: the number of lines."""
        return Checks()

    def judge(self, path: str, answer: Answer, past: Past) -> Ruling:
        """Whether the file is too long, or has grown too much since the session began."""
        limit, growth = self._settings.max_lines, self._settings.max_growth
        too_long = limit is not None and answer.lines > limit
        if answer.state != "read" or not (too_long or (growth is not None and answer.lines > growth)):
            return None
        if not past.loaded:
            return ASK_PAST
        before = past.first.lines if past.first is not None else 0
        grown = answer.lines - before
        if growth is not None and past.known and grown > growth:
            said = f"{path} has grown by {grown} lines to {answer.lines} since the session began (limit: {growth})"
            return _verdict(said, "critical", f"before: {before} lines; now: {answer.lines}")
        if not too_long or limit is None or (self._allowed(before) and answer.lines <= before):
            return None
        said = f"{path} has {answer.lines} lines (limit: {limit})"
        return _verdict(said, "warning", f"before the session: {before} lines" if past.known else "")

    def _allowed(self, before: int) -> bool:
        limit = self._settings.max_lines
        return self._settings.existing == "allow" and limit is not None and before > limit


def _verdict(summary: str, severity: Literal["warning", "critical"], evidence: str) -> Verdict:
    return Verdict(summary, severity, 0, evidence, key=severity, at_once=False)
