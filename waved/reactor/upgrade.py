"""`daemon.upgrade`: before the daemon gives way to a newly installed version, that version shows that it can run."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from waved.errors import ConflictError

CHECK = "--check"
_PATIENCE = 60.0
"""Seconds."""


def version_of(command: Sequence[str]) -> str:
    """The version that `command` (the daemon's own command line) would start now. Blocks: for a helper thread.

    The new program imports all it needs and looks at the journal without changing it. Raises ConflictError with what
    it said when it cannot run.
    """
    try:
        done = subprocess.run(
            [*command, CHECK], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unfit(str(error)) from None
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode or not said:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise _unfit(lines[-1][:500] if lines else f"it ended with status {done.returncode}")
    return said.splitlines()[-1]


def _unfit(why: str) -> ConflictError:
    return ConflictError(
        f"the installed version cannot take over: {why}", "this daemon goes on; repair the installation"
    )
