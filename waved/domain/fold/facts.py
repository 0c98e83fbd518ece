"""Which facts about guards say something new: a part of `waved.domain.fold.admissible`."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.state import Session
from waved.domain.state_guards import Guards, key_of

_OF_GUARDS = (
    ev.FindingMade, ev.FindingCleared, ev.FilesChanged, ev.RunFrozen, ev.RunStalled, ev.RunProgressed,
    ev.SnapshotTaken, ev.RestoreEnded, ev.PortLeased, ev.PreviewAnswered, ev.PreviewFailed, ev.GuardCaughtUp,
)  # fmt: skip


def of_guards(session: Session, event: ev.Event) -> bool:
    """Whether a fact that guards, workers or helpers report is to be recorded. True for what is no such fact."""
    if not isinstance(event, _OF_GUARDS):
        return True
    guards = session.guards
    if guards is None or session.phase == "ended":
        return False
    match event:
        case ev.FindingMade():
            return _is_new(session, guards, event)
        case ev.FindingCleared():
            return event.finding in guards.findings
        case ev.RunFrozen():
            entry = guards.frozen.get(event.run)
            return entry is not None and entry.state == "freezing"
        case ev.RunStalled() | ev.RunProgressed():
            return _is_of_agent(session, guards, event)
        case ev.SnapshotTaken():
            return event.snapshot in guards.taking or _is_good(guards, event)
        case ev.RestoreEnded():
            reaction = guards.reactions.get(event.reaction)
            return reaction is not None and reaction.restore == "running"
        case ev.GuardCaughtUp():
            gate = session.gates.get(event.gate)
            if gate is None or gate.next != event.index or gate.next >= len(gate.checks):
                return False
            check = gate.checks[gate.next]
            return check.guards and check.state == "running" and not check.caught_up
        case ev.PortLeased() | ev.PreviewAnswered() | ev.PreviewFailed():
            return _is_of_preview(guards, event)
    return True


def _is_new(session: Session, guards: Guards, event: ev.FindingMade) -> bool:
    """A finding adds nothing while something is done about what was found of the same subject before."""
    if session.phase not in ("running", "stopping") or event.finding.startswith("d") or guards.finding(event.finding):
        return False
    reacting = guards.reacting.get(key_of(event.monitor, event.subject))
    return reacting is None or guards.reactions[reacting].finding not in guards.findings


def _is_of_agent(session: Session, guards: Guards, event: ev.RunStalled | ev.RunProgressed) -> bool:
    run = session.active.get(event.run)
    if run is None or run.purpose != "agent" or run.stop_reason or session.phase != "running":
        return False
    labels = ladders.labels_for(session, "progress", run.assignment)
    known = [label for label in labels if key_of(label, run.assignment) in guards.open_by_subject]
    if isinstance(event, ev.RunProgressed):
        return event.run in guards.stalled or bool(known)
    if event.run in guards.frozen or run.assignment in guards.concerned:
        return False
    # Said again, it leads to the next step; where there is none but to tell, it was told.
    return any(label not in known or not ladders.only_alerts(ladders.steps_of(session.plan, label)) for label in labels)


def _is_good(guards: Guards, event: ev.SnapshotTaken) -> bool:
    name = event.snapshot
    return name[:1] == "g" and name[1:].isdigit() and int(name[1:]) > guards.good and bool(event.commit)


def _is_of_preview(guards: Guards, event: ev.Event) -> bool:
    preview = guards.preview
    if preview is None:
        return False
    match event:
        case ev.PortLeased():
            return preview.port_asked and not preview.port and not preview.problem
        case ev.PreviewAnswered():
            return not preview.up
        case ev.PreviewFailed():
            return preview.up or (preview.answer_due is not None and preview.reason != event.reason)
    return True
