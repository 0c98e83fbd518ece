"""The files in which some programs report what they do not print, fed to the run's reader."""

from __future__ import annotations

import os
from pathlib import Path

from waved.agents.activity import Activity
from waved.agents.reader import SIDE, Reader

LARGEST = 8 * 1024 * 1024
"""Bytes of a file that is read as a whole; a larger one is left unread."""
_PIECE = 256 * 1024


class SideFileTail:
    """Reads a reader's side files, a bounded piece at a time. Call `poll` now and then, and `drain` at the end."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._offsets = [0] * len(reader.side_files)
        self._seen = [(-1, -1)] * len(reader.side_files)

    def __bool__(self) -> bool:
        """Whether there is anything to poll."""
        return bool(self._offsets)

    def poll(self) -> list[Activity]:
        """What is new, of each file at most a quarter of a megabyte. A file that is not there yet is not new."""
        activities: list[Activity] = []
        for number, side in enumerate(self._reader.side_files):
            data = self._replaced(number, side.path) if side.whole else self._appended(number, side.path)
            if data:
                activities += self._reader.feed(data, SIDE + number)
        return activities

    def drain(self, most: int = 4 * LARGEST) -> list[Activity]:
        """All that is left, after the program has ended; at most so many bytes, whoever goes on writing."""
        activities = self.poll()
        for _ in range(most // _PIECE):
            before = list(self._offsets)
            activities += self.poll()
            if self._offsets == before:
                break
        return activities

    def _appended(self, number: int, path: Path) -> bytes:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            data = os.pread(fd, _PIECE, self._offsets[number])
        except OSError:
            return b""
        finally:
            os.close(fd)
        self._offsets[number] += len(data)
        return data

    def _replaced(self, number: int, path: Path) -> bytes:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._seen[number] or status.st_size > LARGEST:
                return b""
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            data = os.read(fd, LARGEST)
        except OSError:
            return b""
        finally:
            os.close(fd)
        self._seen[number] = stamp
        return data
