"""The few Linux calls Python has no name for (prctl(2)), and the clock all processes of a daemon share."""

from __future__ import annotations

import contextlib
import ctypes
import time

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphaned descendants become our children, whatever they forked or called setsid (prctl(2))."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_process_name(name: str) -> None:
    """What `ps -o comm` and `top` show; at most 15 bytes (proc(5), /proc/pid/comm)."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as file:  # noqa: PTH123 — in every forked worker
        file.write(name.encode()[:15])


OOM_SCORE = 300
"""Added to the score of workers and agents, of 1000: enough that the daemon is not the one that is killed."""


def offer_to_oom_killer() -> None:
    """When memory runs out, agents are to be killed before the daemon that tells of it (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+b", 0) as file:  # noqa: PTH123
        if int(file.read()) < OOM_SCORE:
            file.write(b"%d" % OOM_SCORE)


def boot_seconds() -> float:
    """Seconds since boot, suspended time included: the same for every process, never set back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
