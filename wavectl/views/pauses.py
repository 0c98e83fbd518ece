"""When a session's view says that somebody worked, and so where its long pauses are (`waved.domain.pauses`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wavectl.views.used import everyone
from waved.amounts import lasting
from waved.domain.pauses import Axis, Span, without

BREAK = "┊"
"""Where a pause is drawn short."""


def axis_of(view: dict[str, Any], start: float, end: float, now: float) -> Axis:
    """The time axis of its pictures; all times are the daemon's."""
    return Axis(_busy(view, now), start, end)


def label(axis: Axis) -> str:
    """What is said of the pauses of a picture: "┊ 7h50m in which nothing was done"; "" where there are none."""
    if not axis.pauses:
        return ""
    return f"{BREAK} {' and '.join(lasting(each.seconds) for each in axis.pauses[:3])} in which nothing was done"


def _busy(view: dict[str, Any], now: float) -> Iterator[Span]:
    for one in everyone(view):
        for run in one["runs"]:
            if run["started"] is not None:
                # A daemon of an older version does not tell since when a run stands still.
                still = [(since, now if until is None else until) for since, until in run.get("stood", ())]
                yield from without((run["started"], now if run["ended"] is None else run["ended"]), still)
    for wave in view["waves"]:
        ends = [run["ended"] for one in wave["assignments"] for run in one["runs"] if run["ended"] is not None]
        if ends and wave["gate"] and wave["gate"]["checks"]:
            judging = now if wave["state"] == "gate" and view["state"] != "held" else None
            yield max(ends), wave["ended"] or judging or max(ends)
