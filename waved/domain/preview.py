"""The preview's server: started, kept up, started again after a restore (requirement M3). It is no agent: nobody
waits for it, and it never outlives its session.
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.fold.background import preview_labels
from waved.domain.state import Session
from waved.domain.state_guards import Guards, PreviewState, key_of
from waved.domain.telling import made
from waved.plan.guards import Preview
from waved.plan.quantities import format_duration

ITEM = "preview"


def decide(session: Session, guards: Guards, now: float) -> list[ev.Event]:
    """What is due for the preview."""
    settings, preview = session.plan.preview, guards.preview
    if settings is None or preview is None:
        return []
    if session.phase == "checking":
        return _checking(session, settings, preview, now)
    if preview.answer_due is not None and now >= preview.answer_due:
        return [ev.PreviewFailed(session.id, preview.url or settings.url, _unanswered(settings, preview))]
    for label in preview_labels(session):
        why = guards.complaints.get(label)
        if why is not None and key_of(label, "") not in guards.reacting:
            return [made(session, guards, label, why, severity="critical")]
    return _keep_up(session, settings, preview, now)


def deadlines(session: Session, guards: Guards) -> list[float | None]:
    """When something is due for it."""
    settings, preview = session.plan.preview, guards.preview
    if settings is None or preview is None:
        return []
    if session.phase == "checking" and not _is_awaited(session):
        return []
    times: list[float | None] = [preview.answer_due]
    if _can_start(settings, preview) and not guards.closing and not preview.run:
        times.append(preview.next_start)
    return times


def items(guards: Guards) -> list[str]:
    """The items of the checklist that say how it is."""
    return [ITEM] if guards.preview is not None else []


def _is_awaited(session: Session) -> bool:
    """In the checklist: all else is well, and nobody has said yet how the preview is."""
    if not session.checklist_ok or any(item.item == ITEM for item in session.checklist):
        return False
    seen = {item.item for item in session.checklist if item.ok or item.waived}
    return not session.plan.snapshots.enabled or "backups" in seen


def _checking(session: Session, settings: Preview, preview: PreviewState, now: float) -> list[ev.Event]:
    if not _is_awaited(session):
        return []
    waived = ITEM in session.waived
    if preview.up:
        return [ev.ChecklistItemChecked(session.id, ITEM, ok=True, detail=preview.url, waived=waived)]
    late = preview.answer_due is not None and now >= preview.answer_due
    if not late and not preview.problem:
        return _keep_up(session, settings, preview, now)
    detail = preview.problem or _unanswered(settings, preview)
    hint = (
        "see its output with `wavectl logs`" if settings.command is not None else f"start what answers {settings.url}"
    )
    return [ev.ChecklistItemChecked(session.id, ITEM, ok=False, detail=detail, hint=hint, waived=waived)]


def _unanswered(settings: Preview, preview: PreviewState) -> str:
    why = f" ({preview.reason})" if preview.reason else ""
    return f"{preview.url or settings.url} did not answer within {format_duration(settings.start_timeout)}{why}"


def _can_start(settings: Preview, preview: PreviewState) -> bool:
    """Whether it is waved that starts it, and it has all it needs."""
    return settings.command is not None and not preview.problem and ("{port}" not in settings.url or preview.port > 0)


def _keep_up(session: Session, settings: Preview, preview: PreviewState, now: float) -> list[ev.Event]:
    if "{port}" in settings.url and not preview.port_asked:
        return [ev.PortLeasing(session.id)]
    if not _can_start(settings, preview) or session.guards is None or session.guards.closing:
        return []
    if preview.run:
        if preview.renew and session.runs[preview.run].state != "stopping":
            return [ev.RunStopping(session.id, preview.run, "files were restored: it is started again")]
        return []
    if now < preview.next_start:
        return []
    wave = session.current.plan.name if session.current is not None else ""
    name = f"{session.id}/preview@#{preview.starts + 1}"
    return [ev.RunStarting(session.id, name, wave, "preview", agent="preview", attempt=preview.starts + 1)]
