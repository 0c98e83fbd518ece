"""How events of reactions change a session: steps taken, runs frozen, files restored, alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.fold.findings import guards_of, of_kind, outdated
from waved.domain.gate import awaits_reports, waits
from waved.domain.ladders import content_monitors
from waved.domain.limits import start_wait
from waved.domain.open_findings import history
from waved.domain.state import Gate, Run, Session
from waved.domain.state_guards import KEPT_REACTIONS, PERSON, Again, Frozen, Guards, Ladder, Reaction, key_of

_RESTORED_SHOWN = 20


def _reaction_started(session: Session, event: ev.ReactionStarted) -> None:
    guards = guards_of(session)
    reaction = Reaction(
        event.reaction, event.actions, event.finding, event.monitor, event.subject, event.step, event.runs, event.scope,
        event.paths, event.assignments, event.responder, event.snapshot, event.reason, event.by, event.cause,
        event.time, since=event.time,
    )  # fmt: skip
    guards.reacted += 1
    guards.reactions[reaction.id] = reaction
    found = guards.finding(event.finding)
    concerns = [*(session.runs[run].assignment for run in event.runs if run in session.runs), *event.assignments]
    if found is not None:
        guards.due.pop(found.id, None)
        found.reactions.append(reaction.id)
        concerns.append(found.assignment)
        _climb(guards, event)
        _blame(session, reaction, found.assignment, found.summary)
        for runs in (guards.stalled, guards.overran):
            for run in [run for run in runs if session.runs[run].assignment == found.assignment]:
                del runs[run]
    for run_id in event.runs:
        if run_id in session.active:
            entry = guards.frozen.get(run_id)
            if entry is None:
                entry = guards.frozen[run_id] = Frozen(run_id, "wanted", event.time, {})
            entry.holders[reaction.id] = None
    for key in dict.fromkeys(concerns):
        if key and session.nodes[key].state != "ended":
            reaction.concerns.append(key)
            guards.concerned.setdefault(key, {})[reaction.id] = None
            session.judged.pop(key, None)
    for name in list(session.gates_due):
        if waits(session, session.gates[name]):
            del session.gates_due[name]
    if event.cause == "attempt":
        for key in event.assignments:
            guards.undone[key] = session.nodes[key].runs[-1].id
    elif event.cause == "gate":
        session.waves[session.wave].undone = reaction.id


def _climb(guards: Guards, event: ev.ReactionStarted) -> None:
    key = key_of(event.monitor, event.subject)
    guards.reacting[key] = event.reaction
    ladder = guards.ladders.setdefault(key, Ladder())
    ladder.used = ladder.used + 1 if ladder.step == event.step else 1
    ladder.step = event.step
    ladder.restored = ladder.restored or bool(event.scope)


def _blame(session: Session, reaction: Reaction, assignment: str, summary: str) -> None:
    """Who had ended when its work is undone did not do what it seemed to have done."""
    node = session.nodes.get(assignment)
    does_more = any(action != "alert" for action in reaction.actions)
    here = node is not None and node.wave == session.wave and session.current is not None
    if here and node is not None and node.state == "ended" and node.outcome == "succeeded" and does_more:
        guards_of(session).blamed[assignment] = f"{reaction.monitor}: {summary}"


def ask_again(session: Session, gate: Gate) -> None:
    """Nothing keeps a gate waiting any longer: it is asked if something may follow for it (`session.gates_due`)."""
    if gate.next < len(gate.checks):
        check = gate.checks[gate.next]
        run = session.runs.get(check.run)
        verdict_due = run is not None and run.state == "ended" and not awaits_reports(check, run)
        if check.state == "running" and not check.caught_up and not verdict_due:
            return
    session.gates_due[gate.id] = None


def _reaction_ended(session: Session, event: ev.ReactionEnded) -> None:
    guards = guards_of(session)
    reaction = guards.reactions.pop(event.reaction)
    reaction.ended, reaction.ok, reaction.detail = event.time, event.ok, event.detail
    if guards.lock == reaction.id:
        guards.lock = ""
    guards.holds.pop(reaction.id, None)
    key = key_of(reaction.monitor, reaction.subject)
    if guards.reacting.get(key) == reaction.id:
        del guards.reacting[key]
    for entry in guards.frozen.values():
        if entry.holders.pop(reaction.id, 0) is None:
            entry.last = reaction.id
    guards.past[reaction.id] = reaction
    if len(guards.past) > KEPT_REACTIONS:
        guards.past.popitem(last=False)  # type: ignore[call-arg] # an OrderedDict
    _let_go(session, guards, reaction, done=event.ok and not event.needless)
    found = guards.finding(reaction.finding)
    if found is not None and found.id in guards.findings and found.run not in session.active:
        kinds = [*of_kind(session, "progress"), *of_kind(session, "timeouts")]
        if found.monitor in kinds:
            guards.stale[found.id] = "its run has ended"
    for gate in session.gates.values():
        if not waits(session, gate):
            check = gate.checks[gate.next] if gate.next < len(gate.checks) else None
            if check is not None and check.caught_up and reaction.restore:
                check.state, check.caught_up = "waiting", False  # what was restored is judged as well
            ask_again(session, gate)


def _let_go(session: Session, guards: Guards, reaction: Reaction, *, done: bool) -> None:
    """Assignments whose verdict waited for it; those that are to start again are told why."""
    why = history(guards, reaction)
    for key in reaction.concerns:
        holders = guards.concerned[key]
        del holders[reaction.id]
        node = session.nodes[key]
        under_way = node.state in ("starting", "running", "checking")
        cut = any(run.stopped_for == reaction.id for run in node.runs[-1:])
        cut = cut or (node.gate is not None and node.gate.reaction == reaction.id)
        if under_way and done and key in reaction.assignments and "give-up" in reaction.actions:
            guards.given_up[key] = why
        elif under_way and (cut or (done and reaction.restarts and key in reaction.assignments)):
            before = guards.again.get(key)
            guards.again[key] = Again(reaction.id, f"{before.why}\n\n{why}" if before is not None else why)
        if holders:
            continue
        del guards.concerned[key]
        if node.state == "checking" and (node.gate is None or node.gate.state == "ended"):
            session.judged[key] = None


def _freeze_requested(session: Session, event: ev.RunFreezeRequested) -> None:
    guards = guards_of(session)
    entry = guards.frozen.setdefault(event.run, Frozen(event.run, "wanted", event.time, {}))
    entry.holders[PERSON] = None


def _thaw_requested(session: Session, event: ev.RunThawRequested) -> None:
    guards = guards_of(session)
    entry = guards.frozen[event.run]
    del entry.holders[PERSON]
    entry.last = ""
    if guards.quiet_since is not None:
        guards.quiet_since = event.time


def _run_freezing(session: Session, event: ev.RunFreezing) -> None:
    entry = guards_of(session).frozen[event.run]
    entry.state, entry.since = "freezing", event.time


def _run_frozen(session: Session, event: ev.RunFrozen) -> None:
    entry = guards_of(session).frozen[event.run]
    entry.state = "frozen" if event.ok else "failed"
    if not event.ok:
        entry.holders.pop(PERSON, None)  # a person is told, and nothing depends on it: what does stand still goes on


def _run_thawing(session: Session, event: ev.RunThawing) -> None:
    _stood_still(session, event.run, guards_of(session).frozen.pop(event.run), event.time)


def _stood_still(session: Session, run: str, entry: Frozen, until: float) -> None:
    if entry.state == "frozen" and run in session.runs and until > entry.since:
        session.runs[run].stood.append((entry.since, until))


def responding(session: Session, run: Run) -> None:
    """A responder's run is decided."""
    reaction = guards_of(session).reactions[run.reaction]
    reaction.response, reaction.responses = run.id, reaction.responses + 1


