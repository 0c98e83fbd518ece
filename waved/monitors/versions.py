"""Which version of a file a monitor would find good: asked by helper threads while a file is being restored (R2)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from waved.monitors.base import ContentMonitor, Past, Site
from waved.monitors.inspector import Inspector
from waved.workspace.inside import open_root


class Versions:
    """Judges versions of files with an inspector of its own. Thread-safe; one question at a time.

    `had_content`: whether something stood in a file when it was last found good in this session.
    """

    def __init__(self, site: Site, monitors: Sequence[ContentMonitor], had_content: Callable[[str], bool]) -> None:
        self._site = site
        self._monitors = {monitor.label: monitor for monitor in monitors}
        self._had_content = had_content
        self._lock = threading.Lock()
        self._inspector: Inspector | None = None
        self._folder = -1

    def is_good(self, monitor: str, path: str, data: bytes) -> bool:
        """Whether the monitor finds nothing wrong with `data` as the content of `path`; waits for the inspector.

        A monitor that reads no files finds every version good. A pattern that takes too long is found nowhere. Raises
        ResourceError when no inspector can be started, OSError when waved's own folder is gone.
        """
        looking = self._monitors.get(monitor)
        if looking is None:
            return True
        with self._lock:
            if self._inspector is None:
                # It is given all it reads; what it could open is an empty folder of waved's own.
                self._folder = open_root(self._site.private)
                self._inspector = Inspector(self._folder)
            answer = self._inspector.examine(path, looking.checks(), data)
            try:
                first = self._site.baseline(path)
            except LookupError:
                past = Past(loaded=True, content=self._had_content(path))
            else:
                before = None if first is None else self._inspector.examine(path, looking.checks(), first)
                past = Past(loaded=True, known=True, first=before, content=self._had_content(path))
        return answer.state == "read" and looking.judge(path, answer, past) is None

    def close(self) -> None:
        """End the inspector."""
        with self._lock:
            if self._inspector is not None:
                self._inspector.close()
                os.close(self._folder)
                self._inspector = None
