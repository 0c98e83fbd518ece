"""The few Linux calls Python has no name for (prctl(2)), and the clock all processes of a daemon share."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl


def become_subreaper() -> None:
    """Orphaned descendants become our children, whatever they forked or called setsid (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """End this process when the thread that started it ends, and now if that has happened already (PR_SET_PDEATHSIG).

    `parent`: the pid of the process that started it.
    """
    import signal

    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the daemon has gone")


def set_process_name(name: str) -> None:
    """What `ps -o comm` and `top` show; at most 15 bytes (proc(5), /proc/pid/comm)."""
    with contextlib.suppress(OSError):
        write_small("/proc/self/comm", name.encode()[:15])


OOM_SCORE = 300
"""Added to the score of workers and agents, of 1000: enough that the daemon is not the one that is killed."""
OOM_SCORE_OF_HELP = 900
"""Of a process whose work may as well be left undone."""


def offer_to_oom_killer(score: int = OOM_SCORE) -> None:
    """When memory runs out, agents are to be killed before the daemon that tells of it (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError, ValueError):
        if int(read_small("/proc/self/oom_score_adj")) < score:
            write_small("/proc/self/oom_score_adj", b"%d" % score)


def boot_seconds() -> float:
    """Seconds since boot, suspended time included: the same for every process, never set back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_small(path: str) -> bytes:
    """The first 4 KB of a file of the kernel's. Raises OSError.

    Without Python's file objects: a forked process copies each page of memory it touches, and these touch many.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def write_small(path: str, data: bytes) -> None:
    """Write a few bytes to a file that exists, as `read_small` reads them. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
