"""After a restart: what became of the runs that were under way (invariants 2, 6).

For each run without an end in the journal: its worker lives (it holds the lock of the run's folder) → connect to it;
its exit record is there → that is its end; neither → nobody can say, unless its folder was never made: then it was
never started, for certain, and making the folder now keeps anybody from starting it late.
"""

from __future__ import annotations

from pathlib import Path

from waved.domain import events as ev
from waved.domain.state import Run
from waved.pool import record


def end_of(session: str, run: Run, folder: Path) -> ev.RunEnded | None:
    """How a run ended whose worker is gone; None while a worker lives."""
    if record.is_locked(folder):
        return None
    left = record.read_exit(folder)
    if left is not None:
        return ended_event(session, run.id, left)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if record.is_locked(folder):
            return None
        return ev.RunEnded(session, run.id, "lost", reason="its worker died with waved and left no exit record")
    except OSError as error:
        return ev.RunEnded(session, run.id, "lost", reason=f"its folder cannot be read: {error.strerror}")
    return ev.RunEnded(session, run.id, "withdrawn", reason="waved ended before the start")


def ended_event(session: str, run: str, left: dict[str, object]) -> ev.RunEnded:
    """The event of an exit record."""
    known = {
        name: left[name]
        for name in (
            "exit_code",
            "signal",
            "reason",
            "output_bytes",
            "dropped_bytes",
            "tail",
            "leftovers",
            "cpu_seconds",
            "max_rss",
        )
        if name in left
    }
    ended = left.get("ended")
    end_time = float(ended) if isinstance(ended, (int, float)) else 0.0
    return ev.RunEnded(session, run, str(left["outcome"]), end_time=end_time, **known)  # type: ignore[arg-type]
