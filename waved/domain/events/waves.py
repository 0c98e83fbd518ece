"""Waves, gates and their checks."""

from __future__ import annotations

from dataclasses import dataclass, field

from waved.domain.events.base import Event


@dataclass(slots=True)
class WaveStarted(Event, kind="wave.started"):
    """A wave begins; its ready agents start at once."""

    wave: str


@dataclass(slots=True)
class WaveRetried(Event, kind="wave.retried"):
    """The wave's gate failed and its policy is retry: these assignments run again, each told why."""

    wave: str
    assignments: dict[str, str]
    """Why, by assignment."""
    gate_attempt: int
    reaction: str = ""
    """What put the wave back to its beginning, where it was no gate: then it counts against no `retries`."""


@dataclass(slots=True)
class WaveEnded(Event, kind="wave.ended"):
    """`outcome`: passed, unverified (nothing was there to check), failed, stopped, timed-out."""

    wave: str
    outcome: str
    reason: str = ""


@dataclass(slots=True)
class GateStarted(Event, kind="gate.started", intent=True):
    """The checks of a wave (`assignment` empty) or of one assignment begin."""

    gate: str
    wave: str
    assignment: str = ""
    checks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CheckStarted(Event, kind="check.started", intent=True):
    """Check number `index` of a gate is looked at by waved itself (guards, outputs); commands are runs."""

    gate: str
    index: int


@dataclass(slots=True)
class CheckEnded(Event, kind="check.ended"):
    """One check's verdict; `tests` = {total, passed, failed, skipped} where JUnit XML was read."""

    gate: str
    index: int
    ok: bool
    name: str = ""
    detail: str = ""
    tests: dict[str, int] | None = None
    files: list[str] = field(default_factory=list)
    """Of a check of outputs: the first 200 files that were found, relative to the workspace."""


@dataclass(slots=True)
class GuardCaughtUp(Event, kind="guard.caught-up"):
    """For a check `guards`: every change made before the check began is judged, and what was found is told; `error`
    says why that could not be done.
    """

    gate: str
    index: int
    files: int = 0
    """How many files were judged since the guard began."""
    error: str = ""


@dataclass(slots=True)
class GateEnded(Event, kind="gate.ended"):
    """`verdict`: passed, failed, unverified."""

    gate: str
    wave: str
    verdict: str
    assignment: str = ""
    reason: str = ""
    reaction: str = ""
    """What put an end to it before it had spoken."""
