"""All metrics of a session with goal, value and verdict (requirements S1–S6): docs/metrics.md defines each.

Computed from the session's state and its events, so they can be had for any session of the past.
"""

from __future__ import annotations

from collections.abc import Iterable

from waved.domain import events as ev
from waved.domain.measures.figures import Figures
from waved.domain.measures.metric import Metric
from waved.domain.measures.quality import Quality
from waved.domain.measures.work import Work
from waved.domain.state import Session


def measure_all(session: Session, events: Iterable[ev.Event], now: float) -> list[Metric]:
    """The metrics of a session at `now` (seconds, waved's clock); `events` are all of it, in order."""
    work, quality = Work(), Quality(session.plan)
    for event in events:
        work.heed(event)
        quality.heed(event)
    return Figures(session, work, quality, now).metrics()


__all__ = ["Metric", "measure_all"]
