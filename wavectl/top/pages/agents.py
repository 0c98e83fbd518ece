"""The agents of a session: state, tool, time against its limit, tokens, cost, files, attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavectl.top.ink import Ink, bare, fit
from wavectl.top.looking import Looking, window
from wavectl.top.rows import Row, fitting, ordered, rows_of
from wavectl.views.text import cut, one_line, visible
from wavectl.views.used import amount
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting

_TIME, _GAUGE, _TOKENS, _COST, _FILES, _TRY = 10, 8, 6, 7, 5, 3
_ROOMY = 100
"""Columns from which there is room for the cost, a gauge of the time, and the longest word for a state."""


@dataclass(frozen=True, slots=True)
class Line:
    """A wave's title, or an agent."""

    wave: dict[str, Any] | None = None
    row: Row | None = None


def is_closed(view: dict[str, Any], wave: dict[str, Any], looking: Looking) -> bool:
    """Whether only the title of a wave is shown: what is over and went well, while the session goes on."""
    if wave["name"] in looking.opened:
        return not looking.opened[wave["name"]]
    if len(view["waves"]) == 1 or wave["state"] != "ended" or view["state"] == "ended":
        return False
    return all(one["outcome"] == "succeeded" for one in wave["assignments"])


def lines_of(view: dict[str, Any], looking: Looking, now: float) -> list[Line]:
    """What is listed: agents under their waves in the plan's order; in any other order, or filtered, agents alone."""
    rows = rows_of(view, now)
    if looking.wanted or looking.order != "plan":
        return [Line(row=row) for row in ordered(fitting(rows, looking.wanted), looking.order)]
    if len(view["waves"]) == 1:
        return [Line(wave=view["waves"][0]), *(Line(row=row) for row in rows)]
    found: list[Line] = []
    for wave in view["waves"]:
        found.append(Line(wave=wave))
        if not is_closed(view, wave, looking):
            found += [Line(row=row) for row in rows if row.wave == wave["name"]]
    return found


def names_of(lines: list[Line]) -> list[str]:
    """What can be chosen: agents by name, waves as "/NAME"."""
    return [f"/{line.wave['name']}" if line.wave is not None else line.row.key if line.row else "" for line in lines]


def first_choice(view: dict[str, Any], looking: Looking, now: float) -> str:
    """Who is chosen when nobody was: in the wave under way the first agent that runs, else its first."""
    rows = rows_of(view, now)
    here = next((wave["name"] for wave in view["waves"] if wave["state"] in ("running", "gate")), "")
    shown = {line.row.key for line in lines_of(view, looking, now) if line.row is not None}
    inside = [row.key for row in rows if row.key in shown]
    inside = [row.key for row in rows if row.wave == here and row.key in shown] or inside
    running = (row.key for row in rows if row.wave == here and row.key in shown and row.word == "running")
    return next(running, inside[0] if inside else "")


def draw(view: dict[str, Any], looking: Looking, ink: Ink, width: int, room: int, now: float) -> list[str]:
    """The list in `room` lines."""
    lines = lines_of(view, looking, now)
    rows = [line.row for line in lines if line.row is not None]
    if not lines:
        said = "no agent has these words; Esc shows all" if looking.wanted else "no agents"
        return ["", f"   {ink(said, 'dim')}"]
    if looking.agent not in names_of(lines):
        looking.agent = first_choice(view, looking, now) or names_of(lines)[0]
    shape = Shape.of(rows, width)
    rest = room - 1
    chosen = names_of(lines).index(looking.agent)
    first = looking.first["agents"] = window(len(lines), chosen, rest, looking.first.get("agents", 0))
    found = [ink(fit(shape.heads(), width), "dim")]
    for at, line in enumerate(lines[first : first + rest], first):
        if line.wave is not None:
            mark = "▸" if is_closed(view, line.wave, looking) else " "
            text = f" {mark}{_title(line.wave, ink, now)}"
        else:
            text = shape.line(line.row, ink) if line.row is not None else ""
        found.append(ink.marked(f">{bare(text)[1:]}", width) if at == chosen else cut(text, width))
    return found


