"""What monitors are told, what they report, and what a plug-in has to offer (requirements M2, M6, M8, P2).

A monitor looks and tells; it never changes the workspace, and never decides what follows.

Two shapes of monitor run on the thread of a session's `Engine`:

* `Monitor` is told which paths changed and by whom. It must not block; a plug-in gets a thread of its own.
* `ContentMonitor` wants to know what stands in a file. It says what is to be looked for; the inspector, a child
  process, reads the file; the monitor judges the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

from waved.monitors.content import Answer, Checks
from waved.plan.guards import MonitorBase
from waved.workspace.attribution import Running

__all__ = [
    "ASK_PAST",
    "GUARD",
    "RESTORED",
    "Baseline",
    "Batch",
    "Change",
    "ContentMonitor",
    "Factory",
    "Judged",
    "Kind",
    "Monitor",
    "Past",
    "Report",
    "Ruling",
    "Running",
    "Severity",
    "Sighting",
    "Site",
    "Verdict",
    "Watching",
]

Kind = Literal["added", "modified", "removed"]
Severity = Literal["info", "warning", "critical"]
MOST_EVIDENCE = 4096
"""Bytes of evidence a sighting carries (`finding.made`)."""
GUARD = "monitors"
"""The monitor of sightings about monitors themselves (a pattern without end, a plug-in that fails): they are told, and
nothing is done about them."""
RESTORED = "restored by waved"
"""`Change.how` of what waved itself brought back."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the workspace is not what it was."""

    path: str
    """Relative to the workspace, with "/"; bytes that are no UTF-8 as `os.fsdecode` gives them."""
    kind: Kind
    writer: str = ""
    """The assignment whose doing it is; "" when nobody can say."""
    how: str = ""
    """How that is known, for a person."""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a monitor saw, or (`cleared`) that it is so no longer. Becomes `finding.made` or `finding.cleared`."""

    monitor: str
    """The monitor's label: its name in the plan, or its kind."""
    summary: str
    severity: Severity = "warning"
    subject: str = ""
    """The path, else the assignment, else "" (the session). `cleared` means what was seen of the same subject."""
    path: str = ""
    line: int = 0
    """From 1; 0: no line in particular."""
    assignment: str = ""
    run: str = ""
    evidence: str = ""
    """What was seen, word for word, at most `MOST_EVIDENCE` bytes."""
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to `Engine.judge`: every change made before it was asked has been taken in and judged."""

    token: str
    bad: tuple[Sighting, ...] = ()
    """Everything that is open now."""
    problem: str = ""
    """Why it could not be judged ("the workspace was removed"); "" when it was."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the engine has to report since the batch before. Called for on the engine's own thread."""

    changes: tuple[Change, ...] = ()
    """Each path once, at most 1,000; becomes `files.changed`."""
    sightings: tuple[Sighting, ...] = ()
    problems: tuple[str, ...] = ()
    """What hinders the guard itself, for a person: "looks at all files every 2 s, because …". Each is said once."""
    judged: tuple[Judged, ...] = ()
    clean: bool = False
    """All changes so far have been judged, and nothing is open: now is a good time for a snapshot."""
    lost: str = ""
    """Why the workspace can be watched no longer ("was removed", "was replaced by a symbolic link"); said once."""


Baseline = Callable[[str], bytes | None]
"""A file's content when the session began; None: there was no such file. Raises LookupError when that is not known,
and may block for as long as reading one object from the snapshots takes."""


def _unknown(path: str) -> bytes | None:
    raise LookupError(path)


@dataclass(frozen=True, slots=True)
class Site:
    """Where an engine works."""

    workspace: Path
    private: Path
    """A folder of waved's own, outside the workspace, that exists."""
    session: str = ""
    baseline: Baseline = _unknown
    ignored: tuple[str, ...] = ()
    """Path patterns of the workspace that waved itself writes; changes there are not seen."""
    included: tuple[str, ...] = ()
    """Path patterns that are watched although git ignores them (`[snapshots] include`)."""


