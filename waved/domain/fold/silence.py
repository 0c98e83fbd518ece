"""What the folds keep of time for monitors of time: who nears a limit, since when nothing changes."""

from __future__ import annotations

import heapq

from waved.domain.fold.findings import guards_of
from waved.domain.ladders import applies
from waved.domain.state import Run, Session
from waved.plan.guards import TimeoutsMonitor


def begins(session: Session, run: Run) -> None:
    """An agent's run is decided."""
    guards = guards_of(session)
    if guards.quiet_since is None:
        guards.quiet_since = run.decided
    if run.timeout is None:
        return
    shares = [
        each.warn_at for each in session.plan.monitors if isinstance(each, TimeoutsMonitor) and applies(session, each)
    ]
    if shares:
        heapq.heappush(guards.warnings, (run.decided + run.timeout * min(shares), run.id))


def ends(session: Session) -> None:
    """An agent's run has ended; where none is left, nobody is silent."""
    guards = guards_of(session)
    if not session.active_agents:
        guards.quiet_since = None
    while guards.warnings and guards.warnings[0][1] not in session.active:
        heapq.heappop(guards.warnings)