def response_ended(session: Session, run: Run, time: float) -> None:
    """A responder's run is over."""
    reaction = guards_of(session).reactions.get(run.reaction)
    if reaction is not None and (run.stopped_for or (run.outcome == "withdrawn" and not run.stop_reason)):
        reaction.withdrawn += 1
        reaction.respond_at = time + start_wait(reaction.withdrawn)


def run_is_over(session: Session, run: Run) -> None:
    """A run that has ended stands still for good."""
    entry = guards_of(session).frozen.pop(run.id, None)
    if entry is not None and run.ended is not None:
        _stood_still(session, run.id, entry, run.ended)


def begins_to_end(session: Session, name: str) -> None:
    """A reaction ends a run or a gate: from now on it is gone through with."""
    reaction = guards_of(session).reactions.get(name)
    if reaction is not None and not reaction.restoring:
        reaction.ending = True


def _alert_raised(session: Session, event: ev.AlertRaised) -> None:
    guards = guards_of(session)
    found = guards.finding(event.finding)
    ladder = guards.ladders.get(key_of(found.monitor, found.subject)) if found is not None else None
    if ladder is not None:
        ladder.alerted = event.time


def _restore_starting(session: Session, event: ev.RestoreStarting) -> None:
    reaction = guards_of(session).reactions[event.reaction]
    reaction.restore, reaction.since = "running", event.time


