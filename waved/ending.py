"""The end of the daemon's process, which nothing that hangs may keep: no thread, and no git that a thread waits for."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from waved.pool import tree

PATIENCE = 5.0
"""Seconds that work under way on other threads may still take. What is cut off then is put right by the next daemon, as
after `kill -9`.
"""


def leave(patience: float = PATIENCE) -> None:
    """Return when all other threads have ended; if they do not, end what they wait for, and the process."""
    until = time.monotonic() + patience
    ours = threading.main_thread()
    for thread in threading.enumerate():
        if thread is not ours and not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
    hanging = [thread.name for thread in threading.enumerate() if thread is not ours and not thread.daemon]
    if not hanging:
        return
    import structlog  # after `waved.log`, which keeps out of it what a daemon does not need

    left = _children()
    structlog.get_logger("waved").error("daemon.end-forced", threads=hanging, ended=[child.name for child in left])
    for child in left:
        tree.send(child, signal.SIGSTOP)  # it starts nothing more
        tree.kill(child.pid)
        tree.send(child, signal.SIGKILL)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _children() -> list[tree.Process]:
    """Programs that this process runs for itself: agents and their workers have sessions of their own (setsid(2))."""
    mine = os.getsid(0)
    found = [tree.look(pid) for pid in tree.children(os.getpid()) if tree.session_of(pid) == mine]
    return [process for process in found if process is not None]
