"""How events of snapshots change a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold.findings import guards_of
from waved.domain.ladders import SNAPSHOTS
from waved.domain.state import Session
from waved.domain.state_guards import KEPT_SNAPSHOTS, Guards, Snapshot

AGAIN = "again"
"""The label of the snapshot before an ended session goes on."""


def _taking(session: Session, event: ev.SnapshotTaking) -> None:
    guards = guards_of(session)
    taking = Snapshot(event.snapshot, event.label, event.time, event.wave, event.reaction)
    guards.named += 1
    guards.taking[taking.name] = taking
    reaction = guards.reactions.get(event.reaction)
    if reaction is not None:
        reaction.present, reaction.since = taking.name, event.time
        guards.lock = reaction.id
        return
    guards.after = ""  # whatever of the workspace is kept from now on has what that assignment left behind
    if event.wave or event.label == guards.base_due:
        guards.base_taking = taking.name


def _taken(session: Session, event: ev.SnapshotTaken) -> None:
    guards = guards_of(session)
    snapshot = guards.taking.pop(event.snapshot, None)
    if snapshot is None:
        snapshot = Snapshot(event.snapshot, "good", event.time)
        guards.good = int(snapshot.name[1:])
    snapshot.time, snapshot.commit, snapshot.error = event.time, event.commit, event.error
    snapshot.files, snapshot.changed, snapshot.seconds = event.files, event.changed, event.seconds
    snapshot.skipped = event.skipped_total
    if not event.error:
        guards.newest = snapshot.name
        guards.first = guards.first or snapshot.name
    guards.snapshots[snapshot.name] = snapshot
    if snapshot.name == guards.base_taking:
        guards.base_taking = guards.base_due = ""
        if snapshot.wave:
            guards.based = session.wave + 1
    reaction = guards.reactions.get(snapshot.reaction)
    if reaction is not None and reaction.present == snapshot.name:
        reaction.since = event.time
        reaction.present_taken = not event.error
        if event.error:
            reaction.problem = f"what is there could not be kept: {event.error}"
    elif event.error and session.phase == "running":
        guards.complaints[SNAPSHOTS] = f"no snapshot ({snapshot.label}): {event.error}"
    if len(guards.snapshots) > KEPT_SNAPSHOTS:
        _forget_one(session, guards)


def _forget_one(session: Session, guards: Guards) -> None:
    """The oldest that nothing may go back to is no longer remembered; it is in the journal and in the repository."""
    needed = {guards.first, guards.newest, *(wave.base for wave in session.waves)}
    needed.update(run.base for run in session.active.values())
    if session.current is not None:
        needed.update(session.nodes[key].runs[-1].base for key in session.current.keys if session.nodes[key].runs)
    for reaction in guards.reactions.values():
        needed.update((reaction.present, reaction.snapshot))
    oldest = next((name for name in guards.snapshots if name not in needed), None)
    if oldest is not None:
        del guards.snapshots[oldest]


def reopened(session: Session) -> None:
    """A session that had ended goes on: what is there now is kept before anything starts."""
    guards = guards_of(session)
    if session.plan.snapshots.enabled:
        guards.base_due = AGAIN


def assignment_ended(session: Session, key: str, *, succeeded: bool) -> None:
    """What it leaves behind is kept, unless the wave ends with it: then the next one's snapshot follows."""
    guards = guards_of(session)
    for marks in (guards.again, guards.given_up, guards.undone):
        marks.pop(key, None)
    if succeeded and session.waves[session.nodes[key].wave].unended > 0 and session.plan.snapshots.enabled:
        guards.after = key


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.SnapshotTaking: _taking,
    ev.SnapshotTaken: _taken,
}