def _restore_ended(session: Session, event: ev.RestoreEnded) -> None:
    guards = guards_of(session)
    reaction = guards.reactions[event.reaction]
    reaction.restore = "done" if event.ok else "failed"
    reaction.since, reaction.to = event.time, event.to
    reaction.restored = [*event.restored, *event.removed][:_RESTORED_SHOWN]
    reaction.total = event.total or len(event.restored) + len(event.removed)
    if guards.lock == reaction.id:
        guards.lock = ""
    if not event.ok:
        reaction.problem = event.detail or "; ".join(event.failed[:3]) or "its files could not be brought back"
        return
    served = session.plan.preview is not None and session.plan.preview.command is not None
    if guards.preview is not None and served and reaction.total:
        guards.preview.renew = True
    if reaction.finding in guards.findings:
        guards.stale[reaction.finding] = f"restored by {reaction.id}"
    content = [monitor.label for monitor in content_monitors(session.plan)]
    for path in dict.fromkeys([*event.restored, *event.removed, *reaction.paths]):
        outdated(session, content, path, f"restored by {reaction.id}")


def hold(session: Session, event: ev.SessionHeld) -> None:
    """Who holds the session."""
    guards = guards_of(session)
    reaction = guards.reactions.get(event.reaction)
    if reaction is None:
        guards.held_otherwise = True
    else:
        guards.holds[reaction.id] = None
        reaction.held = True
        if event.failed:
            reaction.problem = reaction.problem or event.reason


def resume(session: Session, why: str, time: float) -> None:
    """A person lets it go on."""
    guards = guards_of(session)
    if guards.quiet_since is not None:
        guards.quiet_since = time
    for name in guards.holds:
        guards.reactions[name].resumed = True
    guards.holds.clear()
    guards.held_otherwise = False
    for found in guards.findings.values():
        if found.monitor == "reactions":
            guards.stale[found.id] = why


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.ReactionStarted: _reaction_started,
    ev.ReactionEnded: _reaction_ended,
    ev.RunFreezeRequested: _freeze_requested,
    ev.RunThawRequested: _thaw_requested,
    ev.RunFreezing: _run_freezing,
    ev.RunFrozen: _run_frozen,
    ev.RunThawing: _run_thawing,
    ev.AlertRaised: _alert_raised,
    ev.RestoreStarting: _restore_starting,
    ev.RestoreEnded: _restore_ended,
}
