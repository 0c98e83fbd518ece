"""When the workspace's files are kept (requirement R1; docs/architecture.md, "Snapshots")."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.ladders import SNAPSHOTS
from waved.domain.state import Session
from waved.domain.state_guards import Guards
from waved.domain.telling import told
from waved.plan.quantities import format_duration

TAKING_TIME = 600.0
"""Seconds a snapshot may take; the first one of a large workspace takes longest."""
ITEM = "backups"


def decide(session: Session, guards: Guards, now: float) -> list[ev.Event]:
    """A snapshot that is due, or the word that one has failed."""
    for taking in guards.taking.values():
        if now >= taking.decided + TAKING_TIME:
            why = f"it was not taken within {format_duration(TAKING_TIME)}"
            return [ev.SnapshotTaken(session.id, taking.name, error=why)]
    if SNAPSHOTS in guards.complaints:
        return told(session, guards, SNAPSHOTS, guards.complaints[SNAPSHOTS])
    if not session.plan.snapshots.enabled:
        return []
    name = f"s{guards.named + 1}"
    if session.phase == "checking":
        return _first(session, guards, name)
    if session.current is not None and not (guards.base_due or guards.after):
        return []
    if guards.base_due and not guards.base_taking:
        return [ev.SnapshotTaking(session.id, name, guards.base_due)]
    if _next_wave(session, guards):
        wave = session.waves[session.wave + 1].plan.name
        return [ev.SnapshotTaking(session.id, name, f"wave {wave}", wave)]
    if guards.after and not guards.taking and not guards.reactions:
        return [ev.SnapshotTaking(session.id, name, f"after {guards.after}")]
    return []


def deadlines(guards: Guards) -> list[float | None]:
    """When one that is being taken has had its time."""
    return [taking.decided + TAKING_TIME for taking in guards.taking.values()]


def items(session: Session) -> str:
    """The item of the checklist that says what is there is kept; "" when nothing is."""
    return ITEM if session.plan.snapshots.enabled else ""


def _first(session: Session, guards: Guards, name: str) -> list[ev.Event]:
    if not guards.named:
        return [ev.SnapshotTaking(session.id, name, "session")]
    first = guards.snapshots.get("s1")
    if first is None or any(item.item == ITEM for item in session.checklist):
        return []
    waived = ITEM in session.waived
    if first.error:
        hint = "make room, or set `enabled = false` in [snapshots]: then nothing can be rolled back"
        return [ev.ChecklistItemChecked(session.id, ITEM, ok=False, detail=first.error, hint=hint, waived=waived)]
    left_out = f", {first.skipped} not kept" if first.skipped else ""
    detail = f"{first.files} files in {format_duration(first.seconds)}{left_out}"
    return [ev.ChecklistItemChecked(session.id, ITEM, ok=True, detail=detail, waived=waived)]


def _next_wave(session: Session, guards: Guards) -> bool:
    """Whether a wave is about to begin for which no snapshot was taken yet."""
    following = session.wave + 1
    if session.current is not None or session.wave < 0 or session.held or following >= len(session.waves):
        return False
    if guards.based == following or guards.base_taking or guards.reactions:
        return False
    return all(
        wave.outcome in ("passed", "unverified") or wave.plan.gate.on_failure == "continue"
        for wave in session.waves[:following]
    )
