"""How events of the preview and of commands that are monitors change a session. Nobody waits for their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.fold.findings import guards_of, of_kind, outdated
from waved.domain.ladders import PREVIEW
from waved.domain.state import Run, Session
from waved.domain.state_guards import PreviewState

RESTARTS = 5
"""The preview is started again at most so often within `PER`, when it ends by itself."""
PER = 60.0
"""Seconds."""
LONGEST_PAUSE = 8.0
"""Seconds between two starts of a preview that ends at once."""

KEPT_RUNS = 50
"""So many runs of the preview, and of each command, are remembered."""


def preview_labels(session: Session) -> list[str]:
    """The monitors that speak of the preview; what happens to it is told also where the plan has none."""
    return of_kind(session, "preview") or [PREVIEW]


def starting(session: Session, run: Run) -> None:
    """A run of the preview or of a command is decided."""
    guards = guards_of(session)
    guards.background[run.id] = None
    if run.purpose == "monitor":
        patrol = guards.patrols[run.agent]
        session.runs.pop(f"{session.id}/monitor@{run.agent}#{patrol.runs - KEPT_RUNS}", None)
        patrol.run, patrol.runs, patrol.failed = run.id, patrol.runs + 1, ""
        return
    preview = _preview(session)
    session.runs.pop(f"{session.id}/preview@#{preview.starts - KEPT_RUNS}", None)
    preview.run, preview.starts, preview.renew = run.id, preview.starts + 1, False
    if preview.answer_due is None or session.phase != "checking":
        await_answer(session, run.decided)


def await_answer(session: Session, time: float) -> None:
    """From now on it has its `start_timeout` to answer."""
    preview, settings = guards_of(session).preview, session.plan.preview
    if preview is not None and settings is not None:
        preview.answer_due = time + settings.start_timeout


def checklist_ended(session: Session, time: float) -> None:
    """A preview that somebody else runs is waited for from now on."""
    if session.plan.preview is not None and session.plan.preview.command is None:
        await_answer(session, time)


def looked_at(session: Session) -> None:
    """The checklist's item of the preview is there: it is waited for no longer."""
    _preview(session).answer_due = None


def stopping(session: Session, run: Run, time: float) -> None:
    """It is to end: with its session, unless the preview is only started again."""
    guards = guards_of(session)
    if run.purpose == "monitor" or guards.preview is None or not guards.preview.renew:
        guards.closing = True
        end_watching(session, time)


def ended(session: Session, run: Run, time: float) -> None:
    """It is over."""
    guards = guards_of(session)
    guards.background.pop(run.id, None)
    if run.purpose == "monitor":
        _patrol_ended(session, run, time)
        return
    preview = _preview(session)
    _count(preview, time)
    preview.run, preview.up, preview.reason = "", False, run.reason or run.outcome
    if run.stop_reason:
        preview.next_start = time
        return
    preview.recent = [at for at in preview.recent if at > time - PER] + [time]
    if len(preview.recent) > RESTARTS:
        preview.next_start = preview.recent[-RESTARTS - 1] + PER
        preview.recent = preview.recent[-RESTARTS:]
        if session.phase == "running":
            complain(session, f"the preview keeps ending: {run.explanation or run.outcome}")
    else:
        preview.next_start = time + min(0.5 * 2.0 ** len(preview.recent), LONGEST_PAUSE)


def _patrol_ended(session: Session, run: Run, time: float) -> None:
    guards = guards_of(session)
    patrol = guards.patrols[run.agent]
    patrol.run = ""
    interval = next((each.interval for each in session.plan.monitors if each.label == run.agent), 60.0)  # type: ignore[union-attr] # a command has one
    patrol.next = time + interval
    if run.succeeded:
        outdated(session, [run.agent], "", "the command succeeds again")
    elif run.outcome not in ("lost", "withdrawn") and not run.stop_reason and session.current is not None:
        patrol.failed = run.id


def _preview(session: Session) -> PreviewState:
    preview = guards_of(session).preview
    if preview is None:
        raise ValueError(f"session {session.id} has no preview")
    return preview


def begin_watching(session: Session, time: float) -> None:
    """From now on, it counts how long the preview is up."""
    preview = guards_of(session).preview
    if preview is not None:
        preview.watched_from = preview.changed = time


def end_watching(session: Session, time: float) -> None:
    """The session's work is over: from now on it does not count how long the preview is up."""
    preview = guards_of(session).preview
    if preview is not None and preview.watched_from is not None:
        _count(preview, time)
        preview.watched_from, preview.at_end = None, preview.up


def reopened(session: Session, time: float) -> None:
    """A session that had ended goes on: it counts again from the moment the preview answers."""
    preview = guards_of(session).preview
    if preview is not None:
        preview.at_end = None
        if preview.up:
            begin_watching(session, time)


def _count(preview: PreviewState, time: float) -> None:
    if preview.watched_from is not None:
        passed = max(0.0, time - preview.changed)
        preview.seconds += passed
        preview.seconds_up += passed if preview.up else 0.0
    preview.changed = time


def _port_leasing(session: Session, _event: ev.PortLeasing) -> None:
    _preview(session).port_asked = True


def _port_leased(session: Session, event: ev.PortLeased) -> None:
    preview = _preview(session)
    preview.port, preview.problem = event.port, event.error


def _answered(session: Session, event: ev.PreviewAnswered) -> None:
    preview = _preview(session)
    _count(preview, event.time)
    preview.up, preview.url, preview.reason, preview.answer_due = True, event.url, "", None
    if preview.watched_from is None and session.phase == "running" and not guards_of(session).closing:
        begin_watching(session, event.time)
    outdated(session, preview_labels(session), "", "the preview answers again")
    for label in preview_labels(session):
        guards_of(session).complaints.pop(label, None)


def _failed(session: Session, event: ev.PreviewFailed) -> None:
    preview = _preview(session)
    _count(preview, event.time)
    was_up = preview.up
    preview.up, preview.url, preview.reason = False, event.url, event.reason
    if session.phase != "running":
        return
    if preview.answer_due is not None and event.time >= preview.answer_due:
        preview.answer_due = None
        was_up = True  # it has had its time to be
    if was_up and not preview.renew:
        complain(session, f"the preview is down: {event.reason}")


def complain(session: Session, why: str) -> None:
    """A finding of the preview is due, of each monitor that looks after it now."""
    for label in preview_labels(session):
        monitor = ladders.monitor_of(session.plan, label)
        if monitor is None or ladders.applies(session, monitor):
            guards_of(session).complaints[label] = why


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.PortLeasing: _port_leasing,
    ev.PortLeased: _port_leased,
    ev.PreviewAnswered: _answered,
    ev.PreviewFailed: _failed,
}
