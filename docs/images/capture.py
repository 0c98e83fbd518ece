"""Takes the pictures of the README: the demo in a real terminal (tmux), at work and at its end, as SVG (rich).

    .venv/bin/python docs/images/capture.py      writes docs/images/demo.svg and result.svg; needs tmux

Run it again whenever what wavectl shows has changed.
"""

from __future__ import annotations

import io
import re
import subprocess
import tempfile
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / ".ci" / "demo"
COLUMNS, LINES = 100, 45
AT_WORK = re.compile(r"api-writer/api-core +running")
"""The screen is taken when it shows this: dependents run in the middle of the second wave."""
RESULT = re.compile(r"^ *one after another.*?^ *start skew[^\n]*", re.DOTALL | re.MULTILINE)
ESCAPES = re.compile(r"\x1b\[[0-9;:]*m")
FONT_FACES = re.compile(r"@font-face\s*\{\{.*?\}\}", re.DOTALL)
"""rich's SVG loads its font from elsewhere; a page's own monospaced font will do."""
PIECE = re.compile(r'x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)" ([^>]*)>((?:&#160;)+)([^<]+)<')
CELL = 12.2
"""Width of a character in rich's SVG."""


class Terminal:
    """A tmux session of its own that runs one command."""

    def __init__(self, folder: str, command: str) -> None:
        self._tmux = ["tmux", "-S", f"{folder}/socket", "-f", "/dev/null"]
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        environ = ["-e", "COLORTERM=truecolor", "-e", f"TMPDIR={folder}"]
        self._do("new-session", "-d", *size, *environ, "bash", "-c", f"{command}; sleep 600")

    def screen(self, *, history: bool = False) -> str:
        """What stands in the terminal, colours as escape sequences; with `history`, also what has scrolled away."""
        return self._do("capture-pane", "-epJ", *(["-S", "-"] if history else []))

    def wait(self, sought: re.Pattern[str], seconds: float, *, history: bool = False) -> str:
        """The screen as soon as it shows this; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            shown = self.screen(history=history)
            if sought.search(ESCAPES.sub("", shown)):
                return shown
            time.sleep(0.05)
        raise TimeoutError(f"the terminal never showed {sought.pattern!r}")

    def end(self) -> None:
        """Ends the command with its terminal."""
        self._do("kill-server")

    def _do(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True).stdout


def draw(captured: str, title: str) -> str:
    """The capture as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in captured.rstrip().splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False)
    drawn = console.export_svg(title=title, code_format=FONT_FACES.sub("", CONSOLE_SVG_FORMAT))
    return PIECE.sub(_without_leading_space, drawn)


def _without_leading_space(piece: re.Match[str]) -> str:
    # Some programs that show SVG drop leading blanks: the piece begins where its first visible character does.
    shift = CELL * (len(piece[5]) // len("&#160;"))
    left, length = float(piece[1]) + shift, float(piece[3]) - shift
    return f'x="{left:.1f}" y="{piece[2]}" textLength="{length:.1f}" {piece[4]}>{piece[6]}<'


def cut(captured: str, part: re.Pattern[str]) -> str:
    """The lines of a capture that a pattern finds in its plain text."""
    plain = ESCAPES.sub("", captured)
    found = part.search(plain)
    if found is None:
        raise ValueError(f"the terminal never showed {part.pattern!r}")
    first = plain.count("\n", 0, found.start())
    return "\n".join(captured.split("\n")[first : plain.count("\n", 0, found.end()) + 1])


def main() -> None:
    """Writes both pictures."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        terminal = Terminal(folder, f"bash '{DEMO}'")
        try:
            at_work = terminal.wait(AT_WORK, 120)
            at_end = terminal.wait(re.compile("When done:"), 120, history=True)
        finally:
            terminal.end()
    (HERE / "demo.svg").write_text(draw(at_work, "wavectl run docs/examples/demo.toml"), encoding="utf-8")
    (HERE / "result.svg").write_text(draw(cut(at_end, RESULT), "… and what it says at the end"), encoding="utf-8")


if __name__ == "__main__":
    main()
