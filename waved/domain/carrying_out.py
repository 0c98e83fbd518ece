"""A reaction under way, step by step: freeze → snapshot → restore → end and start again, or thaw.

Each phase has a time limit. What cannot be done is told, and the session held with its runs frozen as they are: a
person decides, and nothing is lost. A reaction is asked what follows after each event, and when its limit is over; all
it needs to know is in the state, so a daemon that starts anew goes on with it.
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.limits import run_limit
from waved.domain.open_findings import history
from waved.domain.state import Session
from waved.domain.state_guards import Guards, Reaction
from waved.domain.telling import told
from waved.domain.verdict import out_of_time
from waved.plan.models import Agent
from waved.plan.quantities import format_duration

FREEZE_TIME = 5.0
"""Seconds a worker has to say that its run stands still; then the run is ended instead."""
END_TIME = 30.0
"""Seconds beyond its grace in which a run that could not be frozen must have ended."""
RESTORE_TIME = 300.0
"""Seconds a restore may take; then the session is held."""


def go_on(session: Session, guards: Guards, reaction: Reaction, now: float) -> list[ev.Event]:
    """What follows for a reaction now; empty while it waits for something."""
    if session.phase != "running":
        return _cancel(session, reaction, now)
    if reaction.problem or (reaction.held and not reaction.resumed):
        return _in_trouble(session, guards, reaction)
    if _needless(guards, reaction):
        why = "what was found is no longer so"
        return [ev.ReactionEnded(session.id, reaction.id, ok=True, detail=why, needless=True)]
    for phase in (_freeze, _restore, _end_runs, _respond, _hold):
        found, done = phase(session, guards, reaction, now)
        if found or not done:
            return found
    return _ended(session, guards, reaction, now)


def deadline(session: Session, guards: Guards, reaction: Reaction) -> float | None:
    """When `go_on` has something to say without any further event."""
    limits: list[float] = []
    if reaction.restore == "running":
        limits.append(reaction.since + RESTORE_TIME)
    if reaction.responses and reaction.response not in session.active:
        limits.append(reaction.respond_at)
    for name in reaction.runs:
        entry = guards.frozen.get(name)
        if name in session.active and entry is not None:
            limits += [entry.since + FREEZE_TIME, reaction.since + _longest_end(session)]
    # It may wait for more than the time: for another reaction, a person, the end of a run.
    return next((limit for limit in sorted(limits) if go_on(session, guards, reaction, limit)), None)


def _longest_end(session: Session) -> float:
    graces = [agent.stop_grace or 0 for wave in session.plan.waves[: session.wave + 1] for agent in wave.agents]
    return FREEZE_TIME + END_TIME + max([session.plan.session.stop_grace, *graces])


# --- what puts an end to it -------------------------------------------------------------------------------------


def _cancel(session: Session, reaction: Reaction, now: float) -> list[ev.Event]:
    """The session is being stopped: nothing more is done, but a restore that has begun is waited for."""
    if reaction.restore == "running" and now < reaction.since + RESTORE_TIME:
        return []
    if reaction.response in session.active:
        return []
    return [ev.ReactionEnded(session.id, reaction.id, ok=False, detail="the session is being stopped")]


def _in_trouble(session: Session, guards: Guards, reaction: Reaction) -> list[ev.Event]:
    """It could not be carried out, or the plan wants a person to look: the session is held until one has."""
    if not reaction.held:
        return _troubled(session, guards, reaction, reaction.problem)
    if not reaction.resumed:
        return []
    return [ev.ReactionEnded(session.id, reaction.id, ok=False, detail=reaction.problem)]


def _needless(guards: Guards, reaction: Reaction) -> bool:
    """What was found is no longer so, and nothing has been done about it yet that would have to be finished."""
    found = guards.finding(reaction.finding)
    begun = reaction.restore or reaction.ending or reaction.responses or reaction.held
    return found is not None and found.cleared is not None and not begun


# --- its phases: what follows now, and whether the next one is due ----------------------------------------------

_Phase = tuple[list[ev.Event], bool]


def _freeze(session: Session, guards: Guards, reaction: Reaction, now: float) -> _Phase:
    """All its runs stand still, or have ended. One that cannot be made to is ended."""
    if reaction.present or reaction.ending:
        return [], True
    found: list[ev.Event] = []
    waiting = False
    for name in reaction.runs:
        run = session.active.get(name)
        entry = guards.frozen.get(name)
        if run is None or entry is None or entry.state == "frozen":
            continue
        waiting = waiting or now < reaction.since + _longest_end(session)
        if run.stop_reason:
            continue
        if entry.state == "wanted":
            found.append(ev.RunFreezing(session.id, name, reaction.id))
        elif entry.state == "failed" or now >= entry.since + FREEZE_TIME:
            found.append(ev.RunStopping(session.id, name, "it could not be frozen", reaction.id))
    return found, not found and not waiting


def _restore(session: Session, guards: Guards, reaction: Reaction, now: float) -> _Phase:
    """What is there is kept, then files are brought back. One reaction of a session after the other."""
    if not reaction.scope or reaction.restore == "done":
        return [], True
    if reaction.restore == "running":
        if now < reaction.since + RESTORE_TIME:
            return [], False
        why = f"its files were not brought back within {format_duration(RESTORE_TIME)}"
        return _troubled(session, guards, reaction, why), False
    if not reaction.present:
        if guards.lock:
            return [], False
        name = f"s{guards.named + 1}"
        return [ev.SnapshotTaking(session.id, name, f"before {reaction.id}", reaction=reaction.id)], False
    if not reaction.present_taken:
        return [], False
    to, paths, assignment = _target(session, guards, reaction)
    if not to and reaction.scope != "file":
        return _troubled(session, guards, reaction, "there is no snapshot to go back to"), False
    return [ev.RestoreStarting(session.id, reaction.id, reaction.scope, reaction.present, to, paths, assignment)], False


def _troubled(session: Session, guards: Guards, reaction: Reaction, why: str) -> list[ev.Event]:
    whole = f"reaction {reaction.id} could not be carried out: {why}"
    return [
        *told(session, guards, "reactions", whole),
        ev.SessionHeld(session.id, f"{whole} ({reaction.reason})", reaction.id, failed=True),
    ]


def _target(session: Session, guards: Guards, reaction: Reaction) -> tuple[str, list[str], str]:
    """Which snapshot it goes back to, which paths, and whose."""
    if reaction.scope == "file":
        return reaction.snapshot, reaction.paths, ""
    if reaction.scope == "agent":
        found = guards.finding(reaction.finding)
        key = reaction.assignments[0] if reaction.assignments else (found.assignment if found is not None else "")
        node = session.nodes[key]
        writing = guards.writings.get(key)
        paths = dict.fromkeys([*node.agent.owns, *(writing.paths if writing is not None else ())])
        return reaction.snapshot or node.runs[-1].base, list(paths), key
    if reaction.scope == "wave":
        return reaction.snapshot or session.waves[max(session.wave, 0)].base, [], ""
    return reaction.snapshot or guards.first, [], ""


def _end_runs(session: Session, guards: Guards, reaction: Reaction, now: float) -> _Phase:  # noqa: ARG001
    """What starts again, or has failed, is ended first: its run, or its own gate; and the wave's with the wave."""
    if reaction.cause in ("attempt", "gate"):
        return [], True
    found: list[ev.Event] = []
    waiting = False
    runs = [node.runs[-1].id for key in reaction.assignments if (node := session.nodes[key]).runs]
    finding = guards.finding(reaction.finding)
    if finding is not None and {"restart-agent", "give-up"} & set(reaction.actions):
        runs.append(finding.run)  # a responder's, perhaps
    for name in dict.fromkeys(runs):
        run = session.active.get(name)
        if run is None or run.purpose not in ("agent", "responder"):
            continue
        waiting = True
        if not run.stop_reason:
            found.append(ev.RunStopping(session.id, name, f"{reaction.id}: {reaction.reason}", reaction.id))
    gates = [session.nodes[key].gate for key in reaction.assignments]
    if reaction.scope in ("wave", "session") and session.current is not None:
        gates.append(session.current.gate)
    for gate in gates:
        if gate is None or gate.state == "ended":
            continue
        waiting = True
        check = session.active.get(gate.checks[gate.next].run) if gate.next < len(gate.checks) else None
        if check is None:
            wave = session.waves[gate.wave].plan.name
            why = f"{reaction.id}: {reaction.reason}"
            found.append(ev.GateEnded(session.id, gate.id, wave, "failed", gate.assignment, why, reaction.id))
        elif not check.stop_reason:
            found.append(ev.RunStopping(session.id, check.id, f"{reaction.id}: {reaction.reason}", reaction.id))
    return found, not found and not waiting


