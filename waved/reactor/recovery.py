"""After a restart: how a run ended whose worker is gone (invariants 2, 6).

For each run without an end in the journal: its worker lives (it holds the lock of the run's folder) → connect to it;
its exit record is there → that is its end; neither → nobody can say, unless its folder was never made, or its worker
died before it came to the start: then it was never started, for certain. Making a folder that is not there keeps
anybody from starting the run late.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from waved.domain import events as ev
from waved.domain.state import Run
from waved.pool import record, survivors
from waved.pool.launch import SHORTAGES

_FIELDS = (
    "exit_code",
    "signal",
    "reason",
    "output_bytes",
    "dropped_bytes",
    "rotated_bytes",
    "tail",
    "leftovers",
    "cpu_seconds",
    "max_rss",
    "memory_peak",
    "judged",
    "cause",
    "reset_at",
    "last_words",
    "acted",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """How a run ended: its exit record, or `lost` or `withdrawn` with a reason."""

    outcome: str
    reason: str = ""
    record: dict[str, Any] | None = None


def find(run: Run, folder: Path) -> Finding | None:
    """How a run ended whose worker is gone; None while a worker lives, or it cannot be seen (disk, descriptors)."""
    try:
        return _find(run, folder)
    except OSError as error:
        if error.errno in SHORTAGES:
            return None
        return Finding("lost", f"its folder cannot be read: {error.strerror}")


def _find(run: Run, folder: Path) -> Finding | None:
    if record.is_locked(folder):
        return None
    left = record.read_exit(folder)
    if left is not None and left["run"] == run.id:
        return Finding(left["outcome"], record=left)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if record.is_locked(folder):
            return None
        if survivors.never_began(folder):
            return Finding("withdrawn", "its worker died before the start")
        return Finding("lost", "its worker died with waved and left no exit record")
    return Finding("withdrawn", "waved ended before the start")


def started_event(session: str, run: str, left: dict[str, Any]) -> ev.RunStarted | None:
    """When the run of an exit record began; None when it never did."""
    started = left.get("started")
    if not isinstance(started, (int, float)) or not left.get("pid"):
        return None
    return ev.RunStarted(session, run, int(left["pid"]), float(started))


def ended_event(session: str, run: str, left: dict[str, Any]) -> ev.RunEnded:
    """The end of a run as its exit record tells it."""
    known = {name: left[name] for name in _FIELDS if name in left}
    ended = left.get("ended")
    end_time = float(ended) if isinstance(ended, (int, float)) else 0.0
    return ev.RunEnded(session, run, str(left["outcome"]), end_time=end_time, **known)


_ACTED = frozenset(item.name for item in fields(ev.RunActed)) - {"session", "run", "seq", "time"}


def acted_event(session: str, run: str, told: dict[str, Any]) -> ev.RunActed:
    """What a worker tells of a run that goes on; what a newer one tells besides is left out."""
    return ev.RunActed(session, run, **{name: value for name, value in told.items() if name in _ACTED})
