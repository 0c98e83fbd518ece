"""How events of monitors change a session: findings, changed files, stalls."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.budgets import note_told
from waved.domain.state import Run, Session
from waved.domain.state_guards import KEPT_FINDINGS, KEPT_PATHS, Finding, Guards, Writing, key_of
from waved.plan.quantities import format_duration


def guards_of(session: Session) -> Guards:
    """The guards of a session that has some: its events are recorded for no other."""
    if session.guards is None:
        raise ValueError(f"session {session.id} has no guards")
    return session.guards


def of_kind(session: Session, kind: str) -> list[str]:
    """The labels of the plan's monitors of a kind."""
    return [monitor.label for monitor in session.plan.monitors if monitor.kind == kind]


def outdated(session: Session, monitors: Iterable[str], subject: str, why: str) -> None:
    """What these monitors have found of a subject is no longer so: it is to be cleared."""
    guards = guards_of(session)
    for monitor in monitors:
        found = guards.open_by_subject.get(key_of(monitor, subject))
        if found is not None:
            guards.stale[found] = why


def _finding_made(session: Session, event: ev.FindingMade) -> None:
    guards = guards_of(session)
    run = session.runs.get(event.run)
    assignment = event.assignment or (run.assignment if run is not None else "")
    found = Finding(
        event.finding, event.monitor, event.summary, event.severity, event.subject, event.path, event.line,
        assignment if assignment in session.nodes else "", event.run if run is not None else "", event.evidence,
        event.time, session.wave,
    )  # fmt: skip
    key = key_of(event.monitor, event.subject)
    before = guards.open_by_subject.get(key)
    if before is not None:
        _clear(guards, before, event.time, f"seen again: {event.finding}", "")
    guards.made += 1
    if event.finding.startswith("d"):
        guards.own += 1
    guards.findings[found.id] = found
    guards.open_by_subject[key] = found.id
    note_told(session, event)
    guards.stalled.pop(event.run, None)
    guards.overran.pop(event.run, None)
    if guards.warnings and guards.warnings[0][1] == event.run and event.monitor in of_kind(session, "timeouts"):
        heapq.heappop(guards.warnings)
    if not event.subject:
        guards.complaints.pop(event.monitor, None)
    patrol = guards.patrols.get(event.monitor)
    if patrol is not None and patrol.failed == event.run:
        patrol.failed = ""
    if event.monitor not in ladders.WITHOUT_LADDER and session.phase == "running":
        guards.due[found.id] = None


def _finding_cleared(session: Session, event: ev.FindingCleared) -> None:
    guards = guards_of(session)
    found = guards.findings.get(event.finding)
    if found is not None and guards.quiet_since is not None and found.monitor in of_kind(session, "file-changes"):
        guards.quiet_since = event.time
    _clear(guards, event.finding, event.time, event.reason, event.by)


def _clear(guards: Guards, name: str, time: float, reason: str, by: str) -> None:
    found = guards.findings.pop(name, None)
    if found is None:
        return
    found.cleared, found.reason, found.by = time, reason, by
    key = key_of(found.monitor, found.subject)
    if guards.open_by_subject.get(key) == name:
        del guards.open_by_subject[key]
    guards.due.pop(name, None)
    guards.stale.pop(name, None)
    guards.cleared[name] = found
    if len(guards.cleared) > KEPT_FINDINGS:
        needed = {reaction.finding for reaction in guards.reactions.values()}
        oldest = next((each for each in guards.cleared if each not in needed), None)
        if oldest is not None:
            del guards.cleared[oldest]


def _files_changed(session: Session, event: ev.FilesChanged) -> None:
    guards = guards_of(session)
    for name, changes in event.changes.items():
        writing = guards.writings.setdefault(name if name in session.nodes else "", Writing())
        writing.last = event.time
        writing.changes += len(changes)
        for path, *_ in changes:
            if path in writing.paths:
                continue
            writing.files += 1
            if len(writing.paths) < KEPT_PATHS:
                writing.paths[path] = None
    if guards.quiet_since is not None:
        guards.quiet_since = event.time
    outdated(session, of_kind(session, "file-changes"), "", "files change again")


def _run_stalled(session: Session, event: ev.RunStalled) -> None:
    guards = guards_of(session)
    writing = guards.writings.get(session.runs[event.run].assignment)
    since = event.since if writing is None else max(event.since, writing.last)
    if since > event.since and event.time - since < event.limit:
        return  # it says nothing, but its files change
    shown = f"no progress for {format_duration(max(0.0, event.time - since))}"
    guards.stalled[event.run] = f"{shown} ({event.state})" if event.state else shown


def _run_progressed(session: Session, event: ev.RunProgressed) -> None:
    guards_of(session).stalled.pop(event.run, None)
    run = session.runs[event.run]
    outdated(session, of_kind(session, "progress"), run.assignment, "it goes on")


def run_is_over(session: Session, run: Run) -> None:
    """What was found of a run that goes on no longer matters when it has ended."""
    guards = guards_of(session)
    guards.stalled.pop(run.id, None)
    if guards.findings and run.assignment:
        labels = [*of_kind(session, "progress"), *of_kind(session, "timeouts")]
        outdated(session, labels, run.assignment, "its run has ended")
    if run.outcome == "timed-out" and run.assignment and session.phase == "running":
        labels = ladders.labels_for(session, "timeouts", run.assignment)
        if any(key_of(label, run.assignment) not in guards.reacting for label in labels):
            limit = format_duration(run.timeout or 0)
            guards.overran[run.id] = f"was ended by the {run.timeout_of}'s time limit ({limit})"


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.FindingMade: _finding_made,
    ev.FindingCleared: _finding_cleared,
    ev.FilesChanged: _files_changed,
    ev.RunStalled: _run_stalled,
    ev.RunProgressed: _run_progressed,
}
