"""An agent's output, as `wavectl logs` makes it readable, following what comes."""

from __future__ import annotations

from typing import Any

from wavectl.top.board import Board
from wavectl.top.ink import Ink, apart
from wavectl.top.looking import Looking
from wavectl.top.pages.agents import short
from wavectl.top.rows import rows_of
from wavectl.views.status import elapsed
from wavectl.views.text import first_line, one_line
from wavectl.views.used import Used, amount, everyone, used_by
from wavectl.views.words import coloured, glyph


def draw(board: Board, looking: Looking, ink: Ink, clock: float, room: int) -> list[str]:
    """A head of two lines, then the output."""
    transcript = looking.transcript
    width = looking.width
    shown, first, count = transcript.rows(width - 1, room - 2)
    lines = [_head(board, looking, ink, clock), _place(looking, ink, first, len(shown), count)]
    wanted = transcript.searched.lower()
    for at, (style, text) in enumerate(shown, first):
        line = f" {text}"
        if wanted and wanted in text.lower():
            lines.append(ink.marked(line, width) if at == transcript.found else _highlit(line, wanted, style, ink))
        else:
            lines.append(ink(line, style))
    if not count:
        said = "it has printed nothing" if transcript.loaded else "reading …"
        said = said if transcript.run else "it has not started yet"
        lines += ["", f"   {ink(said, 'dim')}"]
    return lines


def _highlit(line: str, wanted: str, style: str, ink: Ink) -> str:
    found, at, low = "", 0, line.lower()
    while (hit := low.find(wanted, at)) >= 0 and len(low) == len(line):
        found += ink(line[at:hit], style) + ink(line[hit : hit + len(wanted)], "reverse")
        at = hit + len(wanted)
    return found + ink(line[at:], style)


def _head(board: Board, looking: Looking, ink: Ink, clock: float) -> str:
    """Who it is, and how the attempt that is looked at stands; what it took and used, and all attempts together."""
    view, now = board.view, board.now(clock)
    rows = rows_of(view, now) if view is not None else []
    row = next((row for row in rows if row.key == looking.transcript.agent), None)
    if view is None or row is None:
        return f" {ink(one_line(looking.transcript.agent), 'bold')}"
    runs: list[dict[str, Any]] = next((one["runs"] for one in everyone(view) if one["key"] == row.key), [])
    run = next((run for run in runs if run["run"] == looking.transcript.run), None)
    last = run is None or run is runs[-1]
    word, at = (row.word, row.at) if run is None or last else _earlier(run)
    left = f" {glyph(word, ink)} {ink(one_line(row.key), 'bold')}  {coloured(word, ink)}"
    if run is not None and row.attempt > 1:
        left += ink(f"  attempt {run['attempt']} of {row.attempt}", "" if last else "yellow")
    left += f"  {at}" if at else ""
    took = row.took if last else elapsed({"runs": [run]}, now)
    limit = f"/{short(round(row.limit))}" if row.limit and last else ""
    parts = [f"{short(took)}{limit}"] if took is not None else []
    parts += _used(used_by([run]) if run is not None else row.used, row.used)
    parts += [f"{row.files} file" + ("" if row.files == 1 else "s")] if row.files else []
    return apart(left, "  ".join(parts) + " ", looking.width)


def _earlier(run: dict[str, Any]) -> tuple[str, str]:
    """How an attempt ended that another one followed, and why."""
    word = run["outcome"] if run["outcome"] in ("stopped", "timed-out", "lost") else "failed"
    if run["outcome"] == "exited" and run["exit_code"] == 0:
        word = "unverified"  # the program did what it was asked, and it was not what was wanted
    return word, first_line(run["reason"])


def _used(this: Used, whole: Used) -> list[str]:
    """Of this attempt, and of how much in all: "5k of 12k tokens"."""
    if this.tokens == whole.tokens:
        return whole.parts()
    tokens = f"{amount(this.tokens)} of {amount(whole.tokens)} tokens"
    return [tokens, f"{this.money or '$0'} of {whole.money}"] if whole.cost is not None else [tokens, "cost unknown"]


def _place(looking: Looking, ink: Ink, first: int, shown: int, count: int) -> str:
    transcript = looking.transcript
    if transcript.first is not None:
        said = f"lines {first + 1}–{first + shown} of {count}, End follows"
    else:
        said = "ended" if transcript.ended else "following"
    search = f' search "{one_line(transcript.searched)}" (n N)  ' if transcript.searched else ""
    line = "─" * max(0, looking.width - len(said) - len(search) - 4)
    return ink(f"{line} {search}{said} ──", "dim")
