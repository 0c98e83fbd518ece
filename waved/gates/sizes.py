"""Files that are too long before the first agent starts ("All files <300 lines"; requirements C1, M6)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from waved.gates.workspace import GIT_PATIENCE
from waved.plan import globs
from waved.plan.guards import FileSizeMonitor
from waved.plan.models import Plan
from waved.plan.reporting import report_files

MOST_FILES = 100_000
"""Files that are counted, of each monitor."""
MOST_READ = 16 * 1024 * 1024
"""Bytes of a file that are counted."""


def monitors(plan: Plan) -> list[FileSizeMonitor]:
    """Those that want no file over their limit to begin with."""
    found = [monitor for monitor in plan.monitors if isinstance(monitor, FileSizeMonitor)]
    return [monitor for monitor in found if monitor.existing == "fail" and monitor.max_lines is not None]


def oversize(workspace: Path, plan: Plan) -> tuple[dict[str, tuple[int, int]], int]:
    """The files over a limit, with their lines and the limit; and how many files were counted.

    What git ignores does not count. Blocks on the file system and on git.
    """
    found: dict[str, tuple[int, int]] = {}
    counted: set[str] = set()
    own = report_files(plan)
    for monitor in monitors(plan):
        limit = monitor.max_lines or 0
        for path in globs.find(workspace, monitor.paths, MOST_FILES):
            if path in own or any(globs.matches(pattern, path) for pattern in monitor.exclude):
                continue
            counted.add(path)
            lines = _lines(workspace / path)
            if lines > limit:
                found[path] = (lines, limit)
    for path in _ignored(workspace, list(found)):
        found.pop(path, None)
        counted.discard(path)
    return found, len(counted)


def _lines(path: Path) -> int:
    """Lines of a file, a last one without its end included; 0 for one that cannot be read."""
    count, last = 0, b""
    try:
        with path.open("rb") as file:
            for _ in range(MOST_READ // (1 << 20)):
                piece = file.read(1 << 20)
                if not piece:
                    break
                count += piece.count(b"\n")
                last = piece[-1:]
    except OSError:
        return 0
    return count + (1 if last not in (b"", b"\n") else 0)


def _ignored(workspace: Path, paths: list[str]) -> Iterator[str]:
    if not paths:
        return
    given = b"\0".join(os.fsencode(path) for path in paths) + b"\0"
    try:
        done = subprocess.run(
            ["git", "check-ignore", "-z", "--stdin"], cwd=workspace, input=given, capture_output=True, check=False,
            timeout=GIT_PATIENCE, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return
    yield from (os.fsdecode(path) for path in done.stdout.split(b"\0") if path)
