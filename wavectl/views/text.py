"""Text for a terminal: colour only where it is wanted, aligned columns, cut to the width, never a control character."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, Any

_CODES = {
    "bold": "1",
    "dim": "2",
    "reverse": "7",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_]|.)?", re.S
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
PALETTE = ("cyan", "green", "yellow", "magenta", "blue", "red")
"""Colours that tell agents apart."""


class Paint:
    """Adds colour to text, or not."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    @classmethod
    def on(cls, stream: IO[Any] | None = None) -> Paint:
        """Colour if `stream` (stdout) is a terminal that takes it; NO_COLOR (https://no-color.org) is honoured."""
        stream = stream or sys.stdout
        if os.environ.get("NO_COLOR"):
            return cls(False)
        return cls(stream.isatty() and os.environ.get("TERM") != "dumb")

    def __call__(self, text: str, *styles: str) -> str:
        """`text` in these styles ("bold", "red", …); as it is without colour."""
        codes = ";".join(_CODES[style] for style in styles if style)
        return f"\x1b[{codes}m{text}\x1b[0m" if self.enabled and codes and text else text


def printable(text: str, *, colours: bool = False) -> str:
    """Text from elsewhere (agents, reasons, names) that cannot steer the terminal; `colours` keeps colour codes."""
    if colours:
        pieces = _SGR.split(text)
        return "".join(printable(piece) + code for piece, code in zip(pieces, [*_SGR.findall(text), ""], strict=True))
    return _CONTROL.sub("", _ESCAPE.sub("", text)) if not text.isprintable() else text


def one_line(text: str) -> str:
    """`printable`, with line ends and tabs as single spaces."""
    return " ".join(printable(text.replace("\n", " ").replace("\t", " ")).split(" "))


def first_line(text: str) -> str:
    """The first line of a reason, for tables: what follows it are lines of output, shown elsewhere."""
    return one_line(text.strip().partition("\n")[0])


def visible(text: str) -> int:
    """Columns that text takes on a terminal; colour codes take none."""
    bare = _SGR.sub("", text) if "\x1b" in text else text
    if bare.isascii():
        return len(bare)
    return sum(_columns(character) for character in bare)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """Text of at most `width` columns; "…" says that something is missing. Colour codes are kept and closed."""
    if visible(text) <= width:
        return text
    if width <= 0:
        return ""
    kept, room = [], width - 1
    for piece in re.split(f"({_SGR.pattern})", text):
        if _SGR.fullmatch(piece):
            kept.append(piece)
            continue
        for character in piece:
            room -= _columns(character)
            if room < 0:
                return "".join(kept) + "…" + ("\x1b[0m" if "\x1b" in text else "")
            kept.append(character)
    return "".join(kept)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Text filled with spaces to `width` columns; to the right edge with `right`."""
    fill = " " * max(0, width - visible(text))
    return fill + text if right else text + fill


def columns(rows: Sequence[Sequence[str]], *, right: Iterable[int] = (), gap: int = 2, indent: int = 0) -> list[str]:
    """Lines of aligned columns; the columns whose numbers are in `right` are aligned to the right."""
    if not rows:
        return []
    to_right = set(right)
    widths = [
        max((visible(row[index]) for row in rows if index < len(row)), default=0)
        for index in range(max(map(len, rows)))
    ]
    space = " " * gap
    return [
        " " * indent
        + space.join(pad(cell, widths[index], right=index in to_right) for index, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def width(default: int = 100) -> int:
    """Columns of the terminal; `default` where there is none."""
    return shutil.get_terminal_size((default, 24)).columns


def moment(unix: float | None, now: float | None = None) -> str:
    """A point in time for a table: the time of day, with the date when it is not today's; "–" for None."""
    if unix is None:
        return "–"
    then, today = time.localtime(unix), time.localtime(now)
    return time.strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
