"""Reaching files below the workspace without ever passing a symbolic link.

Each folder on the way is opened from its parent's descriptor with O_NOFOLLOW: an agent that swaps a folder for a link
in the middle of a snapshot or a restore gets an error, never a file outside (openat(2), O_PATH).
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
TRIES = 3
"""Times a file is read that changes meanwhile."""
SETTLED = 20_000_000
"""Nanoseconds after its last change from which on a file's times tell every later change (they have that grain)."""
SETTLED_COARSE = 2_000_000_000
"""The same where times are whole seconds."""


class Folders:
    """The folders on the way to the path looked at last, held open: neighbours cost one call each."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._parts: list[bytes] = []
        self._fds: list[int] = []
        self._last: bytes = b""

    def parent(self, path: bytes) -> tuple[int, bytes]:
        """Descriptor of the folder that holds `path`, and the last part of it; valid until the next call.

        Raises OSError: NotADirectoryError where a part is a link or a file.
        """
        folder, _, name = path.rpartition(b"/")
        if folder == self._last:
            return (self._fds[-1] if self._fds else self._root), name
        parts = folder.split(b"/") if folder else []
        shared = 0
        for one, other in zip(parts, self._parts, strict=False):
            if one != other:
                break
            shared += 1
        self._shorten(shared)
        for part in parts[shared:]:
            fd = os.open(part, FOLDER, dir_fd=self._fds[-1] if self._fds else self._root)
            self._fds.append(fd)
            self._parts.append(part)
            self._last = b"/".join(self._parts)
        self._last = folder
        return (self._fds[-1] if self._fds else self._root), name

    def make(self, path: bytes) -> tuple[int, bytes]:
        """Like `parent`, making the folders that are missing."""
        self.forget()
        folder, _, name = path.rpartition(b"/")
        for part in folder.split(b"/") if folder else []:
            above = self._fds[-1] if self._fds else self._root
            try:
                fd = os.open(part, FOLDER, dir_fd=above)
            except FileNotFoundError:
                os.mkdir(part, 0o777, dir_fd=above)
                fd = os.open(part, FOLDER, dir_fd=above)
            self._fds.append(fd)
            self._parts.append(part)
            self._last = b"/".join(self._parts)
        return (self._fds[-1] if self._fds else self._root), name

    def forget(self) -> None:
        """Close the folders: what was seen of them is not relied upon any more."""
        self._shorten(0)

    def _shorten(self, length: int) -> None:
        while len(self._fds) > length:
            os.close(self._fds.pop())
            self._parts.pop()
        self._last = b"/".join(self._parts)

    def __enter__(self) -> Folders:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()


@dataclass(frozen=True, slots=True)
class Content:
    """A file or link as it was read."""

    data: bytes
    status: os.stat_result
    settled: bool
    """False: it was written to while it was read, each time."""
    trusted: bool
    """Whether a later change is bound to show in its times."""


class TooLargeError(Exception):
    """The file grew beyond the limit before it was read."""


def read(folder: int, name: bytes, limit: int) -> Content:
    """The content of the file or link `name`: of a link, where it leads. Raises OSError, TooLargeError.

    IsADirectoryError for a folder; OSError without a number for what has no content (sockets, pipes, devices).
    """
    data = b""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    for _ in range(TRIES):
        began = time.time_ns()
        if stat.S_ISLNK(status.st_mode):
            data = os.readlink(name, dir_fd=folder)
            again = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if _same(status, again):
                return Content(data, status, settled=True, trusted=_trusted(status, began))
            status = again
            continue
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError if stat.S_ISDIR(status.st_mode) else OSError(f"is {kind(status.st_mode)}")
        fd = os.open(name, READ, dir_fd=folder)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                continue
            data = _all(fd, status.st_size, limit)
            again = os.fstat(fd)
        finally:
            os.close(fd)
        if _same(status, again) and len(data) == status.st_size:
            return Content(data, status, settled=True, trusted=_trusted(status, began))
        status = again
    return Content(data, status, settled=False, trusted=False)


def kind(mode: int) -> str:
    """What a path is, in words."""
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISREG(mode):
        return "a file"
    return {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(mode), "a device")


def _all(fd: int, size: int, limit: int) -> bytes:
    if size > limit:
        raise TooLargeError
    data = os.read(fd, size + 1)
    if len(data) == size:
        return data
    pieces = [data]
    total = len(data)
    while data:
        if total > limit:
            raise TooLargeError
        data = os.read(fd, 1024 * 1024)
        pieces.append(data)
        total += len(data)
    return b"".join(pieces)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino, one.st_mode) == (
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
        other.st_ino,
        other.st_mode,
    )


def _trusted(status: os.stat_result, now: int) -> bool:
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    coarse = status.st_mtime_ns % 1_000_000_000 == 0 and status.st_ctime_ns % 1_000_000_000 == 0
    return changed + (SETTLED_COARSE if coarse else SETTLED) < now
