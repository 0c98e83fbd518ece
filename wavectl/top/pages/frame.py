"""What every page has: the keys in the last line, and above it what is to be said."""

from __future__ import annotations

from wavectl.top.board import Board
from wavectl.top.ink import Ink, apart
from wavectl.top.looking import Looking
from wavectl.views.text import cut, one_line, visible
from waved.amounts import lasting

_KEYS = {
    "sessions": [("⏎", "open"), ("s", "stop"), ("/", "filter"), ("?", "help"), ("q", "quit")],
    "agents": [
        ("⏎", "output"), ("s", "stop"), ("r", "retry"), ("f", "freeze"), ("a", "approve"), ("b", "roll back"),
        ("n", "failing"), ("o", "order"), ("/", "filter"), ("?", "help"), ("q", "quit"),
    ],
    "timeline": [("↑↓", "scroll"), ("1-4", "tabs"), ("S", "stop session"), ("?", "help"), ("q", "quit")],
    "findings": [("↑↓", "choose"), ("a", "approve"), ("b", "roll back"), ("1-4", "tabs"), ("?", "help"), ("q", "quit")],
    "checks": [("↑↓", "scroll"), ("1-4", "tabs"), ("?", "help"), ("q", "quit")],
    "output": [
        ("↑↓", "scroll"), ("/", "search"), ("[ ]", "agent"), ("< >", "attempt"), ("s", "stop"),
        ("r", "retry"), ("f", "freeze"), ("Esc", "back"), ("?", "help"),
    ],
}  # fmt: skip


_ROOMY = 120


def keys(looking: Looking, ink: Ink) -> str:
    """The keys that matter here, as many as there is room for; what is typed, while somebody types."""
    if looking.typing is not None:
        what = "search" if looking.page == "output" else "show only"
        return f" {ink(what + ':', 'bold')} {one_line(looking.typing)}█  {ink('⏎ keep  Esc drop', 'dim')}"
    shown = _KEYS[looking.tab if looking.page == "session" else looking.page]
    line = ""
    for key, text in shown:
        more = f" {ink(f' {key} ', 'reverse')} {text} " if ink.colour else f" {ink(key, 'bold')} {text} "
        # Help and the way out are never the ones left out.
        rest = sum(len(k) + len(t) + 5 for k, t in shown[-2:]) if key not in (shown[-1][0], shown[-2][0]) else 0
        if visible(line) + visible(more) + rest > looking.width:
            continue
        line += more
    return line


def message(board: Board, looking: Looking, ink: Ink, clock: float) -> str:
    """That the daemon is away; else what was said last; else the newest that happened."""
    link = board.link
    if not link.up and link.since:
        # What to do must fit; why is said where there is room for it.
        said = f" the daemon is away ({lasting(max(0.0, clock - link.since))})"
        said += f": {one_line(link.why)}" if looking.width >= _ROOMY or not link.hint else ", waiting for it"
        hint = cut(one_line(link.hint) or "trying again", looking.width - 34)
        return ink(apart(cut(said, looking.width - visible(hint) - 1), hint, looking.width),
                   "reverse", "yellow")  # fmt: skip
    if looking.message and clock < looking.message_until:
        return " " + ink(one_line(looking.message), "bold")
    if looking.page != "sessions" and board.news and not (looking.wide and looking.page == "session"):
        return " " + board.news[-1]
    return ""
