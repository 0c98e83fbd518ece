"""What clients may ask of snapshots, rollbacks and findings (docs/architecture.md, "Wire"; requirement R5).

Of a session that goes on, a rollback is a reaction: decided, journalled, and done with its agents frozen. Of one that
has ended there is nobody to mind: its files are brought back at once, and the present state is kept before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waved.domain import events as ev
from waved.domain import requests_guards as requests
from waved.domain.state import Session
from waved.errors import BadRequestError, ConflictError, InternalError, NotFoundError, WavedError
from waved.ipc.server import Asked
from waved.reactor.differing import untouched
from waved.reactor.params import Params
from waved.reactor.rollback import chosen
from waved.workspace.attribution import owns
from waved.workspace.records import Label, Snapshot
from waved.workspace.shadow import DIFF_LIMIT, Shadow

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

Reply = dict[str, Any] | None
MOST_LISTED = 5_000
"""Snapshots, or files, in one answer."""
A_CLIENT = "a client"


def snapshots_list(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """A session's snapshots, oldest first; `all`: those of every session on its workspace."""
    session = reactor.sessions.get(params.text("session", ""))
    everything = params.flag("all", default=False)
    params.finish()
    names = _names(session)

    def job(shadow: Shadow) -> dict[str, Any]:
        by_commit: dict[str, list[str]] = {}
        for name, commit in names.items():
            by_commit.setdefault(commit, []).append(name)
        found = [
            _described(snapshot, by_commit.get(snapshot.id, []))
            for snapshot in shadow.snapshots()
            if everything or snapshot.id in by_commit or snapshot.label.session == session.id
        ]
        return {"session": session.id, "workspace": session.workspace, "snapshots": found[-MOST_LISTED:]}

    return later(reactor, asked, session, job)


