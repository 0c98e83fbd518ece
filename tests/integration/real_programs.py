"""What the tests of sessions with real agent programs share: agents, their environment, and what the API refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.agent_programs import environment
from tests.live import Daemon
from tests.scripted_api import Turn

SLOWEST = 40.0
"""Seconds these programs get for a few steps; alone on a machine they take five."""
SUBSCRIPTION = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "scripted"}
"""With it claude is told when a limit ends."""


def agent(name: str, program: str, **more: Any) -> dict[str, Any]:
    """An agent of a plan that may do anything."""
    return {"name": name, "use": program, "prompt": "Edit the repository.", "permissions": "all", **more}


def at_home(program: str, url: str, home: Path, **more: str) -> dict[str, str]:
    """The environment of an agent, with a home of its own."""
    home.mkdir()
    return {**environment(program, url, home), **more}


def limit_until(reset: float) -> Turn:
    """What a subscription answers when its five hours are used up."""
    headers = {
        "retry-after": "7200",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(int(reset)),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }
    return Turn(status=429, headers=headers)


def shown(daemon: Daemon, *words: str) -> str:
    """What `wavectl` says."""
    env = {**os.environ, "WAVED_SOCKET": str(daemon.socket), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", "from wavectl.cli import main; main()", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