def _title(wave: dict[str, Any], ink: Ink, now: float) -> str:
    good = sum(1 for one in wave["assignments"] if one["outcome"] == "succeeded")
    word = word_of(wave)
    said = f"{glyph(word, ink)} {ink(one_line(wave['name']), 'bold')}  {coloured(word, ink)}"
    if wave["started"] is not None:
        end = wave["ended"] if wave["ended"] is not None else now
        said += f"  {lasting(max(0.0, end - wave['started']))}"
        if wave["deadline"] is not None and wave["ended"] is None:
            said += f" of {short(round(wave['deadline'] - wave['started']))}"
    said += f"  {good} of {len(wave['assignments'])} succeeded"
    said += ink(f"  start skew {lasting(wave['skew'])}", "dim") if wave["skew"] is not None else ""
    gate = wave["gate"]
    if wave["state"] == "gate" and gate is not None:
        check = next((each for each in gate["checks"] if each["state"] == "running"), None)
        said += f"  gate: {one_line(check['name'])}" if check else "  at its gate"
    return said + (f"  {one_line(wave['reason'])}" if wave["reason"] else "")


@dataclass(frozen=True, slots=True)
class Shape:
    """How wide the columns are."""

    name: int
    at: int
    state: int
    gauge: bool
    tokens: bool
    cost: bool

    @classmethod
    def of(cls, rows: list[Row], width: int) -> Shape:
        """What fits; what an agent is at gets all that is left."""
        tokens = any(row.used.tokens for row in rows)
        gauge = width >= _ROOMY
        cost = gauge and any(row.used.money for row in rows)
        state = 11 if gauge else 9
        fixed = 4 + 1 + state + 1 + 1 + _TIME + 1 + _FILES + 1 + _TRY + (_GAUGE + 1 if gauge else 0)
        fixed += (_TOKENS + 1 if tokens else 0) + (_COST + 1 if cost else 0)
        longest = max((visible(row.key) for row in rows), default=8)
        name = max(8, min(longest, (width - fixed) * 9 // 20))
        return cls(name, max(0, width - fixed - name), state, gauge, tokens, cost)

    def heads(self) -> str:
        """The names of the columns."""
        line = f"    {fit('AGENT', self.name)} {fit('STATE', self.state)} {fit('AT', self.at)} {'TIME/LIMIT':>{_TIME}}"
        line += " " * (_GAUGE + 1) if self.gauge else ""
        line += f" {'TOKENS':>{_TOKENS}}" if self.tokens else ""
        line += f" {'COST':>{_COST}}" if self.cost else ""
        return line + f" {'FILES':>{_FILES}} {'TRY':>{_TRY}}"

    def line(self, row: Row, ink: Ink) -> str:
        """One agent."""
        # What was found of it is said where the eye is: at its name.
        sign = glyph(row.word, ink) if not row.findings else ink("!", "yellow")
        at = ink(row.at, "" if row.failing else "dim") if row.word != "running" else row.at
        line = f"  {sign} {fit(one_line(row.key), self.name)} {fit(coloured(row.word, ink), self.state)}"
        line += f" {fit(at, self.at)}"
        line += f" {fit_right(_time(row), _TIME)}"
        line += f" {gauge(row, ink)}" if self.gauge else ""
        line += f" {_tokens(row):>{_TOKENS}}" if self.tokens else ""
        line += f" {row.used.money_short:>{_COST}}" if self.cost else ""
        tries = ink(f"{row.attempt:>{_TRY}}", "yellow") if row.attempt > 1 else f"{row.attempt or '':>{_TRY}}"
        return f"{line} {row.files or '':>{_FILES}} {tries}"


def fit_right(text: str, width: int) -> str:
    """To the right edge."""
    return " " * max(0, width - visible(text)) + cut(text, width)


def _tokens(row: Row) -> str:
    return (("≥" if row.used.earlier else "") + amount(row.used.tokens)) if row.used.tokens else ""


def _time(row: Row) -> str:
    if row.took is None:
        return ""
    return f"{short(row.took)}/{short(round(row.limit))}" if row.limit else short(row.took)


def short(seconds: float) -> str:
    """A time in at most five columns, whole seconds: "4s", "59s", "1m05", "2h05"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}" if whole % 60 else "")
    return f"{whole // 3600}h" + (f"{whole % 3600 // 60:02d}" if whole % 3600 // 60 else "")


def gauge(row: Row, ink: Ink) -> str:
    """How much of its time is used."""
    if not row.limit or row.took is None:
        return " " * _GAUGE
    share = min(1.0, row.took / row.limit)
    used = min(_GAUGE, round(share * _GAUGE)) or (1 if row.took else 0)
    colour = "red" if share >= 0.9 else "yellow" if share >= 0.7 else "green"
    return ink("━" * used, colour if row.word not in ("succeeded", "skipped") else "dim") + ink(
        "─" * (_GAUGE - used), "dim"
    )
