"""How events of the session and its checklist change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold import background, reactions, snapshots
from waved.domain.fold.waves import set_wave_deadline
from waved.domain.readiness import reset
from waved.domain.state import ChecklistItem, Session


def _checklist_checked(session: Session, event: ev.ChecklistItemChecked) -> None:
    item = ChecklistItem(event.item, event.ok, event.detail, event.hint, event.waived)
    session.checklist = [*(other for other in session.checklist if other.item != event.item), item]
    if session.guards is not None and event.item == "preview" and session.guards.preview is not None:
        background.looked_at(session)


def _checklist_ended(session: Session, event: ev.ChecklistEnded) -> None:
    session.checklist_ok = event.ok
    session.callers |= {(program, model): provider for program, model, provider in event.callers}
    if session.guards is not None:
        background.checklist_ended(session, event.time)


def _session_started(session: Session, event: ev.SessionStarted) -> None:
    session.phase = "running"
    session.started = event.time
    if session.guards is not None:
        background.begin_watching(session, event.time)
    if session.plan.session.timeout is not None:
        session.deadline = event.time + session.plan.session.timeout


def _stop_requested(session: Session, event: ev.SessionStopRequested) -> None:
    session.phase = "stopping"
    session.held = ""
    if session.guards is not None:
        reactions.resume(session, "the session is being stopped", event.time)
    session.reason = event.reason
    session.stop_outcome = "timed-out" if event.by == "timeout" else "stopped"


def _held(session: Session, event: ev.SessionHeld) -> None:
    if not session.held:
        session.held_at = event.time
    session.held = event.reason
    if session.guards is not None:
        reactions.hold(session, event)


def _resumed(session: Session, event: ev.SessionResumed) -> None:
    _go_on(session, event.time)


def _go_on(session: Session, time: float) -> None:
    """It is held no longer: as long as it was, its deadlines stood still."""
    if not session.held:
        return
    session.held = ""
    stood_still = time - session.held_at
    if session.deadline is not None:
        session.deadline += stood_still
    if session.current is not None and session.current.deadline is not None:
        session.current.deadline += stood_still
    if session.guards is not None:
        reactions.resume(session, "a person let the session go on", time)


def _retried(session: Session, event: ev.SessionRetried) -> None:
    index = min(session.nodes[key].wave for key in event.assignments)
    if session.phase == "ended" and session.plan.session.timeout is not None:
        session.deadline = event.time + session.plan.session.timeout
    _go_on(session, event.time)
    if session.guards is not None:
        session.guards.closing = False
        if session.phase == "ended":
            snapshots.reopened(session)
            background.reopened(session, event.time)
    session.phase = "running"
    session.spent.clear()  # whoever asks for it again lets it use as much again
    session.overspent.clear()
    session.outcome = session.reason = ""
    session.stop_outcome = "stopped"
    session.ended = None
    session.report = None
    for wave in session.waves[index:]:
        if wave.gate is not None:
            wave.gate_attempt += 1  # a gate's id is never used twice, nor are those of its runs
        wave.gate_base = wave.gate_attempt - 1
        wave.gate = None
        wave.outcome = wave.reason = ""
        wave.phase = "waiting"
        wave.ended = None
    wave = session.waves[index]
    wave.phase = "running"
    # Whoever asks for it again after a time limit wants it to have that time again.
    set_wave_deadline(wave, event.time)
    session.wave, session.current = index, wave
    later = [key for wave in session.waves[index + 1 :] for key in wave.keys]
    reset(session, [*event.assignments, *(key for key in later if session.nodes[key].state == "ended")])


def _session_ended(session: Session, event: ev.SessionEnded) -> None:
    session.phase = "ended"
    session.held = ""
    session.outcome = event.outcome
    session.reason = event.reason
    session.ended = event.time
    if session.guards is not None:
        background.end_watching(session, event.time)


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.ChecklistItemChecked: _checklist_checked,
    ev.ChecklistEnded: _checklist_ended,
    ev.SessionStarted: _session_started,
    ev.SessionStopRequested: _stop_requested,
    ev.SessionHeld: _held,
    ev.SessionResumed: _resumed,
    ev.SessionRetried: _retried,
    ev.SessionEnded: _session_ended,
}
