"""The page on the screen, as textual draws it: lines of text, of which only those that changed are drawn again."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_NAMES = {
    "1": "bold", "2": "dim", "7": "reverse", "31": "red", "32": "green", "33": "yellow", "34": "blue", "35": "magenta",
    "36": "cyan",
}  # fmt: skip
_PLAIN = Style()


@lru_cache(maxsize=256)
def _style(codes: str) -> Style:
    names = [_NAMES[code] for code in codes.split(";") if code in _NAMES]
    return Style.parse(" ".join(names)) if names else _PLAIN


@lru_cache(maxsize=1024)
def strip_of(line: str, width: int) -> Strip:
    """A line, with its colours as `Ink` writes them, as textual wants it. Nothing in it is taken for markup."""
    segments, style = [], _PLAIN
    for number, piece in enumerate(_SGR.split(line)):
        if number % 2:
            style = _style(piece)
        elif piece:
            segments.append(Segment(piece, style))
    return Strip(segments).adjust_cell_length(width, _PLAIN)


class Canvas(Widget, can_focus=True):
    """Shows the lines it is given."""

    DEFAULT_CSS = "Canvas { width: 100%; height: 100%; background: transparent; }"

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.page = lines
        self.drawn = 0
        """Lines that were drawn so far."""

    def show(self, lines: list[str]) -> None:
        """Draw these from now on."""
        before, self.page = self.page, lines
        if len(before) != len(lines):
            self.refresh()
            return
        changed = [number for number, line in enumerate(lines) if line != before[number]]
        if changed:
            width = self.size.width
            self.refresh(*(Region(0, number, width, 1) for number in changed))

    def render_line(self, y: int) -> Strip:
        """One line of the page."""
        self.drawn += 1
        width = self.size.width
        return strip_of(self.page[y], width) if y < len(self.page) else Strip.blank(width)