def snapshots_show(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """One snapshot: what it left out, and what differs from the one before it."""
    session = reactor.sessions.get(params.text("session", ""))
    name = params.text("snapshot")
    params.finish()
    names = _names(session)

    def job(shadow: Shadow) -> dict[str, Any]:
        snapshot = _find(shadow, names, name)
        before = None
        for other in shadow.snapshots():
            if other.id == snapshot.id:
                break
            before = other
        changes = _changes(shadow, before, snapshot) if before is not None else []
        called = [known for known, commit in names.items() if commit == snapshot.id]
        skipped = [{"path": _shown(each.path), "why": each.why} for each in snapshot.skipped]
        return {**_described(snapshot, called), "skipped": skipped, "changes": changes}

    return later(reactor, asked, session, job)


def snapshots_diff(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """What differs between two snapshots (`until` "": and the workspace as it is), as git shows it."""
    session = reactor.sessions.get(params.text("session", ""))
    since, until = params.text("since"), params.text("until", "")
    paths = params.texts("paths")
    limit = params.integer("limit", DIFF_LIMIT, 1, 8 * DIFF_LIMIT)
    params.finish()
    names = _names(session)

    def job(shadow: Shadow) -> dict[str, Any]:
        first = _find(shadow, names, since)
        second = _find(shadow, names, until) if until else None
        found = shadow.diff(
            first, second, [os.fsencode(path).decode(errors="surrogateescape") for path in paths], limit
        )
        return {"diff": _shown(found.text), "truncated": found.truncated}

    return later(reactor, asked, session, job)


def session_snapshot(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Keep the workspace as it is now."""
    session = reactor.sessions.get(params.text("session", ""))
    params.finish()
    reactor.require_room()
    if session.id in reactor.sessions.live:
        found = requests.snapshot(session, A_CLIENT)
        reactor.record(found)
        return {"snapshot": next(event.snapshot for event in found if isinstance(event, ev.SnapshotTaking))}

    def job(shadow: Shadow) -> dict[str, Any]:
        taken = shadow.take(Label(f"by {A_CLIENT}", session.id))
        return {"snapshot": taken.id[:12], "commit": taken.id, "files": taken.files, "changed": taken.changed}

    return later(reactor, asked, session, job)


def session_approve(reactor: Reactor, params: Params, _asked: Asked) -> Reply:
    """What was found ("" for all that is open) is as it should be."""
    session = reactor.sessions.get(params.text("session", ""))
    finding = params.text("finding", "")
    params.finish()
    reactor.require_journal()
    if session.id not in reactor.sessions.live:
        raise ConflictError(f"session {session.id} has ended", "there is nothing left to approve")
    found = requests.approve(session, finding or requests.ALL, A_CLIENT)
    reactor.record(found)
    return {"approved": [event.finding for event in found if isinstance(event, ev.FindingCleared)]}


def snapshots_restore(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Bring the workspace, or `paths` of it, back to a snapshot."""
    wanted, name = params.text("session", ""), params.text("snapshot")
    paths, dry = params.texts("paths"), params.flag("dry", default=False)
    params.finish()
    scope = "file" if paths else "session"
    return _roll_back(reactor, asked, _Rollback(reactor.sessions.get(wanted), scope, tuple(paths), name, dry))


def session_rollback(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Bring files back at a scope: `targets` are paths (file), agents (agent), or a wave's name (wave)."""
    wanted, scope = params.text("session", ""), params.text("scope")
    targets, name = params.texts("targets"), params.text("snapshot", "")
    dry = params.flag("dry", default=False)
    params.finish()
    if scope not in requests.SCOPES:
        raise BadRequestError(f"session.rollback: `scope` is {scope!r}; {', '.join(requests.SCOPES)} is expected")
    if scope in ("file", "agent") and not targets:
        raise BadRequestError(f"session.rollback: scope {scope} needs `targets`")
    return _roll_back(reactor, asked, _Rollback(reactor.sessions.get(wanted), scope, tuple(targets), name, dry))


# --- rolling back -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rollback:
    """What a person wants."""

    session: Session
    scope: str
    targets: tuple[str, ...]
    snapshot: str
    dry: bool
    """Only say what would change."""


def _roll_back(reactor: Reactor, asked: Asked, wish: _Rollback) -> Reply:
    session = wish.session
    names = _names(session)
    if not names:
        raise ConflictError(f"session {session.id} has no snapshot to go back to")
    running = session.id in reactor.sessions.live and session.phase == "running"
    if running and not wish.dry:
        reactor.require_room()
        # A file without a snapshot goes back to where the session found it: no monitor's judgement is asked for.
        to = wish.snapshot or (_first(session) if wish.scope == "file" else "")
        found = requests.rollback(session, wish.scope, wish.targets, _named(names, to), A_CLIENT)
        reactor.record(found)
        return {"live": True, "reactions": [event.reaction for event in found if isinstance(event, ev.ReactionStarted)]}
    if session.id in reactor.sessions.live and not running and not wish.dry:
        raise ConflictError(f"session {session.id} is {session.phase}", "roll back while it runs, or when it has ended")
    to, picks = _base(session, wish)

    def job(shadow: Shadow) -> dict[str, Any]:
        target = _find(shadow, names, to)
        changed = [change.path for change in shadow.changed(target)]
        own = untouched(session)
        paths = [path for path in changed if picks(path) and path not in own]
        answer: dict[str, Any] = {"live": running, "to": to, "commit": target.id}
        if wish.dry:
            files = [_shown(path) for path in paths]
            return {**answer, "files": files[:MOST_LISTED], "total": len(files)}
        if not paths:
            return {**answer, "restored": [], "removed": [], "failed": [], "total": 0, "present": ""}
        done = shadow.restore(target, paths, Label(f"before a rollback to {to}", session.id))
        return {
            **answer,
            "restored": [_shown(path) for path in done.restored[:MOST_LISTED]],
            "removed": [_shown(path) for path in done.removed[:MOST_LISTED]],
            "failed": [f"{_shown(failure.path)}: {failure.why}" for failure in done.failed[:MOST_LISTED]],
            "total": len(done.restored) + len(done.removed),
            "present": done.present.id[:12],
        }

    return later(reactor, asked, session, job)


def _base(session: Session, wish: _Rollback) -> tuple[str, Callable[[str], bool]]:
    """Where a scope goes back to, and which of the changed paths go back with it."""
    first = _first(session)
    if wish.scope == "file":
        return wish.snapshot or first, lambda path: bool(chosen([path], wish.targets))
    if wish.scope == "agent":
        return _base_of_agents(session, wish)
    if wish.scope == "wave" and not wish.snapshot:
        wave = session.waves[max(session.wave, 0)]
        if wish.targets:
            known = {each.plan.name: each for each in session.waves}
            if wish.targets[0] not in known:
                raise NotFoundError(
                    f"no wave {wish.targets[0]!r} in session {session.id}", f"its waves: {', '.join(known)}"
                )
            wave = known[wish.targets[0]]
        if not wave.base:
            raise ConflictError(f"wave {wave.plan.name} has no snapshot to go back to")
        return wave.base, lambda _path: True
    return wish.snapshot or first, lambda _path: True


def _base_of_agents(session: Session, wish: _Rollback) -> tuple[str, Callable[[str], bool]]:
    nodes = [node for node in session.nodes.values() if {node.key, node.agent.name} & set(wish.targets)]
    known = {name for node in nodes for name in (node.key, node.agent.name)}
    for name in wish.targets:
        if name not in known:
            agents = ", ".join(dict.fromkeys(node.agent.name for node in session.nodes.values()))
            raise NotFoundError(f"no agent {name!r} in session {session.id}", f"its agents: {agents}")
    began = [node.runs[0].base for node in nodes if node.runs and node.runs[0].base]
    if not began and not wish.snapshot:
        raise ConflictError("nothing to roll back", "none of these agents has run")
    patterns = [pattern for node in nodes for pattern in node.agent.owns]
    guards = session.guards
    written: set[str] = set()
    for node in nodes:
        writing = guards.writings.get(node.key) if guards is not None else None
        written.update(writing.paths if writing is not None else ())
    return wish.snapshot or began[0], lambda path: path in written or owns(patterns, path)


# --- the shadow repository --------------------------------------------------------------------------------------


def later(reactor: Reactor, asked: Asked, session: Session, job: Callable[[Shadow], dict[str, Any]]) -> Reply:
    """Answer with what `job` returns; it runs when no other git job of this workspace is under way."""
    guarding = reactor.guarding

    def work() -> None:
        live = session.id in reactor.sessions.live
        folder, settings = Path(session.workspace), session.plan.snapshots
        # Of a session that has ended the workspace may have been made anew since: a person asks, and means that one.
        shadow = (
            guarding.keeper.shadow(session.id, folder, settings) if live else guarding.keeper.adopt(folder, settings)
        )
        result = job(shadow)
        reactor.inbox.put(partial(reactor.server.answer, asked, result))

    def failed(error: BaseException) -> None:
        known = error if isinstance(error, WavedError) else InternalError(f"{type(error).__name__}: {error}")
        if known is not error:
            guarding.report(asked.request.method, error)
        reactor.inbox.put(partial(reactor.server.refuse, asked, known))

    guarding.keeper.run(session.workspace, work, failed)
    return None


def _names(session: Session) -> dict[str, str]:
    """The session's names of its snapshots, and their commits."""
    guards = session.guards
    if guards is None:
        raise ConflictError(f"session {session.id} keeps no snapshots", "it was begun by a waved without guards")
    if not session.plan.snapshots.enabled:
        raise ConflictError("the plan says `[snapshots] enabled = false`", "nothing is kept of this session")
    return {name: snapshot.commit for name, snapshot in guards.snapshots.items() if snapshot.commit}


def _first(session: Session) -> str:
    return session.guards.first if session.guards is not None else ""


def _named(names: dict[str, str], wanted: str) -> str:
    """The session's own name for a snapshot that is given by name or commit."""
    if not wanted or wanted in names:
        return wanted
    return next((name for name, commit in names.items() if len(wanted) >= 4 and commit.startswith(wanted)), wanted)


def _find(shadow: Shadow, names: dict[str, str], wanted: str) -> Snapshot:
    try:
        return shadow.find(names.get(wanted, wanted))
    except NotFoundError:
        known = ", ".join(list(names)[-12:]) or "none"
        raise NotFoundError(f"no snapshot {wanted!r}", f"of this session there are: {known}") from None


def _described(snapshot: Snapshot, names: Sequence[str]) -> dict[str, Any]:
    label = snapshot.label
    return {
        "snapshot": names[0] if names else (label.name or snapshot.id[:12]),
        "names": list(names),
        "commit": snapshot.id,
        "time": snapshot.time,
        "label": label.reason,
        "session": label.session,
        "wave": label.wave,
        "agent": label.agent,
        "files": snapshot.files,
        "changed": snapshot.changed,
    }


def _changes(shadow: Shadow, before: Snapshot, snapshot: Snapshot) -> list[dict[str, Any]]:
    lines = {each.path: each for each in shadow.stat(before, snapshot)}
    found = []
    for change in shadow.changed(before, snapshot)[:MOST_LISTED]:
        stat = lines.get(change.path)
        found.append(
            {
                "path": _shown(change.path),
                "kind": change.kind,
                "added": stat.added if stat is not None else None,
                "removed": stat.removed if stat is not None else None,
            }
        )
    return found


def _shown(text: str) -> str:
    """Text for the wire: bytes that are no UTF-8 are replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
