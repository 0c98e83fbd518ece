"""An event as a line of the log: the same facts as in the journal, and where they belong (session, wave, agent, run).

One line an event, told after the journal has it; `seq` is the event's number, so log and journal can be laid side by
side. What is large is left to the journal.
"""

from __future__ import annotations

from typing import Any

from waved.domain import events as ev
from waved.domain.state import Session

LARGE = frozenset({"plan", "token", "tail", "command", "failure", "changes", "evidence"})
"""Fields that are not in the log."""
_BAD = frozenset({"failed", "timed-out", "refused", "lost", "signalled", "not-started", "skipped", "stalled"})
_SEVERITY = {"info": "info", "warning": "warning", "critical": "error"}


def line_of(event: ev.Event, session: Session | None) -> tuple[str, dict[str, Any]]:
    """The level and the fields of an event's line. `session`: its state, if it is known."""
    fields: dict[str, Any] = {"seq": event.seq, "session": event.session}
    fields.update(place_of(event, session))
    fields["time"] = round(event.time, 6)
    fields.update({name: value for name, value in event.data().items() if name not in LARGE})
    return level_of(event), fields


def place_of(event: ev.Event, session: Session | None) -> dict[str, str]:
    """Wave, agent and run of an event, as far as it has them: also where the event itself names only one of them."""
    if session is None:
        return {}
    found: dict[str, str] = {}
    key = getattr(event, "assignment", "")
    gate = getattr(event, "gate", "")
    if isinstance(gate, str) and gate:
        within = gate.partition("/")[2].rpartition("#")[0]
        if within.startswith("@"):
            found["wave"] = within[1:]
        else:
            key = key or within
    run = session.runs.get(getattr(event, "run", ""))
    if run is not None:
        key = key or run.assignment
        found["wave"] = session.waves[run.wave].plan.name
    node = session.nodes.get(key)
    if node is not None:
        found.setdefault("wave", session.waves[node.wave].plan.name)
        found["agent"] = node.agent.name
    if run is not None:
        found["run"] = run.id
    return found


def level_of(event: ev.Event) -> str:
    """How grave it is: `error` for what waved cannot make good, `warning` for what did not go as planned."""
    match event:
        case ev.RunEnded(outcome="lost") | ev.JournalSalvaged():
            return "error"
        case ev.RunEnded(outcome="exited"):
            return "warning" if event.exit_code else "info"
        case ev.SessionHeld() | ev.RetryScheduled() | ev.WaveRetried():
            return "warning"
        case ev.ChecklistItemChecked():
            return "info" if event.ok or event.waived else "warning"
    severity = getattr(event, "severity", "")
    if severity:
        return _SEVERITY.get(severity, "warning")
    if not getattr(event, "ok", True) or getattr(event, "error", None):
        return "warning"
    results = (getattr(event, "outcome", ""), getattr(event, "verdict", ""))
    return "warning" if _BAD.intersection(results) else "info"
