"""The starting shot: one write that wakes all workers of a wave (requirement O3)."""

from __future__ import annotations

import os


class Shot:
    """The next shot. Workers get its descriptor when they are armed; once fired, the next one is another."""

    def __init__(self) -> None:
        self._fd = -1
        self._number = 0

    def load(self) -> tuple[int, int]:
        """Descriptor and number of the next shot: what a worker that is armed now waits for."""
        if self._fd < 0:
            self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._number += 1
        return self._fd, self._number

    def is_next(self, number: int) -> bool:
        """Whether the shot of this number has not been fired yet."""
        return self._fd >= 0 and number == self._number

    def fire(self) -> None:
        """Wake everybody who waits for it."""
        os.eventfd_write(self._fd, 1)
        self.close()

    def close(self) -> None:
        """Nobody is waited for any more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
