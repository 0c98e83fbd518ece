"""What a session has changed: from its first snapshot to its end, or to now (requirements R5, C3)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from waved.domain.state import Session
from waved.errors import NotFoundError
from waved.plan.reporting import own_files
from waved.report.given import Changes, FileChange
from waved.workspace.records import Snapshot
from waved.workspace.shadow import Shadow

MOST_FILES = 20_000
"""Files that are told."""
MOST_NAMED = 2_000
"""Files whose lines are shown, where some are chosen."""
END = "the end of the session"
NOW = "now"


@dataclass(frozen=True, slots=True)
class Span:
    """Between which snapshots: commits. `until` "": the workspace as it is."""

    first: str
    until: str
    called: str
    """What `until` is called, for people."""


def span_of(session: Session) -> Span | None:
    """What there is to compare; None where nothing was kept."""
    guards = session.guards
    first = guards.snapshots.get(guards.first) if guards is not None and guards.first else None
    if guards is None or first is None or not first.commit:
        return None
    if session.phase != "ended":
        return Span(first.commit, "", NOW)
    if session.report is not None and session.report.snapshot:
        return Span(first.commit, session.report.snapshot, END)
    newest = [each for each in guards.snapshots.values() if each.commit and each.time is not None]
    last = max(newest, key=lambda each: each.time or 0.0)
    return Span(first.commit, last.commit, f"its last snapshot, {last.name}")


def why_not(session: Session) -> str:
    """Why there is nothing to compare, for a person."""
    if not session.plan.snapshots.enabled:
        return "the plan says `[snapshots] enabled = false`"
    return "no snapshot was taken" if session.guards is not None else "it was begun by a waved without snapshots"


def differing(
    shadow: Shadow, session: Session, span: Span, until: Snapshot | None, limit: int,
    picks: Callable[[str], bool] | None = None, *, stat_only: bool = False,
) -> Changes:  # fmt: skip
    """The files and the diff. `until` None: the workspace as it is. waved's own files count only where an agent was
    seen to write them. Raises what `Shadow` raises.
    """
    first = shadow.find(span.first)
    lines = {each.path: each for each in shadow.stat(first, until)}
    own = untouched(session)
    found = [
        FileChange(
            shown(change.path), change.kind,
            lines[change.path].added if change.path in lines else None,
            lines[change.path].removed if change.path in lines else None,
        )
        for change in shadow.changed(first, until)
        if change.path not in own and (picks is None or picks(change.path))
    ]  # fmt: skip
    text, truncated = "", False
    if found and not stat_only:
        names = [each.path for each in found[:MOST_NAMED]] if picks is not None else None
        diff = shadow.diff(first, until, names, limit)
        text, truncated = (
            shown(_without(diff.text, own)),
            diff.truncated or (picks is not None and len(found) > MOST_NAMED),
        )
    return Changes("", "s1", span.called, tuple(found[:MOST_FILES]), text, truncated)


def untouched(session: Session) -> frozenset[str]:
    """The files of the workspace that waved alone wrote: without those that an agent was seen to write as well."""
    writings = session.guards.writings.values() if session.guards is not None else ()
    return own_files(session.plan) - {path for each in writings for path in each.paths}


def _without(diff: str, own: Collection[str]) -> str:
    """The diff without the parts of these files."""
    if not own:
        return diff
    heads = {f"diff --git a/{path} b/{path}" for path in own}
    kept, dropping = [], False
    for line in diff.split("\n"):
        if line.startswith("diff --git "):
            dropping = line in heads
        if not dropping:
            kept.append(line)
    return "\n".join(kept)


def end_of(shadow: Shadow, commit: str) -> Snapshot | None:
    """The snapshot of a commit; None when it has expired."""
    try:
        return shadow.find(commit)
    except NotFoundError:
        return None


def shown(text: str) -> str:
    """Text for the wire: bytes that are no UTF-8 are replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