@runtime_checkable
class Monitor(Protocol):
    """What a monitor offers that is told of changes: one's own kind, made by `factory(settings, site)`.

    `settings` is the plan's table (`waved.plan.guards.PluginMonitor` for a plug-in). Calls come one at a time from one
    thread. A call that raises, or takes longer than `waved.monitors.isolation.PATIENCE`, is a sighting; after three of
    them the monitor is switched off.
    """

    interval: float | None
    """Seconds between two calls of `sweep` while agents run; None: never called."""

    def wants(self, path: str) -> bool:
        """Whether changes of this path are told."""
        ...

    def changed(self, changes: Sequence[Change]) -> Iterable[Sighting]:
        """What there is to say about these changes."""
        ...

    def sweep(self) -> Iterable[Sighting]:
        """What there is to say about all of the workspace."""
        ...


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a file before the change that is judged."""

    sound: bool = False
    """It has been found good in this session."""
    content: bool = False
    """There was something in it then."""
    loaded: bool = False
    """The session's first snapshot has been asked; `known` and `first` say what it knows."""
    known: bool = False
    """The snapshots tell; else neither whether the file existed nor what stood in it can be said."""
    first: Answer | None = None
    """The file as the session found it; None: it was not there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a file."""

    summary: str
    severity: Severity
    line: int
    evidence: str
    key: str
    """The same for the same fault, wherever in the file it has moved."""
    at_once: bool
    """It is no less a fault while the file is still being written; otherwise the file has to settle first."""


ASK_PAST: Final = "past"
"""A ruling: what the file was before has to be known first."""
Ruling = Verdict | Literal["past"] | None
"""None: nothing is wrong."""


class ContentMonitor(Protocol):
    """A monitor of what stands in files. Pure: it is given what the inspector has read."""

    label: str
    settle: float
    """Seconds without a write after which a fault that is not `at_once` counts."""
    waves: tuple[str, ...]

    def wants(self, path: str) -> bool:
        """Whether the file is looked at."""
        ...

    def checks(self) -> Checks:
        """What the inspector looks for."""
        ...

    def judge(self, path: str, answer: Answer, past: Past) -> Ruling:
        """What is wrong with the file, or `ASK_PAST` when `past` has to be loaded before that can be said."""
        ...


class Factory(Protocol):
    """What an entry point of `waved.monitors` names."""

    def __call__(self, settings: MonitorBase, site: Site) -> Monitor:
        """The monitor of one session."""
        ...


class Watching(Protocol):
    """What the reactor asks of a session's engine, `waved.monitors.engine.Engine(monitors, site, report)`.

    Every call returns at once and may come from any thread, but `is_good`, which waits for the inspector, and `close`,
    which waits for the engine's thread.
    """

    def start(self) -> None:
        """Begin to watch, on a thread of its own: `judge` is answered when every change from then on is seen."""
        ...

    def set_running(self, running: Sequence[Running]) -> None:
        """Who is at work from now on. Changes made before are attributed to who was at work before."""
        ...

    def wrote(self, assignment: str, path: str) -> None:
        """The assignment's own output says it wrote this path (absolute, or relative to the workspace)."""
        ...

    def judge(self, token: str) -> None:
        """Take in every change made so far, judge it without waiting for it to settle, and report `Judged(token)`."""
        ...

    def approve(self, monitor: str, path: str) -> None:
        """A person says the file is right as it is: the monitor is silent about it until it changes."""
        ...

    def is_good(self, monitor: str, path: str, data: bytes) -> bool:
        """Whether the monitor (its label) would find nothing in this version of the file."""
        ...

    def pause(self, paths: Iterable[str] | None) -> None:
        """waved itself is about to write these paths (None: any path): nobody's doing, and not judged."""
        ...

    def resume(self, paths: Iterable[str] | None) -> None:
        """It has written them. They are judged as they are now, which clears what was open about them."""
        ...

    def close(self) -> None:
        """Stop, and leave no thread, process or file behind."""
        ...


Report = Callable[[Batch], None]
"""Takes what an engine has to say; called on the engine's thread, must not block."""
