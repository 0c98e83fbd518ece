"""What a line of the live view may look like, on terminals with colours, without, and without even these letters."""

from __future__ import annotations

import re

from wavectl.views.text import Paint, cut, pad, visible

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_ATTRIBUTES = frozenset({"bold", "dim", "reverse"})
_PLAIN = str.maketrans({
    "✓": "+", "✗": "x", "▶": ">", "▷": ">", "◆": "*", "↻": "@", "■": "#", "·": ".", "–": "-", "○": "o", "…": "~",
    "█": "#", "▓": "=", "▒": "x", "░": ".", "▏": "|", "▎": "|", "▍": "|", "▌": "|", "▋": "|", "▊": "#", "▉": "#",
    "│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "▸": ">", "→": ">",
    "↑": "^", "↓": "v",    "×": "x", "≥": ">", "┊": ":", "‖": "=", "━": "=", "╍": "x", "┄": ".", "⏎": "<",
})  # fmt: skip


class Ink(Paint):
    """Colours and attributes; without `colour` the attributes that every terminal has: bold, dim and reverse."""

    def __init__(self, colour: bool = True, *, plain: bool = False) -> None:
        super().__init__(enabled=True)
        self.colour = colour
        self.plain = plain
        """Only letters of ASCII: the terminal's encoding has no others."""

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in these styles, as far as the terminal has them."""
        return super().__call__(text, *(style for style in styles if self.colour or style in _ATTRIBUTES))

    def letters(self, line: str) -> str:
        """The line in letters that the terminal can show."""
        return line.translate(_PLAIN).encode("ascii", "replace").decode() if self.plain else line

    def marked(self, line: str, width: int) -> str:
        """A whole line in reverse: what is chosen."""
        return self(fit(bare(line), width), "reverse")


def bare(line: str) -> str:
    """The line without its colours."""
    return _SGR.sub("", line)


def fit(line: str, width: int) -> str:
    """The line in exactly so many columns."""
    return pad(cut(line, width), width)


def apart(left: str, right: str, width: int) -> str:
    """One to the left and one to the right; the left gives way where both have no room."""
    if not right:
        return fit(left, width)
    room = max(0, width - visible(right) - 1)
    return fit(f"{fit(left, room)} {right}", width)


def wrapped(line: str, width: int, most: int = 50) -> list[str]:
    """A line without colours in as many as it needs at this width; what is beyond `most` is left out."""
    if visible(line) <= width or width < 1:
        return [line]
    found: list[str] = []
    rest = line
    while rest and len(found) < most:
        # Letters of two columns take more room than there are letters; `cut` would say "…" where none is wanted.
        count = min(len(rest), width)
        while count > 1 and visible(rest[:count]) > width:
            count -= 1
        found.append(rest[:count])
        rest = rest[count:]
    return found


def filled(lines: list[str], height: int) -> list[str]:
    """Exactly so many lines."""
    return [*lines[:height], *([""] * max(0, height - len(lines)))]


def beside(left: list[str], right: list[str], width: int, left_width: int, bar: str) -> list[str]:
    """Two columns with a bar between them; both are as high as `left`."""
    room = max(0, width - left_width - 3)
    other = filled(right, len(left))
    return [f"{fit(one, left_width)} {bar} {fit(two, room)}" for one, two in zip(left, other, strict=True)]
