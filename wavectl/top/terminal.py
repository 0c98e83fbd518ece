"""The terminal: whether the live view can be drawn on it, how, and the first page before textual is loaded.

Loading textual takes longer than asking the daemon and drawing. So the first page, made of what the daemon answered,
stands on the screen before textual is imported; textual then takes over the same screen.
"""

from __future__ import annotations

import os
import shutil
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wavectl.top.ink import Ink
from waved.errors import BadRequestError

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
"""The alternate screen: what was on the terminal before comes back."""
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_NO_CURSOR_MOVES = frozenset({"", "dumb", "unknown", "emacs"})
_NO_COLOURS = ("vt1", "vt2", "vt3", "vt52", "ansi-m", "linux-m", "xterm-mono")
_LEAST_WIDTH, _LEAST_HEIGHT = 40, 10


def ink_of(environ: dict[str, str] | os._Environ[str] = os.environ) -> Ink:
    """What this terminal can show. Raises BadRequestError where nothing can be drawn, and says what to use instead."""
    plainly = "use `wavectl watch --plain`, which prints a line for each thing that happens, or `wavectl status`"
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error output", sys.stderr)):
        if not stream.isatty():
            raise BadRequestError(f"`wavectl top` needs a terminal; its {name} is none", plainly)
    term = environ.get("TERM", "")
    if term in _NO_CURSOR_MOVES:
        said = f'TERM is "{term}"' if term else "TERM is not set"
        raise BadRequestError(f"`wavectl top` cannot draw on this terminal: {said}", plainly)
    width, height = size()
    if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
        raise BadRequestError(
            f"`wavectl top` needs {_LEAST_WIDTH} columns and {_LEAST_HEIGHT} lines; this terminal has {width}×{height}",
            "make it larger; 80×24 is comfortable",
        )
    colour = not environ.get("NO_COLOR") and not term.startswith(_NO_COLOURS)
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return Ink(colour, plain=encoding not in ("utf8", "utf16", "utf32", "gb18030"))


def size() -> tuple[int, int]:
    """Columns and lines, as the terminal has them: what a shell has exported would not follow when it is resized."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    found = shutil.get_terminal_size((80, 24))
    return found.columns, found.lines


@contextmanager
def borrowed() -> Iterator[None]:
    """Until this ends, keys are not shown as they are typed; then the terminal is as it was, whatever happened."""
    where = sys.stdin.fileno()
    before = termios.tcgetattr(where)
    quiet = termios.tcgetattr(where)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    try:
        termios.tcsetattr(where, termios.TCSANOW, quiet)
        yield
    finally:
        with suppress(OSError, ValueError):  # the terminal itself may be gone
            write(LEAVE + _SHOW)
        with suppress(termios.error):
            termios.tcsetattr(where, termios.TCSANOW, before)


def leave_if_gone() -> None:
    """End at once when the terminal is no more (ssh broke off, its window was closed).

    Nothing can be put back on it, and what is written to it would be waited for without end.
    """
    try:
        termios.tcgetattr(sys.stdin.fileno())
    except (termios.error, ValueError):
        os._exit(0)


def paint(lines: list[str]) -> None:
    """Put a page on the alternate screen."""
    write(ENTER + _HIDE + "\x1b[H\x1b[2J" + "\r\n".join(lines))


def write(text: str) -> None:
    """To the terminal, at once. To stderr, as textual does."""
    stream = sys.__stderr__
    if stream is not None:
        stream.write(text)
        stream.flush()
