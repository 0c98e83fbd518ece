"""What a daemon hands to the program that replaces it (`wavectl daemon upgrade`): its locks and its listening socket.

The process stays the same, and so do these: nobody else can take the state folder in between, and clients that
connect meanwhile wait in the socket's queue instead of finding nobody.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

_HELD_BACK = (signal.SIGTERM, signal.SIGINT)
"""Signals that must not meet a program that has no handlers yet."""


class Inheritance:
    """Descriptors from the program before, each taken at most once by what it turns out to be."""

    def __init__(self, text: str = "") -> None:
        """`text`: numbers separated by commas. What is no descriptor is left out."""
        self._left: list[int] = []
        for word in filter(str.isdigit, text.split(",")):
            try:
                os.set_inheritable(int(word), False)
            except OSError:
                continue
            self._left.append(int(word))

    def file(self, path: Path) -> int | None:
        """The descriptor of the file that is now at `path`; None when none was handed over."""
        try:
            wanted = path.stat()
        except OSError:
            return None
        for fd in self._left:
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                self._left.remove(fd)
                return fd
        return None

    def listener(self, path: Path) -> socket.socket | None:
        """The socket that listens at `path`; None when none was handed over, or the path is no socket any more."""
        if not path.is_socket():
            return None
        for fd in self._left:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                found = socket.socket(fileno=fd)
                if found.getsockname() == str(path):
                    self._left.remove(fd)
                    return found
                found.detach()
        return None

    def close(self) -> None:
        """Close what nobody wanted."""
        for fd in self._left:
            os.close(fd)
        self._left.clear()


def program() -> list[str]:
    """The command line this program was started with, without its options: also after the package was replaced."""
    options = len(sys.argv) - 1
    words = sys.orig_argv[: len(sys.orig_argv) - options]
    return [sys.executable, *words[1:]]


def replace(command: Sequence[str], hand_over: Sequence[int]) -> None:
    """Become `command` with these descriptors. Only returns by raising OSError."""
    for fd in hand_over:
        os.set_inheritable(fd, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    handed = ",".join(map(str, hand_over))
    os.execv(command[0], [*command, "--inherited", handed])  # noqa: S606 — an argument list, no shell


def signals_welcome() -> None:
    """The handlers are in place: what was held back since `replace` may come."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
