"""What is open: each thing that was seen is told once for each content of its file, and once more when it is over."""

from __future__ import annotations

from dataclasses import dataclass

from waved.monitors.base import GUARD, MOST_EVIDENCE, Sighting
from waved.monitors.judging import Hindrance, Result
from waved.workspace.attribution import Writer

MOST_HINDRANCES = 1000
"""Hindrances that are told in a session."""


@dataclass(frozen=True, slots=True)
class _Open:
    sighting: Sighting
    digest: bytes


class Ledger:
    """Sightings that are open, and contents a person approved."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}
        self._approved: dict[tuple[str, str], bytes] = {}
        self._hindrances: set[tuple[str, str]] = set()

    @property
    def open(self) -> tuple[Sighting, ...]:
        """Everything that is open."""
        return tuple(entry.sighting for entry in self._open.values())

    def judged(self, result: Result, writer: Writer) -> Sighting | None:
        """What there is to tell of a monitor's judgement of a file."""
        key = (result.monitor, result.path)
        verdict, entry = result.verdict, self._open.get(key)
        if self._approved.get(key, result.digest) != result.digest:
            del self._approved[key]
        if verdict is None:
            if entry is None:
                return None
            del self._open[key]
            return Sighting(
                result.monitor, f"{result.path} is good again", subject=result.path, path=result.path, cleared=True
            )
        if key in self._approved or (entry is not None and entry.digest == result.digest):
            return None
        sighting = Sighting(
            result.monitor,
            verdict.summary,
            verdict.severity,
            subject=result.path,
            path=result.path,
            line=verdict.line,
            assignment=writer.assignment,
            run=writer.run,
            evidence=shortened(verdict.evidence),
        )
        self._open[key] = _Open(sighting, result.digest)
        return sighting

    def told(self, sighting: Sighting) -> Sighting | None:
        """What a monitor that reads no files has to say, unless that is known."""
        if sighting.monitor == GUARD:
            return sighting
        key = (sighting.monitor, sighting.subject)
        if sighting.cleared:
            return sighting if self._open.pop(key, None) is not None else None
        if key in self._approved:
            return None
        entry = self._open.get(key)
        if entry is not None and entry.sighting == sighting:
            return None
        self._open[key] = _Open(sighting, b"")
        return sighting

    def hindered(self, hindrance: Hindrance) -> Sighting | None:
        """What there is to tell of a file that could not be looked at wholly."""
        key = (hindrance.path, hindrance.pattern)
        if key in self._hindrances or len(self._hindrances) >= MOST_HINDRANCES:
            return None
        self._hindrances.add(key)
        if hindrance.pattern:
            summary = f'the pattern "{hindrance.pattern[:200]}" takes too long on {hindrance.path}: it was given up'
        else:
            summary = f"reading {hindrance.path} ended the inspector: the file is not judged"
        return Sighting(GUARD, summary, subject=hindrance.path, path=hindrance.path, evidence=hindrance.pattern)

    def changed(self, path: str) -> None:
        """The file was written: what was approved of it without its content being known is so no longer."""
        for key in [key for key, digest in self._approved.items() if key[1] == path and not digest]:
            del self._approved[key]

    def approve(self, monitor: str, subject: str) -> None:
        """A person says that what is open is right as it is."""
        entry = self._open.pop((monitor, subject), None)
        if entry is not None:
            self._approved[(monitor, subject)] = entry.digest


def shortened(evidence: str) -> str:
    """At most `MOST_EVIDENCE` bytes of it."""
    data = evidence.encode("utf-8", "replace")
    return data[: MOST_EVIDENCE - 4].decode("utf-8", "ignore") + " …" if len(data) > MOST_EVIDENCE else evidence
