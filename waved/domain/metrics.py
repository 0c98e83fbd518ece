"""Measured facts of a session (requirement S1), derived from its state. Definitions: docs/metrics.md.

A metric with nothing to measure is None, never 0 or 100 % (S6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from waved.domain.state import Run, Session, WaveState


@dataclass(frozen=True, slots=True)
class Metrics:
    """S1 of a session. Times in seconds."""

    skew: float | None
    """The largest start skew of its waves."""
    speedup: float | None
    """`sequential_seconds` over `wall_seconds`."""
    parallel_rate: float | None
    """Share (0–1) of the assignments free to run at once that did."""
    sequential_seconds: float | None
    """What all runs of agents would have taken one after another."""
    wall_seconds: float | None
    """Time during which at least one agent ran."""

    def as_dict(self) -> dict[str, Any]:
        """For the wire."""
        return asdict(self)


def runs_of(session: Session, wave: WaveState) -> list[Run]:
    """All runs of agents (not of checks) in a wave, in the order they were decided."""
    return [run for key in wave.keys for run in session.nodes[key].runs]


def skew(runs: Iterable[Run]) -> float | None:
    """Seconds between the first and the last exec of the runs whose start was decided first, together.

    None when fewer than two agents were started together.
    """
    started = [(run.decided, run.started) for run in runs if run.started is not None]
    first = min((decided for decided, _ in started), default=None)
    times = [exec_time for decided, exec_time in started if decided == first]
    return max(times) - min(times) if len(times) > 1 else None


def spans(runs: Iterable[Run], now: float) -> list[tuple[float, float]]:
    """(start, end) of each run that was started; a run that goes on ends now."""
    return [
        (run.started, max(run.started, run.ended if run.ended is not None else now))
        for run in runs
        if run.started is not None
    ]


def covered(times: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one of the spans was open."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(times):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def peak(times: Sequence[tuple[float, float]]) -> int:
    """The largest number of spans open at one instant (a span that ends as another begins does not overlap it)."""
    changes = sorted([(start, 1) for start, _ in times] + [(stop, -1) for _, stop in times])
    best = level = 0
    for _, change in changes:
        level += change
        best = max(best, level)
    return best


def measure(session: Session, now: float) -> Metrics:
    """S1 over all waves so far; what still runs counts up to `now`."""
    skews: list[float] = []
    sequential = wall = 0.0
    together = free = 0
    for wave in session.waves:
        runs = runs_of(session, wave)
        times = spans(runs, now)
        if not times:
            continue
        wave_skew = skew(runs)
        if wave_skew is not None:
            skews.append(wave_skew)
        sequential += sum(end - start for start, end in times)
        wall += covered(times)
        here = set(wave.keys)
        independent = [node for key in wave.keys if not here.intersection((node := session.nodes[key]).requires)]
        if len(independent) > 1:
            free += len(independent)
            together += peak(spans((run for node in independent for run in node.runs), now))
    return Metrics(
        skew=max(skews, default=None),
        speedup=sequential / wall if wall > 0 else None,
        parallel_rate=together / free if free else None,
        sequential_seconds=sequential if wall > 0 else None,
        wall_seconds=wall if wall > 0 else None,
    )
