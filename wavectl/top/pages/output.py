"""An agent's output, as `wavectl logs` makes it readable, following what comes."""

from __future__ import annotations

from wavectl.top.board import Board
from wavectl.top.ink import Ink, apart
from wavectl.top.looking import Looking
from wavectl.top.pages.agents import short
from wavectl.top.rows import rows_of
from wavectl.views.acting import amount
from wavectl.views.text import one_line
from wavectl.views.words import coloured, glyph
from waved.domain.usage import dollars


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
    view = board.view
    rows = rows_of(view, board.now(clock)) if view is not None else []
    row = next((row for row in rows if row.key == looking.transcript.agent), None)
    if row is None:
        return f" {ink(one_line(looking.transcript.agent), 'bold')}"
    left = f" {glyph(row.word, ink)} {ink(one_line(row.key), 'bold')}  {coloured(row.word, ink)}"
    left += f"  attempt {row.attempt}" if row.attempt > 1 else ""
    left += f"  {row.at}" if row.at else ""
    parts = (
        [f"{short(row.took)}/{short(round(row.limit))}" if row.limit else short(row.took)]
        if row.took is not None
        else []
    )
    parts += [f"{amount(row.tokens)} tokens"] if row.tokens else []
    parts += [dollars(row.cost)] if row.cost is not None else []
    parts += [f"{row.files} files"] if row.files else []
    return apart(left, "  ".join(parts) + " ", looking.width)


def _place(looking: Looking, ink: Ink, first: int, shown: int, count: int) -> str:
    transcript = looking.transcript
    if transcript.first is not None:
        said = f"lines {first + 1}–{first + shown} of {count}, End follows"
    else:
        said = "ended" if transcript.ended else "following"
    search = f' search "{one_line(transcript.searched)}" (n N)  ' if transcript.searched else ""
    line = "─" * max(0, looking.width - len(said) - len(search) - 4)
    return ink(f"{line} {search}{said} ──", "dim")
