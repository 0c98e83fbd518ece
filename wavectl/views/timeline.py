"""The timeline as the workflow document draws it: the agents one after another, and in parallel as they ran (S1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wavectl.views.pauses import BREAK, axis_of, label
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


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A bar where it is drawn, in seconds of the axis, on which long pauses are short."""

    bar: Bar
    at: float
    length: float
    breaks: list[float] = field(default_factory=list)
    """Where a pause is, in its row."""


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
    first, last = min(bar.start for bar in bars), max(bar.end for bar in bars)
    axis = axis_of(view, first, last, view["now"])
    middles = [axis.at(pause.start) + axis.drawn / 2 for pause in axis.pauses]
    sequential, at = [], 0.0
    for bar in bars:
        length, start = axis.between(bar.start, bar.end), axis.at(bar.start)
        inside = [at + middle - start for middle in middles if start < middle < start + length]
        sequential.append(_Drawn(bar, at, length, inside))
        at += length
    parallel = [_Drawn(bar, axis.at(bar.start), axis.between(bar.start, bar.end), middles) for bar in bars]
    scale = max(at, axis.length)
    if scale <= 0:
        return []
    whole, elapsed = sum(bar.end - bar.start for bar in bars), last - first
    saved = f"  ({(whole - elapsed) / whole:.0%} less)" if 0 < elapsed < whole * 0.995 else ""
    paused = f"  {paint(label(axis), 'dim')}" if axis.pauses else ""
    lines = [f"{paint('one after another', 'bold')}  {lasting(whole)}"]
    lines += _picture(sequential, scale, paint, width, "dim")
    lines += ["", f"{paint('in parallel', 'bold')}  {lasting(elapsed)}{paint(saved, 'green')}{paused}"]
    lines += _picture(parallel, scale, paint, width, "green")
    return lines


def _picture(rows: list[_Drawn], scale: float, paint: Paint, width: int, colour: str) -> list[str]:
    shown = rows[:_MOST_BARS]
    names = min(max(len(row.bar.label) for row in shown), 28, max(8, width // 3))
    room = max(10, width - names - 14)
    lines = []
    for row in shown:
        start = row.at / scale * room
        drawn = " " * int(start) + _block(start % 1, row.length / scale * room)
        drawn = pad(drawn[:room], room)
        for middle in row.breaks:
            cell = min(room - 1, int(middle / scale * room))
            drawn = drawn[:cell] + BREAK + drawn[cell + 1 :]
        stroke = paint(drawn, colour if row.bar.good else "red")
        lines.append(f"  {pad(cut(row.bar.label, names), names)} |{stroke}| {lasting(row.bar.end - row.bar.start)}")
    if len(rows) > len(shown):
        lines.append(paint(f"  … and {len(rows) - len(shown)} more", "dim"))
    return lines


def _block(offset: float, length: float) -> str:
    """A bar with its end to an eighth of a column; never nothing, however short."""
    whole, part = divmod(round((offset + length) * 8), 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")) or "▏"
