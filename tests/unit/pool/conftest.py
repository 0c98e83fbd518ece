"""A worker in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from waved.pool import tree, worker
from waved.pool.birth import Cradle
from waved.pool.channel import Channel


@pytest.fixture
def channel() -> Iterator[Channel]:
    """The daemon's end of a channel to a new worker, which is gone when the test is over."""
    ours, theirs = Channel.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            worker.main(theirs, Cradle.here(None))
        finally:
            os._exit(0)
    theirs.close()
    ours.sock.settimeout(20)
    yield ours
    ours.close()
    process = tree.look(pid)
    ended = end_of(pid)
    assert ended in (0, signal.SIGKILL), process


def end_of(pid: int) -> int:
    """How a worker ended whose daemon is gone. What a test that failed left running under it is killed."""
    due = time.monotonic() + 10
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > due:
            tree.kill(pid)
        time.sleep(0.005)
