"""The lock of one store: sessions that share a workspace take turns, and a crash leaves nothing locked (flock(2))."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waved.errors import ConflictError


@contextmanager
def held(path: Path, timeout: float) -> Iterator[int]:
    """Hold the lock at `path`; yields its descriptor. Raises ConflictError when another holds it for longer than
    `timeout` seconds. A process that is given the descriptor holds it too, if we are killed.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + timeout
        wait = 0.001
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConflictError(
                        f"the snapshots of this workspace have been in use for {timeout:g} s",
                        "another session takes, restores or expires snapshots of it; try again",
                    ) from None
                time.sleep(wait)
                wait = min(wait * 2, 0.05)
        try:
            yield fd
        finally:
            # Said aloud: closing alone would not do while anybody has a copy of the descriptor.
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)
