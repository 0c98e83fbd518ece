"""The timeline as it grows: what it takes, beside what it would have taken one after another; a bar for each agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavectl.top.ink import Ink, fit
from wavectl.top.looking import Looking
from wavectl.views.pauses import BREAK, axis_of
from wavectl.views.responders import responders_in
from wavectl.views.text import cut, one_line, visible
from wavectl.views.words import glyph, word_of
from waved.amounts import lasting
from waved.domain.pauses import Axis

_EIGHTHS = " ▏▎▍▌▋▊▉"
_LETTERS = {"ok": "━", "going": "━", "bad": "╍", "still": "┄"}
"""Of a bar: how a run went is not said by its colour alone."""
_LABEL = "one after another"


@dataclass(frozen=True, slots=True)
class Bar:
    """The runs of one assignment; times are seconds after the first start of the session."""

    key: str
    word: str
    runs: tuple[tuple[float, float, str], ...]
    """(from, to, how it went: ok, bad, going)."""
    marks: tuple[float, ...]
    """When something was found of it."""
    counts: bool = True
    """It is of an assignment: what a reaction has started is no part of the work that is compared."""

    @property
    def took(self) -> float:
        """Seconds in all."""
        return sum(end - start for start, end, _ in self.runs)


def bars_of(view: dict[str, Any], now: float) -> tuple[list[tuple[str, list[Bar]]], float, float]:
    """Bars by wave, seconds since the first start, and seconds of all runs one after another."""
    starts = [
        run["started"] for wave in view["waves"] for one in wave["assignments"] for run in one["runs"]
        if run["started"] is not None
    ]  # fmt: skip
    if not starts:
        return [], 0.0, 0.0
    zero = min(starts)
    found: dict[str, list[float]] = {}
    for finding in view.get("findings", ()):
        if finding["assignment"]:
            found.setdefault(finding["assignment"], []).append(finding["made"] - zero)
    waves = []
    last = 0.0
    for wave in view["waves"]:
        bars = []
        responders = responders_in(view, wave["name"])
        for one in (*wave["assignments"], *responders):
            runs = tuple(
                (run["started"] - zero, max(_end(run, now), run["started"]) - zero, _how(run))
                for run in one["runs"] if run["started"] is not None
            )  # fmt: skip
            if runs:
                last = max(last, *(end for _, end, _ in runs))
                counts = one not in responders
                bars.append(Bar(one["key"], word_of(one), runs, tuple(found.get(one["key"], ())), counts))
        if bars:
            waves.append((wave["name"], bars))
    whole = last if view["state"] == "ended" else max(last, now - zero)
    return waves, whole, sum(bar.took for _, bars in waves for bar in bars if bar.counts)


def _end(run: dict[str, Any], now: float) -> float:
    return float(run["ended"] if run["ended"] is not None else now)


def _how(run: dict[str, Any]) -> str:
    if run["ended"] is None:
        return "still" if run["frozen"] else "going"
    return "ok" if run["outcome"] == "exited" and run["exit_code"] == 0 else "bad"


def lines_of(view: dict[str, Any]) -> int:
    """How many lines it has."""
    started = [sum(1 for one in wave["assignments"] if one["runs"]) for wave in view["waves"]]
    responders = sum(1 for one in view.get("responders", ()) if one["runs"])
    return 4 + responders + sum(count + 1 for count in started if count)


def draw(view: dict[str, Any], ink: Ink, width: int, room: int, now: float, looking: Looking | None) -> list[str]:
    """The picture in `room` lines; `looking`: it can be scrolled, else what goes on is in sight."""
    waves, whole, sequential = bars_of(view, now)
    if not waves:
        return ["", f"   {ink('nothing has started yet', 'dim')}"]
    axis = _axis_of(view, whole, now)
    lines = summary(ink, width, whole, sequential)
    names = min(max(visible(bar.key) for _, bars in waves for bar in bars), max(10, width // 3), 30)
    cells = max(10, width - names - 14)
    rows: list[str] = []
    going = 0
    for name, bars in waves:
        rows.append(f" {ink(one_line(name), 'bold')}")
        for bar in bars:
            if any(how in ("going", "still") for *_, how in bar.runs):
                going = len(rows)
            rows.append(_bar(bar, ink, names, cells, axis))
    lines.append(ink(f"   {' ' * names} {_times(cells, axis)}", "dim"))
    rest = max(1, room - len(lines))
    if looking is None:
        first = max(0, min(going - rest + 1, len(rows) - rest)) if len(rows) > rest else 0
    else:
        first = looking.first["timeline"] = max(0, min(looking.first.get("timeline", 0), len(rows) - rest))
    shown = rows[first : first + rest]
    if first + rest < len(rows) and shown:
        more = len(rows) - first - rest + 1
        shown[-1] = ink(f"   … {more} more" + (" (↓)" if looking is not None else ""), "dim")
    return [cut(line, width) for line in [*lines, *shown]]


def summary(ink: Ink, width: int, whole: float, sequential: float) -> list[str]:
    """Both on one scale."""
    cells = max(8, width - len(_LABEL) - 26)
    scale = max(whole, sequential) or 1.0
    faster = f"  {sequential / whole:.1f}× faster" if whole > 0 and sequential > whole * 1.05 else ""
    return [
        f" {_LABEL} {fit(ink(_block(0.0, sequential / scale * cells), 'dim'), cells)} {lasting(sequential)}",
        f" {fit('in parallel', len(_LABEL))} {fit(ink(_block(0.0, whole / scale * cells), 'green'), cells)} "
        f"{lasting(whole)}{ink(faster, 'green')}",
    ]


def _axis_of(view: dict[str, Any], whole: float, now: float) -> Axis:
    """From the first start on."""
    zero = min(
        run["started"] for wave in view["waves"] for one in wave["assignments"] for run in one["runs"]
        if run["started"] is not None
    )  # fmt: skip
    return axis_of(view, zero, zero + whole, now)


def _times(cells: int, axis: Axis) -> str:
    """Times under their places: the beginning, quarters or pauses where there is room, and the end."""
    whole = axis.end - axis.start
    line = ""
    if axis.pauses:
        texts = [(_cell(axis, each.start, cells), f"{BREAK}… {lasting(each.seconds)} …") for each in axis.pauses]
    else:
        marks = 4 if cells >= 48 else 2
        texts = [(cells * number // marks, f"│{lasting(whole * number / marks)}") for number in range(1, marks)]
    end = f"{lasting(whole)}│"
    for at, text in [(0, "│0s"), *texts]:
        if at >= visible(line) and at + visible(text) + len(end) < cells:
            line = fit(line, at) + text
    return fit(line, cells - len(end)) + end


def _cell(axis: Axis, time: float, cells: int) -> int:
    """The column in which an instant is drawn; of a pause, the one in its middle."""
    at = axis.at(time) + (axis.drawn / 2 if any(time == pause.start for pause in axis.pauses) else 0.0)
    return min(cells - 1, int(at / axis.length * cells)) if axis.length > 0 else 0


def _bar(bar: Bar, ink: Ink, names: int, cells: int, axis: Axis) -> str:
    scale = cells / axis.length if axis.length > 0 else 0.0
    drawn: list[str] = [" "] * cells
    styles: list[str] = [""] * cells
    colours = {"ok": "green", "bad": "red", "going": "cyan", "still": "blue"}
    for start, end, how in bar.runs:
        begin = min(int(axis.at(axis.start + start) * scale), cells - 1)
        until = max(begin + 1, min(cells, round(axis.at(axis.start + end) * scale)))
        for at in range(begin, until):
            drawn[at], styles[at] = _LETTERS[how], colours[how]
    for pause in axis.pauses:
        at = _cell(axis, pause.start, cells)
        drawn[at], styles[at] = BREAK, "dim"
    for moment in bar.marks:
        at = min(max(int(axis.at(axis.start + moment) * scale), 0), cells - 1)
        drawn[at], styles[at] = "!", "yellow"
    stroke, at = "", 0
    while at < cells:
        until = at
        while until < cells and styles[until] == styles[at]:
            until += 1
        stroke += ink("".join(drawn[at:until]), styles[at])
        at = until
    again = f" #{len(bar.runs)}" if len(bar.runs) > 1 else ""
    name = fit(one_line(bar.key), names)
    return f" {glyph(bar.word, ink)} {name} {stroke} {lasting(bar.took)}{ink(again, 'yellow')}"


def _block(offset: float, length: float) -> str:
    """A bar with its end to an eighth of a column; never nothing, however short."""
    whole, part = divmod(round((offset + length) * 8), 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")) or "▏"
