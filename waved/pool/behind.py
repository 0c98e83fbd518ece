"""Reading a run's output behind its capture, so that reading never slows the agent down.

Capture empties the pipes first. What is small is read at once; what comes faster than it can be read waits in the
run's own files and is read from there, a slice at a time, whenever the pipes are empty, and at the end. An agent
notices a slice only if it fills a pipe (256 KB) meanwhile, which takes longer than a slice does.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import process_time

from waved.pool.linux import boot_seconds
from waved.pool.segments import holding, segments

SLICE_SECONDS = 0.0002
"""How long reading one slice should take: its size follows from how fast slices were read so far."""
SMALLEST, LARGEST = 4 * 1024, 128 * 1024
"""Bytes of a slice."""
AT_ONCE = 16 * 1024
"""Bytes of a piece that is read before the next is captured, when nothing waits."""
LARGE = 64 * 1024
"""Bytes of a piece that tell of a program that prints as fast as its output is taken."""
CALM = 0.001
"""Seconds after such a piece in which nothing is read: a slice would keep that program waiting."""
SHARE = 200
"""While output never rests, one part in so many of the time is for reading all the same."""
MOST_PIECES = 4096
"""Pieces of alternating streams that may wait; with more of them, the oldest are read at once."""
AT_THE_END = 10.0
"""Seconds of processor time in which all that waits is read when the run is over; then only the last of it."""
LAST = 1024 * 1024
"""Bytes that are read in any case: the program's last word is among them."""

Heed = Callable[[int, bytes | memoryview], None]


class Behind:
    """What of one run's output waits to be read. `heed` is shown all of it, in order: stream, bytes."""

    def __init__(self, folder: str | Path, heed: Heed) -> None:
        self._folder = Path(folder)
        self._heed = heed
        self._pieces: deque[tuple[int, int, int]] = deque()
        """(stream, where it begins, where it ends) of what waits, oldest first."""
        self.waiting = 0
        """Bytes that wait."""
        self.unread = 0
        """Bytes that will never be read: removed, or too many when the run ended."""
        self._slice = LARGEST // 4
        self._due = 0.0
        """When a slice is read although there is more to capture."""
        self._calm = 0.0
        """When the last large piece is long enough ago."""
        self._file = -1
        self._file_base = self._file_end = 0

    def take(self, stream: int, data: memoryview, offset: int, kept: int) -> None:
        """A piece was captured: `kept` bytes of it are in the files, from `offset` on; the rest is nowhere."""
        if not self._pieces and len(data) <= min(AT_ONCE, self._slice):
            self._show(stream, data)
            return
        if len(data) >= LARGE:
            self._calm = boot_seconds() + CALM
        if kept:
            self._wait(stream, offset, offset + kept)
        if kept < len(data):
            # The disk is full: what is not read now will never be. Its place is behind all that waits.
            self.rest(AT_THE_END)
            self._heed(stream, data[kept:])
        while len(self._pieces) > MOST_PIECES:
            self.read()

    def _wait(self, stream: int, begin: int, end: int) -> None:
        self.waiting += end - begin
        if self._pieces and self._pieces[-1][0] == stream and self._pieces[-1][2] == begin:
            begin = self._pieces.pop()[1]
        self._pieces.append((stream, begin, end))

    def patience(self) -> float | None:
        """Milliseconds until a slice may be read if nothing more is printed; None: nothing waits."""
        if not self._pieces:
            return None
        until = min(self._calm, self._due) - boot_seconds()
        return until * 1000 + 0.5 if until > 0 else 0.0

    def catch_up(self, *, busy: bool) -> None:
        """Read one slice of what waits. `busy`: there was more to capture, which comes first."""
        if not self._pieces:
            return
        begun = boot_seconds()
        if (busy or begun < self._calm) and begun < self._due:
            return
        self.read()
        self._due = begun + SHARE * (boot_seconds() - begun)

    def rest(self, seconds: float) -> None:
        """Read all that waits: whole for so many seconds of processor time, then only the end of it."""
        until = process_time() + seconds
        while self._pieces:
            if process_time() >= until and self.waiting > LAST:
                self._skip(self.waiting - LAST)
            self.read(LARGEST)

    def read(self, most: int = 0) -> None:
        """Read a slice; of that many bytes when nobody waits for it to end."""
        stream, begin, end = self._pieces.popleft()
        try:
            at, data = self._from_file(begin, min(end - begin, most or self._slice))
        except OSError:
            at, data = end, b""
        at = min(at, end)
        if at > begin:
            self._lost(stream, at - begin)
        data = data[: end - at]
        self.waiting -= len(data)
        if at + len(data) < end:
            self._pieces.appendleft((stream, at + len(data), end))
        if data:
            self._show(stream, data)

    def _show(self, stream: int, data: bytes | memoryview) -> None:
        """Have it read, and learn from how long that took."""
        begun = boot_seconds()
        self._heed(stream, data)
        took = boot_seconds() - begun
        if took > SLICE_SECONDS:
            self._slice = max(SMALLEST, self._slice // 2)
        elif len(data) >= self._slice and took < SLICE_SECONDS / 2:
            self._slice = min(LARGEST, self._slice * 2)

    def _lost(self, stream: int, count: int) -> None:
        """These bytes cannot be read: the line they stood in ends here."""
        self.waiting -= count
        self.unread += count
        self._heed(stream, b"\n")

    def _skip(self, count: int) -> None:
        while count:
            stream, begin, end = self._pieces.popleft()
            gone = min(count, end - begin)
            count -= gone
            if begin + gone < end:
                self._pieces.appendleft((stream, begin + gone, end))
            self._lost(stream, gone)

    def _from_file(self, begin: int, most: int) -> tuple[int, bytes]:
        """(where they begin, bytes): from `begin`, or from the oldest that is kept. Raises OSError."""
        if not self._file_base <= begin < self._file_end:
            found = segments(self._folder)
            segment = holding(found, begin)
            if segment is None:
                raise FileNotFoundError
            later = [each.base for each in found if each.base > segment.base]
            self.close()
            self._file = os.open(segment.output, os.O_RDONLY | os.O_CLOEXEC)
            self._file_base = segment.base
            # The newest still grows.
            self._file_end = later[0] if later else segment.base + os.fstat(self._file).st_size
        begin = max(begin, self._file_base)
        data = os.pread(self._file, min(most, self._file_end - begin), begin - self._file_base)
        if not data:
            raise FileNotFoundError
        return begin, data

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self._file_base = self._file_end = 0
