"""Findings the domain makes by itself, and who is told of a finding (the plan's `[[notify]]`)."""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.open_findings import described
from waved.domain.state import Session
from waved.domain.state_guards import Finding, Guards, key_of

_SEVERITIES = ("info", "warning", "critical")
_LONGEST_EVIDENCE = 4096


def wanted(session: Session, monitor: str, severity: str) -> bool:
    """Whether the plan wants somebody told of a finding of this monitor."""
    level = _SEVERITIES.index(severity) if severity in _SEVERITIES else 1
    return any(
        level >= _SEVERITIES.index(notify.severity) and (not notify.monitors or monitor in notify.monitors)
        for notify in session.plan.notify
    )


def alerts(session: Session, found: Finding, started: ev.ReactionStarted, now: float) -> list[ev.Event]:
    """Who is told that a step is taken: not again within `ALERT_PAUSE` of the same, while the step only alerts."""
    grave = not {"hold", "give-up", "stop-all"}.isdisjoint(started.actions)
    severity = "critical" if grave else found.severity
    if session.guards is None or not wanted(session, found.monitor, severity):
        return []
    ladder = session.guards.ladders.get(key_of(found.monitor, found.subject))
    same = ladder is not None and ladder.step == started.step and now < ladder.alerted + ladders.ALERT_PAUSE
    if same and started.actions == ["alert"]:
        return []
    done = ", ".join(action for action in started.actions if action != "alert")
    text = described(found) + (f" ({done})" if done else "")
    return [ev.AlertRaised(session.id, found.id, severity, text)]


def made(
    session: Session, guards: Guards, monitor: str, summary: str, *, severity: str = "warning", assignment: str = "",
    run: str = "", evidence: str = "",
) -> ev.FindingMade:  # fmt: skip
    """A finding of the domain's own; its subject is the assignment, else the session."""
    return ev.FindingMade(
        session.id,
        finding=f"d{guards.own + 1}",
        monitor=monitor,
        summary=summary,
        severity=severity,
        subject=assignment,
        assignment=assignment,
        run=run,
        evidence=evidence[-_LONGEST_EVIDENCE:],
    )


def told(session: Session, guards: Guards, monitor: str, summary: str) -> list[ev.Event]:
    """A finding of what waved itself could not do: told, never reacted to."""
    finding = made(session, guards, monitor, summary, severity="critical")
    if not wanted(session, monitor, "critical"):
        return [finding]
    return [finding, ev.AlertRaised(session.id, finding.finding, "critical", f"{monitor}: {summary}")]
