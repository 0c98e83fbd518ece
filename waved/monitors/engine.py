"""The engine of a session's monitors: one thread from the change feed to what is reported (requirements M2, M6, P2).

    feed ─► attribution ─► monitors ─► report(Batch)
                              │  ▲
                              ▼  │
                           inspector

The thread sleeps until the kernel tells of a change, the inspector answers, another thread asks for something, or
something falls due; at rest nothing does. While no agent runs nothing is swept.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from waved.monitors import registry
from waved.monitors.base import Batch, Judged, Report, Running, Site
from waved.monitors.outgoing import spelled
from waved.monitors.pauses import Pauses
from waved.monitors.versions import Versions
from waved.monitors.watch import Watch
from waved.plan.guards import MonitorBase
from waved.workspace.feed import LostError


class Engine:
    """What `waved.monitors.base.Watching` says. `most_watches`: folders inotify watches, at most; None: as many as is
    decent (`waved.workspace.feed.watch_limit`)."""

    def __init__(
        self, monitors: Sequence[MonitorBase], site: Site, report: Report, most_watches: int | None = None
    ) -> None:
        self._site = site
        self._report = report
        self._pauses = Pauses()
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._alarm_lock = threading.Lock()
        self._closing = False
        self._lost = ""
        self._watch = Watch(monitors, site, report, self._pauses, self._wake, most_watches)
        self._versions = Versions(site, registry.content_monitors(monitors), self._watch.had_content)
        self._thread = threading.Thread(target=self._run, name="waved-guard", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def set_running(self, running: Sequence[Running]) -> None:
        """Who is at work from now on."""
        at_work = tuple(running)
        self._call(lambda: self._watch.set_running(at_work))

    def wrote(self, assignment: str, path: str) -> None:
        """The assignment's own output says it wrote the path."""
        at = time.monotonic()
        self._call(lambda: self._watch.outgoing.said(assignment, path, at))

    def judge(self, token: str) -> None:
        """Take in and judge every change made so far, and report `Judged(token)`."""
        self._call(lambda: self._watch.judge(token), lambda: self._judge_nothing(token))

    def approve(self, monitor: str, path: str) -> None:
        """Be silent about the file until it changes."""
        self._call(lambda: self._watch.approve(monitor, path))

    def pause(self, paths: Iterable[str] | None) -> None:
        """waved itself writes these paths from now on; None: any."""
        # Not by way of the queue: the first byte may be written as soon as this returns.
        self._pauses.pause(paths)

    def resume(self, paths: Iterable[str] | None) -> None:
        """It has written them."""
        written = None if paths is None else tuple(paths)
        self._call(lambda: self._watch.resume(written))

    def is_good(self, monitor: str, path: str, data: bytes) -> bool:
        """Whether the monitor would find nothing in this version of the file; waits for the inspector."""
        return self._versions.is_good(monitor, path, data)

    def close(self) -> None:
        """Stop, wait for the thread, and leave nothing behind."""
        self._closing = True
        if self._thread.ident is not None:
            self._wake()
            self._thread.join()
        self._versions.close()
        with self._alarm_lock:
            if self._alarm >= 0:
                os.close(self._alarm)
                self._alarm = -1

    def _call(self, call: Callable[[], None], if_lost: Callable[[], None] = lambda: None) -> None:
        self._calls.put(lambda: if_lost() if self._lost else call())
        self._wake()

    def _wake(self) -> None:
        with self._alarm_lock:
            if self._alarm >= 0:
                os.eventfd_write(self._alarm, 1)

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        watch = self._watch
        try:
            watch.open()
            while not self._closing:
                self._answer_calls()
                watch.turn()
                self._wait(watch.descriptors(), watch.deadline())
        except LostError as error:
            self._lost = f"the workspace {self._site.workspace} {error}"
        except Exception as error:  # noqa: BLE001 — a defect here must be told, and must not be the daemon's end
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            self._lost = f"the guard of {self._site.workspace} failed: {what}"
        watch.close()
        if self._lost and not self._closing:
            self._say_lost()

    def _answer_calls(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._calls.get_nowait()()

    def _wait(self, descriptors: Sequence[int], due: float | None) -> None:
        poll = select.poll()
        for fd in (self._alarm, *descriptors):
            poll.register(fd, select.POLLIN)
        # Rounded up: a millisecond too late costs nothing, one too early a second look at nothing.
        poll.poll(None if due is None else max(0.0, due - time.monotonic()) * 1000 + 1)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._alarm)

    def _say_lost(self) -> None:
        """Nothing is watched any more, which is said once; who asks later is told so."""
        watch = self._watch
        unanswered = tuple(Judged(token, watch.open_sightings(), self._lost) for token in watch.tokens())
        watch.outgoing.send(time.monotonic(), clean=False, judged=unanswered, lost=self._lost)
        while not self._closing:
            self._answer_calls()
            self._wait((), None)

    def _judge_nothing(self, token: str) -> None:
        self._report(spelled(Batch(judged=(Judged(token, self._watch.open_sightings(), self._lost),))))
