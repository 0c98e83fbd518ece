"""Takes the picture of the live view for the README: scripted agents in a real terminal (tmux), as SVG.

    .venv/bin/python docs/images/capture_top.py      writes docs/images/top.svg; needs tmux

Run it again whenever what `wavectl top` shows has changed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import capture
import fleet

COLUMNS, LINES = 144, 36
AGENTS = 16
WAVECTL = Path(sys.executable).with_name("wavectl")
AT_WORK = re.compile(r"5\d\.\ds of 1h00m")
"""The picture is taken when the session is so old: some agents are done, one has failed, one has broken a file."""


def main() -> None:
    """Writes the picture."""
    capture.COLUMNS, capture.LINES = COLUMNS, LINES
    with tempfile.TemporaryDirectory(prefix="d-") as name:
        folder = Path(name)
        workspace = folder / "shop"
        subprocess.run(["git", "init", "-q", str(workspace)], check=True)
        fleet.write(folder, AGENTS)
        environ = {
            **os.environ, "WAVED_STATE_DIR": f"{folder}/s", "WAVED_RUNTIME_DIR": f"{folder}/r",
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }  # fmt: skip

        def wavectl(*words: str) -> None:
            subprocess.run([str(WAVECTL), *words], env=environ, check=True, stdout=subprocess.DEVNULL)

        wavectl("run", "--detach", f"{folder}/plan.toml", "--workspace", str(workspace))
        given = {name: environ[name] for name in ("WAVED_STATE_DIR", "WAVED_RUNTIME_DIR")}
        setting = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
        terminal = capture.Terminal(name, f"{setting} {shlex.quote(str(WAVECTL))} top")
        try:
            seen = terminal.wait(AT_WORK, 120)
        finally:
            terminal.end()
            wavectl("daemon", "stop", "--sessions", "stop")
    (capture.HERE / "top.svg").write_text(capture.draw(seen, "wavectl top"), encoding="utf-8")


if __name__ == "__main__":
    main()
