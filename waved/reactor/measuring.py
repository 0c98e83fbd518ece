"""The metrics of a session, live or past, computed beside the reactor from the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.measures import measure_all
from waved.domain.state import Session
from waved.journal.rows import events_of
from waved.journal.salvage import read_only


def measured(journal: Path, session: str, now: float) -> dict[str, Any]:
    """What `session.metrics` answers. On a helper thread: it folds all of the session with a connection of its own.

    Raises ValueError for a session that cannot be read, OSError and sqlite3.Error for a journal that cannot be.
    """
    with closing(read_only(journal)) as db:
        events = events_of(db, session)
        submitted = next(events, None)
        if not isinstance(submitted, ev.SessionSubmitted):
            raise ValueError(f"the journal does not hold the beginning of session {session}")  # noqa: TRY004
        state = begin(submitted)
        metrics = measure_all(state, _folded(state, events), now)
    return {"session": session, "metrics": [metric.as_dict() for metric in metrics]}


def _folded(session: Session, events: Iterator[ev.Event]) -> Iterator[ev.Event]:
    """The events, each after it was folded into the session."""
    for event in events:
        fold(session, event)
        yield event
