"""What the guards decide: what is asked of them first, one subject after the other. A part of `waved.domain.decide`."""

from __future__ import annotations

from waved.domain import backups, carrying_out, preview, reactions, silence
from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.state_guards import PERSON, Finding, Guards, key_of


def decide(session: Session, guards: Guards, now: float) -> list[ev.Event]:
    """What follows from the state of a session's guards; empty when nothing is due."""
    if guards.stale:
        return [ev.FindingCleared(session.id, name, why) for name, why in guards.stale.items()]
    if guards.frozen and (found := _thaw(session, guards) or _freeze(session, guards)):
        return found
    running = session.phase == "running"
    if running and guards.due and (due := _next_due(guards)) is not None:
        return reactions.climb(session, guards, due, now)
    for reaction in guards.reactions.values():
        if found := carrying_out.go_on(session, guards, reaction, now):
            return found
    if session.phase == "stopping":
        return []
    return (
        backups.decide(session, guards, now)
        or preview.decide(session, guards, now)
        or (silence.decide(session, guards, now) if running else [])
    )


def deadlines(session: Session, guards: Guards) -> list[float]:
    """When `decide` has something to say without any further event."""
    times: list[float | None] = [
        carrying_out.deadline(session, guards, reaction) for reaction in guards.reactions.values()
    ]
    if session.phase != "stopping":
        times += backups.deadlines(guards)
        times += preview.deadlines(session, guards)
        if session.phase == "running":
            times += silence.deadlines(session, guards)
    return [time for time in times if time is not None]


def _thaw(session: Session, guards: Guards) -> list[ev.Event]:
    """What no reaction wants frozen any longer goes on; what is being ended does not."""
    return [
        ev.RunThawing(session.id, entry.run, entry.last)
        for entry in guards.frozen.values()
        if not entry.holders and not session.active[entry.run].stop_reason
    ]


def _freeze(session: Session, guards: Guards) -> list[ev.Event]:
    """What a person wants frozen; what is being ended is not. (What a reaction wants, `carrying_out` freezes.)"""
    return [
        ev.RunFreezing(session.id, entry.run, "")
        for entry in guards.frozen.values()
        if entry.state == "wanted" and PERSON in entry.holders and not session.active[entry.run].stop_reason
    ]


def _next_due(guards: Guards) -> Finding | None:
    """The next finding a step is due for: none while something is still done about the same subject."""
    for name in guards.due:
        found = guards.findings[name]
        if key_of(found.monitor, found.subject) not in guards.reacting:
            return found
    return None


def keeps_back(guards: Guards) -> bool:
    """Whether no agent may start now: files are being brought back, or all of the wave is at a stop."""
    return bool(guards.base_due) or any(each.restoring or each.whole_wave for each in guards.reactions.values())


def may_begin(session: Session, guards: Guards) -> bool:
    """Whether the next wave may: what is there before it is kept."""
    return not session.plan.snapshots.enabled or session.wave < 0 or guards.based == session.wave + 1


def all_looked_at(session: Session, guards: Guards) -> bool:
    """Whether the items of the checklist that the guards see to are there."""
    seen = {item.item for item in session.checklist}
    return all(item in seen for item in (backups.items(session), *preview.items(guards)) if item)
