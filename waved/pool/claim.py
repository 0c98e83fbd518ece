"""Who owns a run: the one who makes its folder, once (invariant 2)."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

from waved.pool import record
from waved.pool.linux import boot_seconds
from waved.pool.survivors import read_marks

PATIENCE = 2.0
"""Seconds a worker of an earlier daemon gets to let go of a run it had made ready."""


class TakenError(Exception):
    """The run's folder is somebody else's: this worker has no say about the run."""


def claim(folder: str, mark: bytes) -> int:
    """Make the run's folder and hold its lock, whose descriptor is returned; `mark`: who holds it.

    Raises TakenError, and OSError.
    """
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102 — for every run: no more memory is touched than must be
    except FileNotFoundError:
        Path(folder).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(Path(folder))
    except FileExistsError:
        _clear_forecast(Path(folder))
    lock = os.open(f"{folder}/{record.LOCK}", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held by others only for the moment in which they look at it
    os.write(lock, mark)
    return lock


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _clear_forecast(folder)


def _clear_forecast(folder: Path) -> None:
    """Make the folder anew when its worker made the run ready ahead, never heard the word, and is dead.

    A run is armed only before its start is journalled, or right after it was. So what an earlier worker left here was
    never released: it died with its daemon, or was killed. Raises TakenError for a folder that no worker made (a
    daemon fenced the run off, see `waved.reactor.recovery`), whose worker lives, or whose program may have begun.
    """
    patience = boot_seconds() + PATIENCE
    while record.is_locked(folder) and boot_seconds() < patience:
        time.sleep(0.01)
    if record.is_locked(folder) or not (folder / record.LOCK).exists():
        raise TakenError(f"{folder} is another daemon's")
    left = record.read_exit(folder)
    if left is not None and left["outcome"] not in ("withdrawn", "stopped", "not-started"):
        raise TakenError(f"{folder} holds the end of a run ({left['outcome']})")
    if left is None and read_marks(folder).spawning:
        raise TakenError(f"{folder} holds a run that may have begun")
    shutil.rmtree(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise TakenError(f"{folder} is another daemon's") from None
