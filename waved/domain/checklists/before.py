"""The checklist before anything is deployed, in four lines; its parts are the items that were looked at (C1)."""

from __future__ import annotations

from waved.domain.checklists.item import Checklist, Item, Tick, named
from waved.domain.state import ChecklistItem, Session

_OF_THEIR_OWN = ("file sizes", "backups", "session-folder")


def before(session: Session) -> Checklist:
    """Infrastructure, file sizes, backups, the session's folder."""
    seen = {item.item: item for item in session.checklist}
    sizes = any(monitor.kind == "file-size" for monitor in session.plan.monitors)
    kept = session.guards is not None and session.plan.snapshots.enabled
    folder = session.plan.session.folder
    return Checklist(
        "pre-deployment",
        "",
        [
            _infrastructure(session),
            _one(session, seen.get("file sizes"), "file-sizes", "All files within their size")
            if sizes
            else _needless("file-sizes", "All files within their size", "the plan has no monitor of file sizes"),
            _one(session, seen.get("backups"), "backups", "Backups created")
            if kept
            else _needless("backups", "Backups created", "the plan keeps no snapshots"),
            _one(session, seen.get("session-folder"), "session-folder", "Session directory prepared")
            if folder is not None
            else _needless("session-folder", "Session directory prepared", "the plan names no `session.folder`"),
        ],
    )


def _is_over(session: Session) -> bool:
    return session.phase != "checking"


def _infrastructure(session: Session) -> Item:
    title = "Infrastructure verified working"
    looked_at = [item for item in session.checklist if item.item not in _OF_THEIR_OWN]
    failed = [item for item in looked_at if not item.ok]
    if failed:
        waived = [item.item for item in failed if item.waived]
        told = "; ".join(f"{item.item}: {item.detail}"[:200] for item in failed[:5])
        return Item("infrastructure", title, "unticked", told + (f" (waived: {named(waived)})" if waived else ""))
    state: Tick = "open"
    if _is_over(session):
        state = "ticked" if looked_at else "unticked"
    return Item("infrastructure", title, state, named(item.item for item in looked_at) or "nothing was looked at")


def _one(session: Session, seen: ChecklistItem | None, name: str, title: str) -> Item:
    if seen is None:
        if _is_over(session):
            return Item(name, title, "unticked", "it was not looked at")
        return Item(name, title, "open", "")
    if not seen.ok:
        return Item(name, title, "unticked", seen.detail[:400] + (" (waived)" if seen.waived else ""))
    return Item(name, title, "ticked", seen.detail[:400])


def _needless(name: str, title: str, why: str) -> Item:
    return Item(name, title, "not-applicable", why)
