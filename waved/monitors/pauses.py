"""Paths that waved itself is writing: what happens there is nobody's doing, and is judged when it is done."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable


class Pauses:
    """Thread-safe. Several restores may cover the same path; it is paused until the last of them has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: Counter[str] = Counter()
        self._all = 0

    def pause(self, paths: Iterable[str] | None) -> None:
        """These paths are being written from now on; None: any."""
        with self._lock:
            if paths is None:
                self._all += 1
            else:
                self._paths.update(paths)

    def lift(self, paths: Iterable[str] | None) -> None:
        """They have been written."""
        with self._lock:
            if paths is None:
                self._all = max(0, self._all - 1)
            else:
                self._paths.subtract(paths)
                self._paths = +self._paths

    def covers(self, path: str) -> bool:
        """Whether the path is being written by waved."""
        with self._lock:
            return self._all > 0 or path in self._paths
