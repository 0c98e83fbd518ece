"""Programs of waved's own that run beside the daemon, each in a process of its own: the imager, the reporter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import waved


def start(program: str, *arguments: str, given: bool = False) -> subprocess.Popen[bytes]:
    """Start `python -m PROGRAM PID ARGUMENTS…`. It ends with the thread that has started it. `given`: it is told
    something on its standard input.
    """
    root = str(Path(waved.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", program, str(os.getpid()), *arguments],
        stdin=subprocess.PIPE if given else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path}, cwd="/",
    )  # fmt: skip


def complaint(status: int, complained: bytes) -> str:
    """Why it failed, from its exit status and what it wrote to stderr."""
    lines: Sequence[str] = complained.decode(errors="replace").strip().splitlines()
    return " ".join([f"it ended with status {status}", *lines[-1:]])[:500]
