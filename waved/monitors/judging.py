"""From "this file changed" to "this is wrong with it": when a file is read, read again, and believed.

A file is read as soon as it is known to have changed. If nothing is wrong, that is all: a later write is a change of
its own. A fault is believed when a second look finds it too:

* one that is no less a fault in a file that is still being written (a whole line that matches a pattern, a complete
  merge conflict): after `RECHECK`;
* any other (it does not parse, it is empty, its last line matches): when the file has not been written for the
  monitor's `settle`, and its content is the same.

So a good file costs one look, and a line that is wrong is told some 15 ms after it was written.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from waved.monitors.base import ASK_PAST, Baseline, ContentMonitor, Past, Verdict
from waved.monitors.content import Answer, Checks
from waved.monitors.inspector import Inspector

RECHECK = 0.010
"""Seconds between the first look that finds a fault and the second."""
REST = 0.020
"""Seconds at least between two looks at a file that is being written all the time; more where a look takes long."""
MOST_REMEMBERED = 100_000
"""Files of which it is remembered that they were good."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a monitor says of a file now; `verdict` None: nothing is wrong."""

    monitor: str
    path: str
    verdict: Verdict | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What could not be looked for in a file, and why."""

    path: str
    pattern: str
    """"" when the inspector did not survive the file."""


@dataclass(slots=True)
class _File:
    changed: float
    asked: int = 0
    """Number of the request under way; 0: none."""
    asked_at: float = 0.0
    dirty: bool = False
    """Written since it was asked about."""
    queued: bool = False
    due: float = 0.0
    """When it is looked at next; 0: no appointment."""
    waiting: Answer | None = None
    """What was read, while the file's past is being looked up."""
    seen: dict[str, tuple[Verdict, bytes, float]] = field(default_factory=dict)
    """By monitor: the fault the look before found, in which content, and when."""


