"""How what agents are seen to do changes a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.state import Run, Session
from waved.domain.usage import usage_from


def _acted(session: Session, event: ev.RunActed) -> None:
    run = session.runs[event.run]
    run.tool, run.acting_detail, run.reset_at = event.tool, event.detail, event.reset_at
    note_totals(run, event.data())


def note_totals(run: Run, told: dict[str, Any]) -> None:
    """Keep what a report or an exit record says of the run in all."""
    run.acting = told.get("state", "")
    run.acting_since = told.get("since", 0.0)
    run.program_session = told.get("program_session", "") or run.program_session
    run.provider = told.get("provider", "") or run.provider
    run.model = told.get("model", "") or run.model
    run.version = told.get("version", "") or run.version
    run.usage = usage_from(told.get("usage", {}))


HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.RunActed: _acted,
}
