"""What a report takes from a session's folder: the prompts as they were rendered, and what runs printed last."""

from __future__ import annotations

import os
from pathlib import Path

from waved.domain.state import Run, Session
from waved.pool import record
from waved.pool.segments import last_bytes

LARGEST_PROMPT = 64 * 1024
"""Bytes of a prompt that are read."""
TAIL = 4 * 1024
"""Bytes of output that are read."""


def prompts(session: Session, runs: Path) -> dict[str, str]:
    """By run: the prompt that the last attempt of each assignment was given, where there was one."""
    found = {}
    for node in session.nodes.values():
        for run in reversed(node.runs):
            text = _read(folder_of(runs, run) / record.PROMPT)
            if text.strip():
                found[run.id] = text
                break
    return found


def tails(session: Session, runs: Path) -> dict[str, str]:
    """By run: the last lines of output of each assignment's last attempt, unless its program has said how it went."""
    found = {}
    for node in session.nodes.values():
        for run in node.runs[-1:]:
            if not run.last_words and run.output_bytes:
                found[run.id] = _tail(folder_of(runs, run))
    return found


def folder_of(runs: Path, run: Run) -> Path:
    """The folder of a run in the session's folder of runs."""
    return runs / run.id.partition("/")[2].replace("/", "+").replace("#", ".")


def _read(path: Path) -> str:
    try:
        # Whatever an agent may have put there in its place: nothing is waited for, and no link followed.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return (file.read(LARGEST_PROMPT) or b"").decode(errors="replace")
    except OSError:
        return ""


def _tail(folder: Path) -> str:
    """Whole lines from the end of a run's output."""
    try:
        data = last_bytes(folder, TAIL)
    except OSError:
        return ""
    text = data.decode(errors="replace")
    return text.partition("\n")[2] if len(data) == TAIL and "\n" in text else text
