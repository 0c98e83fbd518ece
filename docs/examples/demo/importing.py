"""What importing modules costs, measured in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

from session import WORKSPACE

PROGRAM = """
import importlib, sys, time
begin = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
print((time.perf_counter() - begin) * 1000)
"""


def import_milliseconds(*modules: str) -> float | None:
    """How long it takes to import these, everything they pull in included; None if one of them cannot be imported."""
    command = [sys.executable, "-c", PROGRAM, *modules]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=WORKSPACE)
    return float(done.stdout) if done.returncode == 0 else None
