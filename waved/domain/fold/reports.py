"""How what is told of a session's report changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.state import ReportState, Session


def _writing(session: Session, event: ev.ReportWriting) -> None:
    # How the session has left its workspace was kept at its end, and is not looked at again.
    snapshot = session.report.snapshot if session.report is not None else ""
    session.report = ReportState(event.time, snapshot=snapshot)


def _written(session: Session, event: ev.ReportWritten) -> None:
    report = session.report
    if report is None:
        return
    report.state = "written" if event.kept else "failed"
    report.files, report.change_log = list(event.files), event.change_log
    report.snapshot = event.snapshot or report.snapshot
    report.error, report.seconds = event.error, event.seconds


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.ReportWriting: _writing,
    ev.ReportWritten: _written,
}
