"""How what agents are seen to do changes a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waved.domain import events as ev
from waved.domain.budgets import spend
from waved.domain.providers import refused
from waved.domain.state import ProviderLimit, Run, Session
from waved.domain.usage import usage_from


def _acted(session: Session, event: ev.RunActed) -> None:
    run = session.runs[event.run]
    run.tool, run.acting_detail, run.reset_at = event.tool, event.detail, event.reset_at
    note_totals(session, run, event.data())
    note_provider(session, run)
    if event.state == "rate-limited" and refused(session, run):
        session.refusals[run.id] = None


def note_provider(session: Session, run: Run) -> None:
    """Remember whom agents of this kind call."""
    if run.provider and run.purpose == "agent":
        agent = session.nodes[run.assignment].agent
        session.callers[agent.program, agent.model or ""] = run.provider


def _limited(session: Session, event: ev.ProviderLimited) -> None:
    session.refusals.pop(event.run, None)
    limit = session.providers.setdefault(event.provider, ProviderLimit(event.provider, 0.0, event.room))
    if event.run not in limit.told:
        limit.told = [*limit.told[-_REMEMBERED:], event.run]
    if event.until > limit.until:
        limit.refusals += 1
    limit.until, limit.room, limit.reason = max(limit.until, event.until), event.room, event.reason


def note_success(session: Session, run: Run) -> None:
    """A run succeeded: its provider takes one more at once, and in the end as many as there are."""
    limit = session.providers.get(run.provider)
    if limit is not None:
        limit.room += 1
        limit.refusals = 0
        if limit.room > len(session.nodes):
            del session.providers[run.provider]


def note_totals(session: Session, run: Run, told: dict[str, Any]) -> None:
    """Keep what a report or an exit record says of the run in all."""
    run.acting = told.get("state", "")
    run.behind = told.get("behind", 0)
    run.acting_since = told.get("since", 0.0)
    run.program_session = told.get("program_session", "") or run.program_session
    run.provider = told.get("provider", "") or run.provider
    run.model = told.get("model", "") or run.model
    run.version = told.get("version", "") or run.version
    before, run.usage = run.usage, usage_from(told.get("usage", {}))
    spend(session, run, before)
    if run.purpose == "agent" and told.get("wrote"):
        known = session.nodes[run.assignment].wrote
        known.update(dict.fromkeys(told["wrote"][: max(0, KEPT_WRITTEN - len(known))]))
    new = [tool for tool in told.get("forbidden", ()) if tool not in run.forbidden]
    if new:
        run.forbidden.update(dict.fromkeys(new))
        session.forbidden[run.id] = [*session.forbidden.get(run.id, ()), *new]


KEPT_WRITTEN = 200
"""Files remembered of an assignment as written, by its program's own words."""
_REMEMBERED = 100
"""Refused runs remembered for a provider."""

HANDLERS: dict[type[ev.Event], Callable[[Session, Any], None]] = {
    ev.RunActed: _acted,
    ev.ProviderLimited: _limited,
}
