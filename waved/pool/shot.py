"""The starting shot: one write that wakes all workers of a wave (requirement O3)."""

from __future__ import annotations

import os
from weakref import WeakValueDictionary


class Shot:
    """Workers get its descriptor when they are armed, and start when it is fired, if they have their limits by then."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.fired = False

    def fileno(self) -> int:
        """What a worker waits for; only until it is fired."""
        return self._fd

    def fire(self) -> None:
        """Wake everybody who waits for it."""
        self.fired = True
        os.eventfd_write(self._fd, 1)
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        # Many things end the wait of a worker, and each forgets the shot; the last of them closes it.
        self._close()


class Shots:
    """The next shot of each session; kept by the workers that wait for it."""

    def __init__(self) -> None:
        self._next: WeakValueDictionary[str, Shot] = WeakValueDictionary()

    def load(self, session: str) -> Shot:
        """What a worker that is armed now waits for; once fired, the next is another. Raises OSError."""
        shot = self._next.get(session)
        if shot is None or shot.fired:
            shot = self._next[session] = Shot()
        return shot