def _respond(session: Session, guards: Guards, reaction: Reaction, now: float) -> _Phase:
    """Its responder runs until it has succeeded, or has no attempt left."""
    agent = responder_of(session, reaction)
    if agent is None:
        return [], True
    run = session.runs.get(reaction.response)
    if run is not None and run.state != "ended":
        return [], False
    if run is not None and run.succeeded:
        return [], True
    wave = session.current
    if run is not None and (run.stop_reason or reaction.responses > agent.retries + reaction.withdrawn):
        return _unanswered(session, guards, reaction, run.explanation or run.outcome), False
    if wave is None or out_of_time(session, wave, now):
        return _unanswered(session, guards, reaction, "the wave is over"), False
    restoring = any(other.restoring for other in guards.reactions.values())
    if session.held or restoring or now < reaction.respond_at:
        return [], False
    timeout, whose = run_limit(session, wave, agent.timeout, "agent", now)
    attempt = reaction.responses + 1
    return [
        ev.RunStarting(
            session.id,
            run=f"{session.id}/{agent.name}@{reaction.id}#{attempt}",
            wave=wave.plan.name,
            purpose="responder",
            agent=agent.name,
            attempt=attempt,
            timeout=timeout,
            timeout_of=whose,
            failure=run.explanation if run is not None else "",
            reaction=reaction.id,
        )
    ], False


