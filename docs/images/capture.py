"""Takes the picture of the README: the demo's real output in a real terminal (tmux), as an SVG (rich).

    .venv/bin/python docs/images/capture.py [COMMAND…]      writes docs/images/demo.svg; needs tmux

Run it again whenever what wavectl shows has changed.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
COLUMNS, LINES = 100, 50
FONT_FACES = re.compile(r"@font-face\s*\{\{.*?\}\}", re.DOTALL)
"""rich's SVG loads its font from elsewhere; a page's own monospaced font will do."""


def record(command: list[str]) -> str:
    """What stands in the terminal and above it when the command has ended, with its colours as escape sequences."""
    with tempfile.TemporaryDirectory() as folder:
        tmux = ["tmux", "-S", f"{folder}/socket"]
        told = f"{shlex.join(command)}; tmux -S {folder}/socket wait-for -S ended; read -r _"
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        subprocess.run(
            [*tmux, "-f", "/dev/null", "new-session", "-d", *size, "-e", "COLORTERM=truecolor", "bash", "-c", told],
            check=True,
        )
        subprocess.run([*tmux, "wait-for", "ended"], check=True, timeout=300)
        try:
            captured = subprocess.run([*tmux, "capture-pane", "-epJ", "-S", "-"], check=True, capture_output=True)
        finally:
            subprocess.run([*tmux, "kill-server"], check=True)
        return captured.stdout.decode()


def draw(captured: str, title: str) -> str:
    """The capture as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in captured.rstrip().splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False)
    return console.export_svg(title=title, code_format=FONT_FACES.sub("", CONSOLE_SVG_FORMAT))


def main() -> None:
    """Writes demo.svg."""
    captured = record(sys.argv[1:] or ["bash", str(HERE.parents[1] / ".ci" / "demo")])
    (HERE / "demo.svg").write_text(draw(captured, "bash .ci/demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