class Judging:
    """The files under examination. Belongs to the engine's thread."""

    def __init__(
        self, monitors: Sequence[ContentMonitor], inspector: Inspector, baseline: Baseline, clock: Callable[[], float]
    ) -> None:
        self._monitors = monitors
        self._inspector = inspector
        self._baseline = baseline
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._queue: deque[str] = deque()
        self._appointments: list[tuple[float, str]] = []
        self._requests: dict[int, tuple[str, bool]] = {}
        self._pasts: dict[str, Past] = {}
        self._good: dict[str, bool] = {}
        self._tired: dict[str, int] = {}
        self._hurry = False

    def wants(self, path: str) -> bool:
        """Whether any monitor looks at the file."""
        return any(monitor.wants(path) for monitor in self._monitors)

    def changed(self, path: str) -> None:
        """The file was written, or removed."""
        now = self._clock()
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _File(now)
        file.changed = now
        file.dirty = True
        if file.asked or file.waiting is not None:
            return
        if not file.due:
            self._enqueue(path, file)
        elif file.due > now + REST:
            # It waits for a slower monitor to believe a fault; this write may be one that is believed sooner.
            self._appoint(path, file, max(now, file.asked_at + REST))

    def hurry(self, wanted: bool) -> None:
        """Do not wait for files to settle."""
        self._hurry = wanted
        if wanted:
            now = self._clock()
            for path, file in self._files.items():
                if file.due > now + RECHECK:
                    self._appoint(path, file, now + RECHECK)

    def had_content(self, path: str) -> bool:
        """Whether there was something in the file when it was last found good; may be asked by any thread."""
        return self._good.get(path, False)

    @property
    def idle(self) -> bool:
        """Whether every change has been judged."""
        return not self._files

    def unjudged(self) -> Iterator[str]:
        """Files that have not been judged yet."""
        return iter(self._files)

    def deadline(self) -> float | None:
        """When `step` has something to do even if the inspector says nothing."""
        times = [when for when in (self._inspector.deadline,) if when is not None]
        if self._appointments:
            times.append(self._appointments[0][0])
        return min(times) if times else None

    def give_up(self) -> None:
        """Give up what is under examination: it cannot be examined."""
        self._files.clear()
        self._queue.clear()
        self._appointments.clear()
        self._requests.clear()
        self._inspector.close()

    def step(self) -> Iterator[Result | Hindrance]:
        """Take in the inspector's answers, keep appointments, ask on. Raises ResourceError without an inspector."""
        for number, answer in self._inspector.answers():
            path, is_past = self._requests.pop(number, ("", False))
            file = self._files.get(path)
            if file is None:
                continue
            if is_past:
                self._remember_past(path, Past(loaded=True, known=True, first=answer))
                waiting, file.waiting = file.waiting, None
                if waiting is not None:
                    yield from self._ruled(path, file, waiting)
            else:
                yield from self._looked(path, file, answer)
        now = self._clock()
        while self._appointments and self._appointments[0][0] <= now:
            due, path = heapq.heappop(self._appointments)
            file = self._files.get(path)
            if file is not None and file.due == due:
                file.due = 0.0
                self._enqueue(path, file, first=True)
        self._ask()

    # --- looking --------------------------------------------------------------------------------------------------

    def _enqueue(self, path: str, file: _File, *, first: bool = False) -> None:
        if not file.queued:
            file.queued = True
            (self._queue.appendleft if first else self._queue.append)(path)

    def _appoint(self, path: str, file: _File, when: float) -> None:
        file.due = when
        heapq.heappush(self._appointments, (when, path))

    def _ask(self) -> None:
        while self._queue and not self._inspector.full:
            path = self._queue.popleft()
            file = self._files.get(path)
            if file is None:
                continue
            file.queued = file.dirty = False
            file.asked = self._inspector.ask(path, self._checks(path))
            file.asked_at = self._clock()
            self._requests[file.asked] = (path, False)

    def _checks(self, path: str) -> Checks:
        wanted = Checks()
        for monitor in self._monitors:
            if monitor.wants(path):
                wanted |= monitor.checks()
        rested = tuple(pattern for pattern in wanted.patterns if self._tired.get(pattern, 0) < 3)
        return Checks(rested, wanted.markers, wanted.parse)

    def _looked(self, path: str, file: _File, answer: Answer) -> Iterator[Result | Hindrance]:
        file.asked = 0
        for pattern in answer.slow:
            self._tired[pattern] = self._tired.get(pattern, 0) + 1
            yield Hindrance(path, pattern)
        if answer.state == "died":
            yield Hindrance(path, "")
        yield from self._ruled(path, file, answer)

    def _ruled(self, path: str, file: _File, answer: Answer) -> Iterator[Result]:
        past = self._past(path)
        rulings = [(each, each.judge(path, answer, past)) for each in self._monitors if each.wants(path)]
        if any(ruling == ASK_PAST for _, ruling in rulings) and not past.loaded:
            if self._load_past(path):
                file.waiting = answer
                return
            past = self._past(path)
            rulings = [(each, each.judge(path, answer, past)) for each in self._monitors if each.wants(path)]
        now = self._clock()
        again: list[float] = []
        if file.dirty:
            again.append(now + max(REST, 4 * (now - file.asked_at)))
        for monitor, ruling in rulings:
            if not isinstance(ruling, Verdict):
                file.seen.pop(monitor.label, None)
                if not file.dirty:
                    yield Result(monitor.label, path, None, answer.digest)
                continue
            appointed = self._when_believed(monitor, file, ruling, answer, now)
            if appointed is None:
                yield Result(monitor.label, path, ruling, answer.digest)
            else:
                again.append(appointed)
        if again:
            self._appoint(path, file, min(again))
            return
        del self._files[path]
        if answer.state == "read" and not any(isinstance(ruling, Verdict) for _, ruling in rulings):
            self._remember_good(path, content=not answer.blank)

    def _when_believed(
        self, monitor: ContentMonitor, file: _File, verdict: Verdict, answer: Answer, now: float
    ) -> float | None:
        """When to look again before the fault is believed; None: it is believed now."""
        before = file.seen.get(monitor.label)
        settled = self._hurry or now - file.changed >= monitor.settle
        if before is not None and now - before[2] >= RECHECK / 2:
            same_content = before[1] == answer.digest and not file.dirty
            if before[0].key == verdict.key and (verdict.at_once or (same_content and settled)):
                return None
            if same_content:
                return max(file.changed + monitor.settle, now + RECHECK)
        file.seen[monitor.label] = (verdict, answer.digest, now)
        if verdict.at_once or self._hurry:
            return now + RECHECK
        return max(file.changed + monitor.settle, now + RECHECK)

    # --- what was before ------------------------------------------------------------------------------------------

    def _past(self, path: str) -> Past:
        content = self._good.get(path)
        past = self._pasts.get(path, Past())
        if content is None:
            return past
        return Past(sound=True, content=content, loaded=past.loaded, known=past.known, first=past.first)

    def _load_past(self, path: str) -> bool:
        """Begin to look up what the file was when the session began; False: there is nothing to be read."""
        try:
            data = self._baseline(path)
        except LookupError:
            self._remember_past(path, Past(loaded=True))
            return False
        if data is None:
            self._remember_past(path, Past(loaded=True, known=True))
            return False
        self._requests[self._inspector.ask(path, self._checks(path), data)] = (path, True)
        return True

    def _remember_past(self, path: str, past: Past) -> None:
        if len(self._pasts) >= MOST_REMEMBERED // 10:
            self._pasts.clear()
        self._pasts[path] = past

    def _remember_good(self, path: str, *, content: bool) -> None:
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[path] = content
