"""What clients are shown of a session's guards (docs/architecture.md, "Wire"): a part of `waved.domain.view`."""

from __future__ import annotations

from itertools import islice
from typing import Any

from waved.domain.state import Node, Run, Session
from waved.domain.state_guards import OPEN_SHOWN, Finding, Guards, PreviewState, Reaction, Snapshot

_MAX_TEXT = 4000
_SNAPSHOTS_SHOWN = 200


def summary(session: Session) -> dict[str, Any]:
    """What a list shows."""
    return {"open_findings": len(session.guards.findings) if session.guards is not None else 0}


def view(session: Session, now: float) -> dict[str, Any]:
    """Findings, reactions, snapshots and the preview; empty where there are no guards."""
    guards = session.guards
    if guards is None:
        return {"findings": [], "reactions": [], "snapshots": [], "preview": None}
    reactions = [*guards.reactions.values(), *reversed(guards.past.values())]
    newest_open = islice(reversed(guards.findings.values()), OPEN_SHOWN)
    newest = islice(reversed(guards.snapshots.values()), _SNAPSHOTS_SHOWN)
    return {
        "findings": [_finding(found) for found in (*newest_open, *reversed(guards.cleared.values()))],
        "reactions": [_reaction(guards, reaction) for reaction in reactions],
        "snapshots": [_snapshot(each) for each in [*guards.taking.values(), *newest]],
        "preview": _preview(guards.preview, now) if guards.preview is not None else None,
    }


def writing(session: Session, node: Node) -> dict[str, Any]:
    """What an assignment was seen to change."""
    found = session.guards.writings.get(node.key) if session.guards is not None else None
    if found is None:
        return {"files_changed": 0, "changes": 0, "last_change": None}
    return {"files_changed": found.files, "changes": found.changes, "last_change": found.last}


def is_frozen(session: Session, run: str) -> bool:
    """Whether all processes of a run stand still."""
    entry = session.guards.frozen.get(run) if session.guards is not None else None
    return entry is not None and entry.state == "frozen"


def frozen_for(session: Session, run: str) -> list[str]:
    """What wants a run to stand still: reactions, and "person"."""
    entry = session.guards.frozen.get(run) if session.guards is not None else None
    return list(entry.holders) if entry is not None else []


def stood(session: Session, run: Run) -> list[list[float | None]]:
    """From when to when a run stood still; to None: it still does."""
    found: list[list[float | None]] = [[start, end] for start, end in run.stood]
    entry = session.guards.frozen.get(run.id) if session.guards is not None else None
    return [*found, [entry.since, None]] if entry is not None and entry.state == "frozen" else found


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "finding": found.id,
        "monitor": found.monitor,
        "summary": found.summary[:_MAX_TEXT],
        "severity": found.severity,
        "subject": found.subject,
        "path": found.path,
        "line": found.line,
        "assignment": found.assignment,
        "run": found.run,
        "evidence": found.evidence[:_MAX_TEXT],
        "made": found.made,
        "cleared": found.cleared,
        "reason": found.reason[:_MAX_TEXT],
        "by": found.by,
        "reactions": list(found.reactions),
    }


def _reaction(guards: Guards, reaction: Reaction) -> dict[str, Any]:
    return {
        "reaction": reaction.id,
        "actions": list(reaction.actions),
        "finding": reaction.finding,
        "monitor": reaction.monitor,
        "subject": reaction.subject,
        "step": reaction.step,
        "state": _state(guards, reaction),
        "runs": list(reaction.runs),
        "scope": reaction.scope,
        "paths": reaction.paths[:20],
        "assignments": list(reaction.assignments),
        "responder": reaction.responder,
        "present": reaction.present,
        "to": reaction.to,
        "restored": list(reaction.restored),
        "total": reaction.total,
        "started": reaction.started,
        "ended": reaction.ended,
        "ok": reaction.ok if reaction.ended is not None else None,
        "reason": reaction.reason[:_MAX_TEXT],
        "detail": (reaction.detail or reaction.problem)[:_MAX_TEXT],
        "by": reaction.by,
        "cause": reaction.cause,
    }


def _state(guards: Guards, reaction: Reaction) -> str:
    """What it is at."""
    if reaction.ended is not None:
        return "ended"
    if reaction.held and not reaction.resumed:
        return "holding"
    if reaction.restore == "running":
        return "restoring"
    if reaction.present and not reaction.present_taken:
        return "keeping"
    if reaction.responses:
        return "responding"
    if reaction.ending:
        return "ending"
    if any(run in guards.frozen and guards.frozen[run].state != "frozen" for run in reaction.runs):
        return "freezing"
    return "waiting"


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "snapshot": snapshot.name,
        "label": snapshot.label,
        "time": snapshot.time,
        "commit": snapshot.commit,
        "files": snapshot.files,
        "changed": snapshot.changed,
        "seconds": snapshot.seconds,
        "skipped": snapshot.skipped,
        "error": snapshot.error,
        "wave": snapshot.wave,
        "reaction": snapshot.reaction,
    }


def _preview(preview: PreviewState, now: float) -> dict[str, Any]:
    up, watched = preview.seconds_up, preview.seconds
    if preview.watched_from is not None:
        passed = max(0.0, now - preview.changed)
        watched += passed
        up += passed if preview.up else 0.0
    return {
        "state": "up" if preview.up else ("starting" if preview.answer_due is not None else "down"),
        "url": preview.url,
        "reason": preview.reason[:_MAX_TEXT],
        "run": preview.run,
        "starts": preview.starts,
        "seconds_up": up,
        "seconds": watched,
        "uptime": up / watched if watched > 0 else None,
    }
