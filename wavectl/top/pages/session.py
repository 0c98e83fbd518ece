"""A session: its head, and under it one of the tabs; where there is room, agents with timeline and findings beside."""

from __future__ import annotations

from typing import Any

from wavectl.top.board import Board
from wavectl.top.ink import Ink, apart, beside, filled
from wavectl.top.looking import TABS, Looking
from wavectl.top.pages import agents, checks, findings, timeline
from wavectl.top.pages.notes import notes_of
from wavectl.views.text import cut, one_line, visible
from wavectl.views.used import amount, used_in
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting

_COUNTS = (("succeeded", "green", "█"), ("running", "cyan", "▓"), ("failed", "red", "▒"), ("skipped", "dim", "░"))
_BAR = 24
_IN_WORDS = 110
"""Columns from which there is room for words."""
_MOST_NOTES = 3


def draw(board: Board, looking: Looking, ink: Ink, clock: float, room: int) -> list[str]:
    """The page."""
    view = board.view
    if view is None:
        return ["", f"   {ink('reading the session …', 'dim')}"]
    now = board.now(clock)
    lines = [*head(view, ink, looking.width, now), tabs(view, looking, ink)]
    rest = room - len(lines)
    return [*lines, *body(board, view, looking, ink, now, rest)]


def body(board: Board, view: dict[str, Any], looking: Looking, ink: Ink, now: float, room: int) -> list[str]:
    """What is under the tabs, in `room` lines."""
    width = looking.width
    if looking.tab == "timeline":
        return timeline.draw(view, ink, width, room, now, looking)
    if looking.tab == "findings":
        return findings.draw(board, view, looking, ink, room)
    if looking.tab == "checks":
        return checks.draw(board, view, looking, ink, room, now)
    if not looking.wide:
        return agents.draw(view, looking, ink, width, room, now)
    left_width = max(84, int(width * 0.6))
    left = filled(agents.draw(view, looking, ink, left_width, room, now), room)
    right_width = width - left_width - 3
    upper = max(8, min(room // 2, 6 + timeline.lines_of(view)))
    right = filled(timeline.draw(view, ink, right_width, upper, now, None), upper)
    right += findings.beside(board, view, ink, right_width, room - upper)
    return beside(left, right, width, left_width, ink("│", "dim"))


def head(view: dict[str, Any], ink: Ink, width: int, now: float) -> list[str]:
    """Name, state and time; how the agents stand; what else must be known."""
    word = word_of(view)
    end = view["ended"] if view["ended"] is not None else now
    took = lasting(max(0.0, end - view["submitted"]))
    limit = f" of {lasting(view['deadline'] - view['submitted'])}" if view["deadline"] and not view["ended"] else ""
    parts = [f" {glyph(word, ink)} {ink(one_line(view['name']), 'bold')}", coloured(word, ink)]
    if view["state"] != "ended" and view["wave"]:
        done, total = view["waves"], len(view["waves"])
        position = min(sum(1 for wave in done if wave["state"] == "ended") + 1, total)
        parts.append(f"wave {one_line(view['wave'])} ({position} of {total})")
    parts.append(took + limit)
    line = "  ".join(parts)
    known = view["session"] if visible(line) + len(view["session"]) + 3 <= width else ""
    return [
        apart(line, ink(f"{known} ", "dim"), width),
        apart(_counts(view, ink, width), _used(view, ink) + " ", width),
        *(cut(f" {note}", width) for note in notes_of(view, ink)[:_MOST_NOTES]),
    ]


def _counts(view: dict[str, Any], ink: Ink, width: int) -> str:
    """In words where there is room for them, else by the signs that the agents have."""
    counts = view["agents"]
    total = counts["total"]
    cells = _BAR if width >= _IN_WORDS else _BAR // 2
    bar, used = "", 0
    for name, colour, letter in _COUNTS:
        share = round(counts[name] / total * cells) if total else 0
        share = min(max(share, 1 if counts[name] else 0), cells - used)
        used += share
        bar += ink(letter * share, colour)
    bar += ink("░" * (cells - used), "dim")
    names = [name for name in ("running", "succeeded", "failed", "skipped", "waiting") if counts[name]]
    if width >= _IN_WORDS:
        return f" {bar} {total} agents: " + ", ".join(f"{counts[name]} {name}" for name in names)
    return f" {bar} {total} agents  " + "  ".join(f"{glyph(name, ink)} {counts[name]}" for name in names)


def _used(view: dict[str, Any], ink: Ink) -> str:
    """Tokens and money of all runs, and of how much."""
    used = used_in(view)
    budget = view.get("budgets", {}).get("session", {})
    parts = []
    if used.tokens:
        of = f" of {amount(budget['tokens'])}" if budget.get("tokens") else ""
        parts.append(f"{'at least ' if used.earlier else ''}{amount(used.tokens)}{of} tokens")
    if used.money:
        of = f" of ${budget['cost']:.2f}" if budget.get("cost") else ""
        parts.append(("cost " if used.cost is None else "") + f"{used.money}{of}")
    return ink("  ".join(parts), "bold")


def tabs(view: dict[str, Any], looking: Looking, ink: Ink) -> str:
    """The tabs, and to the right how what is under them is narrowed."""
    still = view.get("open_findings", 0)
    names = {"findings": f"findings {still}!" if still else "findings"}
    line = " "
    for number, tab in enumerate(TABS, 1):
        text = f" {number} {names.get(tab, tab)} "
        if tab == looking.tab:
            line += ink(f"[{text.strip()}]" if not ink.colour else text, "reverse") + " "
        else:
            line += ink(text, "yellow" if tab == "findings" and still else "dim") + " "
    said = []
    if looking.tab == "agents":
        said = [f"only: {one_line(looking.wanted)}"] if looking.wanted else []
        said += [f"by {looking.order}"] if looking.order != "plan" else []
    return apart(line, ink(", ".join(said) + " ", "yellow") if said else "", looking.width)
