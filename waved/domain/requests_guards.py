"""What a person may ask of a session's guards, as events: approve, rollback, snapshot (requirement R5).

All of a session that goes on. On one that has ended there are no runs to mind and nothing to decide: the daemon takes
the present snapshot and restores, and no event is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from waved.domain import events as ev
from waved.domain.reactions import may_write
from waved.domain.state import Node, Session
from waved.domain.state_guards import Guards
from waved.errors import ConflictError, NotFoundError

ALL = "all"
SCOPES = ("file", "agent", "wave", "session")


def approve(session: Session, finding: str = ALL, by: str = "") -> list[ev.Event]:
    """What was found is as it should be. A session that is held for nothing else goes on.

    Raises NotFoundError for a finding that is not open, ConflictError when none is.
    """
    guards = _guards_of(session)
    if session.phase == "ended":
        raise ConflictError(f"session {session.id} has ended ({session.outcome})", "nothing is done about it any more")
    if finding != ALL and finding not in guards.findings:
        known = guards.finding(finding)
        if known is not None:
            raise ConflictError(f"finding {finding} was cleared: {known.reason}")
        raise NotFoundError(f"no finding {finding!r} in session {session.id}", _open(guards))
    names = list(guards.findings) if finding == ALL else [finding]
    if not names:
        raise ConflictError(f"no finding is open in session {session.id}")
    why = f"approved by {by}" if by else "approved"
    found: list[ev.Event] = [ev.FindingCleared(session.id, name, why, by or "a person") for name in names]
    held_for = {guards.reactions[name].finding for name in guards.holds}
    failed = any(guards.reactions[name].problem for name in guards.holds)
    if session.held and not guards.held_otherwise and not failed and held_for <= set(names):
        found.append(ev.SessionResumed(session.id, by))
    return found


def _open(guards: Guards) -> str:
    named = list(guards.findings)[:12]
    return f"open: {', '.join(named)}" if named else "none is open"


def snapshot(session: Session, by: str = "") -> list[ev.Event]:
    """Keep the workspace as it is now. Raises ConflictError when the plan wants no snapshots."""
    guards = _with_snapshots(session)
    if session.phase == "ended":
        raise ConflictError(f"session {session.id} has ended ({session.outcome})")
    return [ev.SnapshotTaking(session.id, f"s{guards.named + 1}", f"by {by or 'a person'}")]


def rollback(
    session: Session, scope: str, targets: Sequence[str] = (), snapshot_name: str = "", by: str = ""
) -> list[ev.Event]:
    """Bring files back: `scope` file (`targets`: paths), agent (its name, or an assignment), wave (the present one), or
    session (all, to its first snapshot; the session is held then). To `snapshot_name`, or where the scope begins.

    Agents whose work goes back start again. Raises ConflictError where there is nothing to bring back or to go back
    to, NotFoundError for unknown names.
    """
    guards = _with_snapshots(session)
    if session.phase != "running":
        raise ConflictError(f"session {session.id} is {session.phase}", "roll back while it runs, or when it has ended")
    if scope not in SCOPES:
        raise NotFoundError(f"no scope {scope!r}", f"scopes: {', '.join(SCOPES)}")
    if snapshot_name and not _is_kept(guards, snapshot_name):
        recent = ", ".join(list(guards.snapshots)[-12:])
        raise NotFoundError(f"no snapshot {snapshot_name!r} in session {session.id}", f"the last: {recent}")
    if not snapshot_name and not guards.newest:
        raise ConflictError(f"session {session.id} has no snapshot to go back to")
    if scope == "file":
        started = [_of_files(session, targets)]
    elif scope == "agent":
        started = [_of_agent(session, node) for node in _nodes(session, targets)]
    else:
        started = [_of_wave(session, scope, targets)]
    who = by or "a person"
    for number, event in enumerate(started, start=guards.reacted + 1):
        event.reaction, event.cause, event.by, event.snapshot = f"r{number}", "person", who, snapshot_name
        event.reason = f"{who} rolled back {event.reason}"
    return [*started]


def _of_files(session: Session, paths: Sequence[str]) -> ev.ReactionStarted:
    if not paths:
        raise ConflictError("no file is named", "name the files to bring back")
    writers = [run for run in session.active.values() if run.purpose in ("agent", "responder")]
    runs = [run.id for run in writers if any(may_write(session, run.assignment, path) for path in paths)]
    reason = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return ev.ReactionStarted(
        session.id, "", ["rollback-file"], runs=runs, scope="file", paths=[*paths], reason=reason
    )  # fmt: skip


def _of_agent(session: Session, node: Node) -> ev.ReactionStarted:
    live = node.state in ("starting", "running", "checking")
    runs = [run.id for run in node.runs[-1:] if run.id in session.active]
    actions = ["rollback-agent", *(["restart-agent"] if live else [])]
    return ev.ReactionStarted(
        session.id, "", actions, runs=runs, scope="agent", assignments=[node.key], reason=f"what {node.key} changed"
    )


def _of_wave(session: Session, scope: str, targets: Sequence[str]) -> ev.ReactionStarted:
    wave = session.current
    if wave is None:
        raise ConflictError("no wave is under way", "ask again in a moment, or when the session has ended")
    if scope == "wave" and targets and list(targets) != [wave.plan.name]:
        known = [other.plan.name for other in session.waves]
        if targets[0] not in known:
            raise NotFoundError(f"no wave {targets[0]!r} in session {session.id}", f"its waves: {', '.join(known)}")
        raise ConflictError(f"wave {targets[0]} is not under way", f"the present wave is {wave.plan.name}")
    writers = [run for run in session.active.values() if run.purpose in ("agent", "responder")]
    live = [key for key in wave.keys if session.nodes[key].state in ("starting", "running", "checking")]
    actions = ["rollback-wave", *(["hold"] if scope == "session" else [])]
    what = f"wave {wave.plan.name}" if scope == "wave" else "the session"
    return ev.ReactionStarted(
        session.id, "", actions, runs=[run.id for run in writers], scope=scope, assignments=live, reason=what
    )


def _nodes(session: Session, names: Sequence[str]) -> list[Node]:
    found: dict[str, Node] = {}
    for name in names:
        matching = [node for node in session.nodes.values() if name in (node.key, node.agent.name)]
        if not matching:
            known = ", ".join(dict.fromkeys(node.agent.name for node in session.nodes.values()))
            raise NotFoundError(f"no agent {name!r} in session {session.id}", f"its agents: {known}")
        found.update({node.key: node for node in matching if node.runs})
    if not found:
        raise ConflictError("nothing to roll back", "none of these agents has run")
    return list(found.values())


def _is_kept(guards: Guards, name: str) -> bool:
    known = guards.snapshots.get(name)
    return known is not None and not known.error


def _guards_of(session: Session) -> Guards:
    if session.guards is None:
        raise ConflictError(f"session {session.id} is not guarded", "it was begun by a waved without guards")
    return session.guards


def _with_snapshots(session: Session) -> Guards:
    guards = _guards_of(session)
    if not session.plan.snapshots.enabled:
        raise ConflictError("the plan says `[snapshots] enabled = false`", "nothing is kept of this session")
    return guards
