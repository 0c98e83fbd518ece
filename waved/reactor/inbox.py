"""How other threads speak to the reactor: they put a message, the reactor's poll wakes up."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from waved.domain.events import Event

News = Event | Callable[[], None]
"""An event to be recorded, or a function to be called in the reactor's thread."""


class Inbox:
    """A thread-safe queue with a descriptor to poll."""

    def __init__(self) -> None:
        self._queue: deque[News] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable when something was put."""
        return self._fd

    def put(self, news: News) -> None:
        """From any thread, or a signal handler."""
        self._queue.append(news)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self._fd, 1)

    def take(self) -> list[News]:
        """Everything that was put so far."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        taken = []
        while self._queue:
            taken.append(self._queue.popleft())
        return taken

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


class SignalWakeup:
    """Makes a signal wake the reactor's poll whichever thread the kernel delivers it to (signal.set_wakeup_fd)."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Readable after a signal."""
        return self._read

    def clear(self) -> None:
        """The handlers have run (in the main thread, before this): nothing is left to do."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def close(self) -> None:
        """Stop watching."""
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


class Helpers:
    """Threads for what may block: disk scans, git, JUnit, logs. `job` runs there and speaks through the inbox."""

    def __init__(self, inbox: Inbox, threads: int = 4) -> None:
        self.inbox = inbox
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="waved-helper")
        # All are started now: later there may be no process to be had, and a job would wait for ever.
        together = Barrier(threads)
        for _ in range(threads):
            self._executor.submit(together.wait)

    def run(self, job: Callable[[], None], on_defect: Callable[[BaseException], None]) -> None:
        """Run `job` on a helper thread; a defect in it is reported in the reactor's thread instead of vanishing."""

        def guarded() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 — reported to the reactor, which logs it and answers
                defect = error
                self.inbox.put(lambda: on_defect(defect))

        self._executor.submit(guarded)

    def close(self) -> None:
        """Do not wait for what is still running."""
        self._executor.shutdown(wait=False, cancel_futures=True)
