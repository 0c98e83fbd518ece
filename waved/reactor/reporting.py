"""When reports are made, and by whom: a process beside the daemon, one at a time (requirement C3).

At the end of a session the workspace is kept in a snapshot and compared with the first one, by the keeper as all git
jobs; the rest is the reporter's (`waved.report.program`): it folds the journal, renders, writes. What it has done comes
back as `report.written`; a daemon that dies before has the next one do it again. Nothing of it can fail a session.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from waved import failpoints
from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Session
from waved.errors import ResourceError, WavedError
from waved.journal.store import Journal
from waved.masking import Masks
from waved.reactor import beside
from waved.reactor.clock import Clock
from waved.reactor.differing import differing, end_of, span_of, why_not
from waved.reactor.inbox import Inbox
from waved.reactor.keeper import Keeper
from waved.report.asking import PROGRAM, Answer, Request, kept_path
from waved.report.given import Changes
from waved.workspace.records import Label
from waved.workspace.shadow import Shadow

VARIABLE = "WAVED_REPORTS"
"""With "0", no session that is submitted is reported at its end: for tests and benchmarks of other things."""
PATIENCE = 120.0
"""Seconds the reporter may take."""
DIFF = 400_000
"""Bytes of a diff that it is given."""
MOST_WAITING = 32
"""Reports that are asked for and not made yet."""

log = structlog.get_logger("waved")
Told = Callable[[dict[str, Any]], None]
Failed = Callable[[BaseException], None]


def is_wanted() -> bool:
    """Whether sessions are reported at all."""
    return os.environ.get(VARIABLE, "") != "0"


class Reporting:
    """Has reports made. All of it in the reactor's thread, but the waiting for git and for the reporter."""

    def __init__(
        self, locations: Locations, journal: Journal, keeper: Keeper, masks: Masks, clock: Clock, inbox: Inbox
    ) -> None:
        self._locations = locations
        self._journal = journal
        self._keeper = keeper
        self._masks = masks
        self._clock = clock
        self._inbox = inbox
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="waved-report")
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._waiting = 0
        self.writing: set[str] = set()
        """Sessions whose report is being written."""

    def write(self, session: Session, *, again: bool = False) -> None:
        """The session has ended: write its report. `report.written` comes when it is done, whatever became of it.

        `again`: it was tried at the end. Only that moment shows what the session left behind; what of it was not kept
        then is not taken from the workspace as it is by now.
        """
        self.writing.add(session.id)
        began = time.monotonic()

        def report(answer: Answer, snapshot: str) -> None:
            errors = "; ".join([*answer.errors, *filter(None, [answer.problem])])
            if errors:
                log.warning("report", session=session.id, problem=errors)
            self._inbox.put(
                ev.ReportWritten(
                    session.id, answer.kept, answer.files, answer.change_log, snapshot, errors[:2_000],
                    round(time.monotonic() - began, 3),
                )
            )  # fmt: skip

        def make(changes: Changes, snapshot: str) -> None:
            failpoints.hit("report.before-writing")
            request = self._request(session, changes, "", again=again)
            self._make(request, lambda answer: report(answer, snapshot))

        self._look(session, make, keep=not again)

    def render(self, session: Session, form: str, told: Told, failed: Failed) -> None:
        """Have a report made now, of a session that goes on or has none written. `told` and `failed` are called in the
        reactor's thread. Raises ResourceError when too many wait.
        """
        if self._waiting >= MOST_WAITING:
            raise ResourceError(f"{MOST_WAITING} reports are being made already", "ask again in a moment")
        self._waiting += 1

        def make(changes: Changes, _snapshot: str) -> None:
            self._make(self._request(session, changes, form), done)

        def done(answer: Answer) -> None:
            self._inbox.put(partial(answered, answer))

        def answered(answer: Answer) -> None:
            self._waiting -= 1
            if answer.problem:
                failed(ResourceError(f"the report of {session.id} cannot be made: {answer.problem}"))
            else:
                told({"content": answer.content, "live": session.phase != "ended", "path": ""})

        self._look(session, make, keep=False)

    def kept(self, session: Session, form: str) -> dict[str, Any] | None:
        """A report that was written; None when it is gone. On a helper thread."""
        path = kept_path(self._locations.session(session.id), form)
        try:
            content = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return {"content": content, "live": False, "path": str(path)}

    def done(self, session: str) -> None:
        """`report.written` was taken in."""
        self.writing.discard(session)

    def close(self) -> None:
        """End the reporter: what it has not said it has done is done again by the next daemon."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        self._executor.shutdown(wait=False, cancel_futures=True)

    # --- what differs -------------------------------------------------------------------------------------------

    def _look(self, session: Session, make: Callable[[Changes, str], None], *, keep: bool) -> None:
        """Find out what the session has changed, then `make`. `keep`: the session has just ended, keep that in a
        snapshot.
        """
        span = span_of(session)
        if span is None:
            self._run(partial(make, Changes(why=why_not(session)), ""))
            return

        def job() -> None:
            shadow = self._shadow(session)
            snapshot = ""
            until = end_of(shadow, span.until) if span.until else None
            if keep:
                until = shadow.take(Label("end", session.id))
                snapshot = until.id
            changes = differing(shadow, session, span, until, DIFF)
            self._run(partial(make, changes, snapshot))

        def failed(error: BaseException) -> None:
            why = error.message if isinstance(error, WavedError) else f"{type(error).__name__}: {error}"
            self._run(partial(make, Changes(why=why), ""))

        self._keeper.run(session.workspace, job, failed)

    def _shadow(self, session: Session) -> Shadow:
        """The workspace must be the one of the session: nothing of another that took its place is told."""
        shadow = self._keeper.shadow(session.id, Path(session.workspace), session.plan.snapshots)
        if session.phase == "ended":
            self._keeper.forget(session.id)
        return shadow

    # --- the process --------------------------------------------------------------------------------------------

    def _request(self, session: Session, changes: Changes, form: str, *, again: bool = False) -> Request:
        return Request(
            str(self._journal.path.absolute()), session.id, self._journal.last_seq, self._clock.now(),
            str(self._locations.session(session.id)), form, self._masks.secrets, changes, again,
        )  # fmt: skip

    def _run(self, job: Callable[[], None]) -> None:
        """In the reporter's thread: one report at a time."""
        try:
            self._executor.submit(self._guarded, job)
        except RuntimeError:  # we are closing
            return

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            log.exception("defect", where="report", exc_info=error)

    def _make(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Run the reporter, and tell what it says; nothing when we are closing."""
        try:
            answer = self._asked(request)
        except (OSError, ValueError, TypeError) as error:
            answer = Answer(problem=f"{type(error).__name__}: {error}")
        if not self._closed:
            done(answer)

    def _asked(self, request: Request) -> Answer:
        process = beside.start(PROGRAM, given=True)
        self._process = process
        if self._closed:
            process.kill()
        try:
            said, complained = process.communicate(request.packed(), timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Answer(problem=f"it was not made within {PATIENCE:g} s")
        finally:
            self._process = None
        if process.returncode:
            return Answer(problem=beside.complaint(process.returncode, complained))
        try:
            return Answer.unpacked(said)
        except json.JSONDecodeError:
            return Answer(problem="the reporter said nothing that can be read")
