"""inotify(7), as far as the feed needs it: watches on open folders, and a read that takes all there is.

Written here because the libraries at hand cannot serve a daemon that has to miss nothing: `watchfiles` has no way to
say that the kernel's queue ran over, misses what is written into a folder before it has put its watch there, watches
what git ignores, and wakes up 190 times a second at rest; `inotify_simple` starts ldconfig to find the C library.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Iterator
from fcntl import ioctl
from struct import Struct
from termios import FIONREAD

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
OVERFLOW = 0x4000
IGNORED = 0x8000
ONLYDIR = 0x1000000
EXCL_UNLINK = 0x4000000
ISDIR = 0x40000000

_HEAD = Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """One inotify instance. Raises OSError: EMFILE when the user has no instance left."""

    def __init__(self) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))

    def fileno(self) -> int:
        """The descriptor, for poll(2)."""
        return self._fd

    def watch(self, fd: int, mask: int) -> int:
        """Watch what is open as `fd`; returns the watch. Raises OSError: ENOSPC when no watch is left."""
        # By way of /proc: a path could have been replaced by a symbolic link since it was looked at.
        return _checked(_libc.inotify_add_watch(self._fd, b"/proc/self/fd/%d" % fd, mask))

    def forget(self, watch: int) -> None:
        """Take a watch away; one that is gone already is no error."""
        _libc.inotify_rm_watch(self._fd, watch)

    def read(self) -> Iterator[tuple[int, int, str]]:
        """All that happened until now: (watch, mask, name). The kernel's queue bounds how much that is."""
        waiting = array("i", [0])
        ioctl(self._fd, FIONREAD, waiting)
        if not waiting[0]:
            return
        data = os.read(self._fd, waiting[0])
        position = 0
        while position < len(data):
            watch, mask, _, size = _HEAD.unpack_from(data, position)
            position += _HEAD.size
            name = data[position : position + size].partition(b"\0")[0]
            position += size
            yield watch, mask, os.fsdecode(name)

    def close(self) -> None:
        """Give the instance and all its watches back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
