"""What is said to a worker, and heard from it, as its daemon does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from waved.pool.channel import Channel


def spec_of(folder: Path, key: str, command: str) -> dict[str, Any]:
    """What a worker needs to run a shell command."""
    return {
        "run": f"s/{key}", "purpose": "agent", "folder": str(folder / key), "workspace": str(folder), "attempt": 1,
        "leftover_grace": 0.1, "stop_grace": 1.0, "clock_offset": 0.0, "failure": "", "program": "command",
        "command": command, "args": [], "model": None, "instructions": [], "prompt": "", "tasks": [], "context": {},
        "cwd": str(folder), "env": {"PATH": os.environ["PATH"]}, "output_limit": 1 << 20,
    }  # fmt: skip


def heard(channel: Channel, word: str) -> dict[str, Any]:
    """The next message, which has to be of this kind."""
    message, fds = channel.receive()
    assert not fds
    assert word in message, message
    return message


def start(channel: Channel, folder: Path, command: str, timeout: float | None = None, key: str = "a") -> int:
    """Run a shell command; the pid of its program."""
    channel.send({"arm": spec_of(folder, key, command)})
    heard(channel, "armed")
    channel.send({"release": {"timeout": timeout, "timeout_of": "agent"}})
    return int(heard(channel, "started")["started"]["pid"])
