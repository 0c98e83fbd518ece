"""Whether sandboxes can be made here: for tests of them, and of plans that ask for one."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache


@cache
def why_none() -> str:
    """Why none can; empty if they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (apt install bubblewrap)"
    trial = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    return f"user namespaces do not work here: {done.stderr.strip()}" if done.returncode else ""
