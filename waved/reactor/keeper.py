"""Snapshots and restores of all sessions: on threads of their own, one git job at a time in a workspace (R1–R5).

Nothing here changes state or decides anything: a job is given what to do, and what it found comes back as its result.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from waved.plan.guards import Snapshots
from waved.workspace.records import SnapshotLimits
from waved.workspace.shadow import Shadow

MAX_AGE = 30 * 86400.0
"""Seconds a snapshot is kept at least, if there is room."""
MAX_COUNT = 2_000
"""Snapshots of one workspace."""
MAX_BYTES = 10 * 1024**3
"""What the store of one workspace may take when nobody works there."""
THREADS = 8
"""Workspaces whose snapshots are taken or restored at once."""
Job = Callable[[], None]


class Keeper:
    """The threads, and the shadow repositories. `state`: the state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="waved-keeper")
        self._lock = Lock()
        self._waiting: dict[str, deque[Job]] = {}
        """Jobs by workspace; a workspace is in it while one of its jobs is under way."""
        self._shadows: dict[str, Shadow] = {}
        """By session: each remembers which folder it began with, so that another in its place is noticed."""

    def run(self, workspace: str, job: Job, failed: Callable[[BaseException], None], *, urgent: bool = False) -> None:
        """Do `job` when no other of this workspace is under way; an urgent one goes before those that wait.

        `failed` is called, on the job's thread, with what it raises. Both must not block the reactor for long.
        """

        def guarded() -> None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 — whoever waits for the job is told, whatever it is
                failed(error)

        with self._lock:
            waiting = self._waiting.get(workspace)
            if waiting is not None:
                if urgent:
                    waiting.appendleft(guarded)
                else:
                    waiting.append(guarded)
                return
            self._waiting[workspace] = deque([guarded])
        try:
            self._executor.submit(self._drain, workspace)
        except RuntimeError as error:  # no thread can be made, or we are closing
            with self._lock:
                self._waiting.pop(workspace, None)
            failed(error)

    def _drain(self, workspace: str) -> None:
        while True:
            with self._lock:
                waiting = self._waiting[workspace]
                if not waiting:
                    del self._waiting[workspace]
                    return
                job = waiting.popleft()
            job()

    def shadow(self, session: str, workspace: Path, settings: Snapshots) -> Shadow:
        """The snapshots of a session's workspace. In a job only: it may run git. Raises as `Shadow` does."""
        found = self._shadows.get(session)
        if found is None:
            limits = SnapshotLimits(max_file=settings.max_file, include=tuple(settings.include))
            found = self._shadows[session] = Shadow.open(self._state, workspace, limits)
        return found

    def adopt(self, workspace: Path, settings: Snapshots) -> Shadow:
        """The snapshots of a workspace for a person, who means the folder that is there now, old or new. In a job."""
        limits = SnapshotLimits(max_file=settings.max_file, include=tuple(settings.include))
        return Shadow.adopt(self._state, workspace, limits)

    def tidy(self, workspace: Path, settings: Snapshots) -> bool:
        """Drop what is too old or too much, if anything is; whether it was. In a job, while nobody works there: it may
        take minutes.
        """
        shadow = self.adopt(workspace, settings)
        kept = shadow.snapshots()
        old = bool(kept) and kept[0].time < time.time() - MAX_AGE
        if not old and len(kept) <= MAX_COUNT and shadow.size().bytes <= MAX_BYTES:
            return False
        shadow.expire(max_age=MAX_AGE, max_count=MAX_COUNT, max_bytes=MAX_BYTES)
        return True

    def forget(self, session: str) -> None:
        """The session is over."""
        self._shadows.pop(session, None)

    def close(self) -> None:
        """Do not wait for what is under way: a restore that is cut off is put right by the next job (`Shadow`)."""
        self._executor.shutdown(wait=False, cancel_futures=True)
