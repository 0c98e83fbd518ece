"""The part of a terminal that is drawn over and over while a session runs; never higher than the screen.

What is over (checklist, finished waves, what guards did) is printed above it for good and scrolls away like any other
output.
"""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from wavectl.views.checklist import checklist_lines
from wavectl.views.checklists import in_full, of_wave
from wavectl.views.guards import done_lines, guard_lines
from wavectl.views.responders import responders_in
from wavectl.views.status import assignment_row, gate_lines, header, responder_row, wave_title, with_counts
from wavectl.views.text import Paint, columns, cut, first_line
from wavectl.views.words import word_of

_RANK = {
    "running": 0, "frozen": 0, "stopping": 0, "starting": 1, "checking": 1,
    "failed": 2, "timed-out": 2, "lost": 2, "stopped": 2, "backing-off": 3,
    "ready": 4, "waiting": 5, "succeeded": 6, "skipped": 7,
}  # fmt: skip
"""What is shown first when not everything fits: what runs and what failed."""
_SPARE_ROWS = 3
"""Rows left free, for the line with the prompt and the terminal's own scrolling."""


class LiveView:
    """Draws a session view until it is closed; `show` gives it a newer one."""

    def __init__(self, paint: Paint, console: Console | None = None) -> None:
        self._paint = paint
        # Colour codes are this package's own (`Paint`); rich is only to place the lines.
        self._console = console or Console(highlight=False, no_color=not paint.enabled)
        self._view: dict[str, Any] | None = None
        self._ahead = 0.0
        self._printed_checklist = False
        self._printed: dict[str, tuple[Any, ...]] = {}
        self._told: set[str] = set()
        """Reactions whose end is printed."""
        self._live: Live | None = None

    def open(self) -> None:
        """Start drawing (again)."""
        if self._live is None:
            self._live = Live(
                get_renderable=self._draw,
                console=self._console,
                auto_refresh=True,
                refresh_per_second=5,
                transient=True,
            )
            self._live.start()

    def close(self) -> None:
        """Stop drawing; the changing part is wiped, what was printed stays."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def show(self, view: dict[str, Any]) -> None:
        """Draw this view from now on; prints what is over."""
        view = with_counts(view)
        self._ahead = view["now"] - time.time()
        self._view = view
        if not self._printed_checklist and view["checklist"] and view["state"] != "checking":
            self._printed_checklist = True
            self._say(checklist_lines(view["checklist"], self._paint))
        for reaction, lines in done_lines(view, self._paint, self._console.width).items():
            if reaction not in self._told:
                self._told.add(reaction)
                self._say(lines)
        for wave in view["waves"]:
            mark = (wave["ended"], wave["attempt"])
            if wave["state"] == "ended" and self._printed.get(wave["name"]) != mark:
                self._printed[wave["name"]] = mark
                self._say(finished_wave(wave, self._paint, view["now"]))
                if (ticked := of_wave(view, wave["name"])) is not None:
                    self._say([f"  {line}" for line in in_full(ticked, self._paint)])
        if self._live is not None:
            self._live.refresh()

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self._console.print(Text.from_ansi(cut(line, self._console.width)), no_wrap=True, crop=True)

    def _draw(self) -> Text:
        if self._view is None:
            return Text("")
        lines = live_lines(
            self._view, self._paint, self._view["now"] if self._view["state"] == "ended" else time.time() + self._ahead,
            self._console.width, max(3, self._console.height - _SPARE_ROWS),
        )  # fmt: skip
        return Text.from_ansi("\n".join(lines), no_wrap=True)


def live_lines(view: dict[str, Any], paint: Paint, now: float, width: int, height: int) -> list[str]:
    """The changing part: header, checklist while it is ticked, the waves that are under way, the keys to press."""
    lines = [header(view, paint, now)]
    if view["state"] == "checking":
        lines += ["  " + line for line in checklist_lines(view["checklist"], paint)]
    if view["reason"]:
        lines.append(f"  {first_line(view['reason'])}")
    lines += [f"  {line}" for line in guard_lines(view, paint)[: max(1, height // 4)]]
    footer = paint("  Ctrl-C: detach or stop", "dim")
    for wave in view["waves"]:
        if wave["state"] in ("running", "gate"):
            lines.append("  " + wave_title(wave, paint, now))
            checks = [f"    {line}" for line in gate_lines(wave["gate"], paint)] if wave["state"] == "gate" else []
            room = max(1, height - len(lines) - 1 - min(len(checks), 8))
            responding = [one for one in responders_in(view, wave["name"]) if one["state"] != "ended"]
            rows = [responder_row(view, one, paint, now) for one in responding]
            lines += assignment_lines(wave["assignments"], paint, now, room, rows)
            lines += checks
    shown = lines[: height - 1]
    return [cut(line, width) for line in [*shown, footer]]


def assignment_lines(
    assignments: list[dict[str, Any]], paint: Paint, now: float, room: int, others: list[list[str]] | None = None
) -> list[str]:
    """At most `room` lines of assignments: what runs or failed first when not all fit, and how many are not shown.
    Below them come the rows of `others`.
    """
    others = (others or [])[: max(0, room - 2)]
    room -= len(others)
    shown = assignments
    if len(assignments) > room:
        ranked = sorted(assignments, key=lambda one: _RANK.get(word_of(one), 9))
        shown = ranked[: max(0, room - 1)]
    lines = columns([*(assignment_row(one, paint, now) for one in shown), *others], right=(4,), indent=4)
    if len(shown) < len(assignments):
        counts: dict[str, int] = {}
        hidden = {id(one) for one in assignments} - {id(one) for one in shown}
        for one in assignments:
            if id(one) in hidden:
                counts[word_of(one)] = counts.get(word_of(one), 0) + 1
        said = ", ".join(f"{count} {word}" for word, count in counts.items())
        lines.append(paint(f"    … and {len(hidden)} more ({said})", "dim"))
    return lines


def finished_wave(wave: dict[str, Any], paint: Paint, now: float) -> list[str]:
    """A wave that is over, as it is printed for good: its verdict, its checks, and whoever did not succeed."""
    good = sum(1 for one in wave["assignments"] if one["outcome"] == "succeeded")
    bad = [one for one in wave["assignments"] if one["outcome"] != "succeeded"]
    count = f"{good} of {len(wave['assignments'])} agents succeeded"
    lines = [f"{wave_title(wave, paint, now)}  {paint(count, 'dim')}"]
    lines += columns([assignment_row(one, paint, now) for one in bad[:10]], right=(4,), indent=2)
    if len(bad) > 10:
        lines.append(paint(f"  … and {len(bad) - 10} more", "dim"))
    return [*lines, *(f"  {line}" for line in gate_lines(wave["gate"], paint))]
