"""`fold`: how each event changes a session, one module a subject. The only place where session state changes.

Events already in the journal are taken as they are; `admissible` keeps facts that came twice, late or for something
unknown from getting there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold import activity, background, findings, reactions, reports, runs, snapshots, waves
from waved.domain.fold import session as session_events
from waved.domain.fold.facts import of_guards
from waved.domain.ladders import is_watched
from waved.domain.state import Session, new_session
from waved.plan.models import Plan


def begin(event: ev.SessionSubmitted) -> Session:
    """The session a submission begins. The plan in the event was validated before it was journalled."""
    session = new_session(
        event.session, Plan.model_validate(event.plan), event.workspace, event.time,
        plan_path=event.plan_path, submitted_by=event.submitted_by, waived=event.waived, guarded=event.guarded,
        reported=event.reported,
    )  # fmt: skip
    if session.guards is not None:
        session.guards.watched = [is_watched(session.plan, wave.name) for wave in session.plan.waves]
    session.last_seq = event.seq
    return session


def fold(session: Session, event: ev.Event) -> None:
    """Change `session` by what `event` says."""
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(session, event)
    if event.seq:
        session.last_seq = event.seq


def admissible(session: Session, event: ev.Event) -> bool:
    """Whether a *fact* reported from outside says something new: not repeated, not late, not about the unknown."""
    match event:
        case ev.RunStarted():
            run = session.runs.get(event.run)
            return run is not None and run.state in ("starting", "stopping") and run.started is None
        case ev.RunEnded() | ev.RunActed():
            return event.run in session.active
        case ev.CheckEnded():
            gate = session.gates.get(event.gate)
            if gate is None or gate.next != event.index or gate.next >= len(gate.checks):
                return False
            check = gate.checks[event.index]
            # Of a command nobody may speak before it has ended.
            return (
                check.state == "running"
                and not check.guards
                and (check.command is None or check.run not in session.active)
            )
        case ev.ReportWritten():
            return session.phase == "ended" and session.report is not None and session.report.state == "writing"
        case ev.ChecklistItemChecked() | ev.ChecklistEnded():
            return session.phase == "checking" and session.checklist_ok is None
        case _:
            return of_guards(session, event)


_HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    **session_events.HANDLERS,
    **waves.HANDLERS,
    **runs.HANDLERS,
    **activity.HANDLERS,
    **findings.HANDLERS,
    **reactions.HANDLERS,
    **snapshots.HANDLERS,
    **background.HANDLERS,
    **reports.HANDLERS,
}
