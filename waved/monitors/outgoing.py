"""What is on its way to the reactor. Sightings go at once; changes are put together by path and go once a second.

Changes are attributed at the last moment, because an agent's word that it wrote a file often comes after the file.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from waved.monitors.base import RESTORED, Batch, Change, Judged, Kind, Report, Running, Sighting
from waved.workspace.attribution import Writer, attribute

MOST_CHANGES = 1000
"""Paths in one batch."""
INTERVAL = 1.0
"""Seconds a change waits at most before it is reported."""
MOST_SAID = 20_000
"""Paths of which it is remembered who said they wrote them, and when they changed."""


@dataclass(frozen=True, slots=True)
class Touch:
    """When a file was seen to have changed, and who was at work then. `restored`: waved itself wrote it."""

    at: float
    running: tuple[Running, ...]
    restored: bool = False


class Outgoing:
    """What waits to be reported, and what is known of who made changes."""

    def __init__(self, workspace: Path, report: Report) -> None:
        self.sightings: list[Sighting] = []
        self._workspace = workspace
        self._report: Report = lambda batch: report(spelled(batch))
        self._problems: list[str] = []
        self._said_problems: set[str] = set()
        self._unclean = False
        self._waiting: OrderedDict[str, tuple[Kind, Touch]] = OrderedDict()
        self._since = 0.0
        self._said: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._touches: OrderedDict[str, Touch] = OrderedDict()

    def said(self, assignment: str, path: str, now: float) -> None:
        """An assignment's output says that it wrote the path."""
        relative = self._relative(path)
        if relative is not None:
            self._said.setdefault(relative, {})[assignment] = now
            self._said.move_to_end(relative)
            _shorten(self._said)

    def changed(self, path: str, kind: Kind, touch: Touch) -> None:
        """A file changed."""
        self._touches[path] = touch
        self._touches.move_to_end(path)
        _shorten(self._touches)
        self._unclean = True
        if not self._waiting:
            self._since = touch.at
        before = self._waiting.get(path)
        merged = kind if before is None else _merged(before[0], kind)
        if merged is None:
            del self._waiting[path]
        else:
            self._waiting[path] = (merged, touch)

    def writer(self, path: str) -> Writer:
        """Whose doing the last change of the path is, as far as is known now."""
        touch = self._touches.get(path)
        return Writer("", "", "it is not known when") if touch is None else self._writer(path, touch)

    def deadline(self) -> float | None:
        """When the changes are to be reported."""
        return self._since + INTERVAL if self._waiting else None

    def problem(self, words: str) -> None:
        """Something hinders the guard; said once."""
        if words not in self._said_problems:
            self._said_problems.add(words)
            self._problems.append(words)

    def send(self, now: float, *, clean: bool, judged: tuple[Judged, ...] = (), lost: str = "") -> None:
        """Report what is due. `clean`: all is judged, and nothing is open."""
        urgent = bool(self.sightings or self._problems or judged or lost)
        due = self.deadline()
        if urgent or len(self._waiting) >= MOST_CHANGES or (due is not None and due <= now):
            while True:
                changes = self._take(now)
                rest = bool(self._waiting) and (urgent or len(self._waiting) >= MOST_CHANGES)
                if rest:
                    self._report(Batch(changes=changes))
                    continue
                self._unclean = not clean or bool(self._waiting)
                said, self.sightings = tuple(self.sightings), []
                problems, self._problems = tuple(self._problems), []
                self._report(Batch(changes, said, problems, judged, clean=not self._unclean, lost=lost))
                return
        if self._unclean and clean and not self._waiting:
            self._unclean = False
            self._report(Batch(clean=True))

    def _take(self, now: float) -> tuple[Change, ...]:
        taken: list[Change] = []
        while self._waiting and len(taken) < MOST_CHANGES:
            path, (kind, touch) = self._waiting.popitem(last=False)
            taken.append(self.attributed(path, kind, touch))
        self._since = now
        return tuple(taken)

    def attributed(self, path: str, kind: Kind, touch: Touch) -> Change:
        """The change with its writer."""
        writer = self._writer(path, touch)
        return Change(path, kind, writer.assignment, writer.how, writer.run)

    def _writer(self, path: str, touch: Touch) -> Writer:
        if touch.restored:
            return Writer("", "", RESTORED)
        return attribute(path, touch.at, self._said.get(path, {}), touch.running)

    def _relative(self, path: str) -> str | None:
        if "\0" in path:
            return None
        joined = os.path.normpath(os.path.join(self._workspace, path))  # noqa: PTH118 — no file system access
        root = str(self._workspace)
        return joined[len(root) + 1 :] if joined.startswith(root + "/") else None


def _merged(before: Kind, after: Kind) -> Kind | None:
    if before == "added":
        return None if after == "removed" else "added"
    if before == "removed":
        return "removed" if after == "removed" else "modified"
    return "removed" if after == "removed" else "modified"


def _shorten(entries: OrderedDict[str, Touch] | OrderedDict[str, dict[str, float]]) -> None:
    while len(entries) > MOST_SAID:
        entries.popitem(last=False)


def spelled(batch: Batch) -> Batch:
    """The batch with nothing in it that events cannot hold: bytes of a name that are no UTF-8 are spelled "\\xe9"."""
    return Batch(
        changes=tuple(
            change if change.path.isascii() else replace(change, path=_spelled(change.path)) for change in batch.changes
        ),
        sightings=tuple(map(_spelled_sighting, batch.sightings)),
        problems=tuple(map(_spelled, batch.problems)),
        judged=tuple(
            Judged(each.token, tuple(map(_spelled_sighting, each.bad)), _spelled(each.problem)) for each in batch.judged
        ),
        clean=batch.clean,
        lost=_spelled(batch.lost),
    )


def _spelled_sighting(sighting: Sighting) -> Sighting:
    return replace(
        sighting,
        summary=_spelled(sighting.summary),
        subject=_spelled(sighting.subject),
        path=_spelled(sighting.path),
        evidence=_spelled(sighting.evidence),
    )


def _spelled(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # Half a character from elsewhere: a plug-in's text.
        return text.encode("utf-8", "replace").decode()
