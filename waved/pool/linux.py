"""The few Linux calls Python has no name for, and the clock all processes of a daemon share."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}.get(os.uname().machine)
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""size, sched_policy, sched_flags, sched_nice, sched_priority, sched_runtime, sched_deadline, sched_period."""
_RESET_ON_FORK = 1
SHORT_TURN = 100_000
"""Nanoseconds; the shortest there is."""
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


def run_when_woken() -> None:
    """Run as soon as this process is woken, however busy the processors are, for no more of them than others have.

    By short turns of its own (sched_setattr(2): `sched_runtime`); its children have the usual ones. Linux before 6.12
    takes no notice. Not under another policy than the usual, and not with a priority that children would lose by it.
    """
    with contextlib.suppress(OSError):
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        if _SCHED_SETATTR and os.sched_getscheduler(0) == os.SCHED_OTHER and nice >= 0:
            size, policy, flags, priority = _ATTRIBUTES.size, os.SCHED_OTHER, _RESET_ON_FORK, 0
            attributes = _ATTRIBUTES.pack(size, policy, flags, nice, priority, SHORT_TURN, 0, 0)
            _libc.syscall(_SCHED_SETATTR, 0, attributes, 0)


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
