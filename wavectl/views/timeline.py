"""The timeline as the workflow document draws it: the agents one after another, and in parallel as they ran (S1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavectl.views.text import Paint, cut, pad
from waved.amounts import lasting

_MOST_BARS = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Bar:
    """One run of an agent; times in unix seconds."""

    label: str
    start: float
    end: float
    good: bool


def bars_of(view: dict[str, Any]) -> list[Bar]:
    """A bar for each run that was started, in the order of starts; one that goes on ends now."""
    found = []
    for wave in view["waves"]:
        for assignment in wave["assignments"]:
            for run in assignment["runs"]:
                if run["started"] is not None:
                    label = assignment["key"] + (f" #{run['attempt']}" if run["attempt"] > 1 else "")
                    good = run["outcome"] == "exited" and run["exit_code"] == 0
                    end = run["ended"] if run["ended"] is not None else view["now"]
                    found.append(Bar(label, run["started"], max(end, run["started"]), good or run["ended"] is None))
    return sorted(found, key=lambda bar: bar.start)


def draw(view: dict[str, Any], paint: Paint, width: int) -> list[str]:
    """Both pictures on one scale, or nothing when fewer than two runs were started."""
    bars = bars_of(view)
    if len(bars) < 2:
        return []
    sequential, at = [], 0.0
    for bar in bars:
        length = bar.end - bar.start
        sequential.append(Bar(bar.label, at, at + length, bar.good))
        at += length
    first = min(bar.start for bar in bars)
    parallel = [Bar(bar.label, bar.start - first, bar.end - first, bar.good) for bar in bars]
    last = max(bar.end for bar in parallel)
    scale = max(at, last)
    if scale <= 0:
        return []
    saved = f"  ({(at - last) / at:.0%} less)" if 0 < last < at * 0.995 else ""
    lines = [f"{paint('one after another', 'bold')}  {lasting(at)}"]
    lines += _picture(sequential, scale, paint, width, "dim")
    lines += ["", f"{paint('in parallel', 'bold')}  {lasting(last)}{paint(saved, 'green')}"]
    lines += _picture(parallel, scale, paint, width, "green")
    return lines


def _picture(bars: list[Bar], scale: float, paint: Paint, width: int, colour: str) -> list[str]:
    shown = bars[:_MOST_BARS]
    names = min(max(len(bar.label) for bar in shown), 28, max(8, width // 3))
    room = max(10, width - names - 14)
    lines = []
    for bar in shown:
        start = bar.start / scale * room
        drawn = " " * int(start) + _block(start % 1, (bar.end - bar.start) / scale * room)
        drawn = pad(drawn[:room], room)
        stroke = paint(drawn, colour if bar.good else "red")
        lines.append(f"  {pad(cut(bar.label, names), names)} |{stroke}| {lasting(bar.end - bar.start)}")
    if len(bars) > len(shown):
        lines.append(paint(f"  … and {len(bars) - len(shown)} more", "dim"))
    return lines


def _block(offset: float, length: float) -> str:
    """A bar with its end to an eighth of a column; never nothing, however short."""
    whole, part = divmod(round((offset + length) * 8), 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")) or "▏"