def responder_of(session: Session, reaction: Reaction) -> Agent | None:
    """The `[[responder]]` that a reaction starts."""
    return next((agent for agent in session.plan.responders if agent.name == reaction.responder), None)


def _unanswered(session: Session, guards: Guards, reaction: Reaction, why: str) -> list[ev.Event]:
    """The responder could not help. Agents that were stopped for it wait for a person."""
    whole = f"{reaction.responder} could not help: {why.splitlines()[0] if why else 'no reason is known'}"
    if "stop-all" in reaction.actions and not reaction.held:
        return _troubled(session, guards, reaction, whole)
    ended = ev.ReactionEnded(session.id, reaction.id, ok=False, detail=whole)
    return [*told(session, guards, "reactions", f"reaction {reaction.id}: {whole}"), ended]


def _hold(session: Session, guards: Guards, reaction: Reaction, now: float) -> _Phase:  # noqa: ARG001
    """A person is to look: the session is held, what is frozen stays so."""
    wanted = "hold" in reaction.actions or ("stop-all" in reaction.actions and not reaction.responder)
    if not wanted or reaction.resumed:
        return [], True
    return [ev.SessionHeld(session.id, f"{reaction.reason}: look at it, then approve or resume", reaction.id)], False


def _ended(session: Session, guards: Guards, reaction: Reaction, now: float) -> list[ev.Event]:
    """All is done. A wave that was put back begins anew, all its assignments with it."""
    ended = ev.ReactionEnded(session.id, reaction.id, ok=True, detail=_done(reaction))
    wave = session.current
    again = reaction.scope in ("wave", "session") and reaction.cause != "gate"
    if not again or wave is None or out_of_time(session, wave, now):
        return [ended]
    found: list[ev.Event] = []
    for key in wave.keys:
        node = session.nodes[key]
        if node.state != "ended":
            found.append(ev.AssignmentEnded(session.id, key, node.agent.name, "stopped", reaction.reason))
    attempt = wave.gate_attempt + (1 if wave.gate is not None else 0)
    why = history(guards, reaction)
    found.append(ev.WaveRetried(session.id, wave.plan.name, dict.fromkeys(wave.keys, why), attempt, reaction.id))
    return [*found, ended]


def _done(reaction: Reaction) -> str:
    parts = []
    if reaction.restore == "done":
        parts.append(f"{reaction.total} file{'' if reaction.total == 1 else 's'} restored; before: {reaction.present}")
    if reaction.responder:
        parts.append(f"{reaction.responder} has succeeded")
    return "; ".join(parts)
