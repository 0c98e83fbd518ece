"""What open findings say against a gate (docs/architecture.md, "Nothing slips through at the end")."""

from __future__ import annotations

from waved.domain import ladders
from waved.domain.state import Gate, Session
from waved.domain.state_guards import Finding, Guards, Reaction


def against(session: Session, gate: Gate) -> dict[str, list[str]]:
    """What the monitors of content hold against an assignment, or a wave: texts by assignment ("" for nobody's).

    Findings of a ladder that only alerts count for nothing: whoever wrote it wants to be told, no more.
    """
    guards = session.guards
    if guards is None:
        return {}
    found: dict[str, list[str]] = {}
    asked = {
        monitor.label
        for monitor in ladders.content_monitors(session.plan)
        if not ladders.only_alerts(ladders.steps_of(session.plan, monitor.label))
    }
    for finding in guards.findings.values():
        concerned = finding.assignment == gate.assignment if gate.assignment else finding.wave == gate.wave
        if concerned and finding.monitor in asked:
            found.setdefault(finding.assignment, []).append(described(finding))
    if not gate.assignment:
        for key, why in guards.blamed.items():
            found.setdefault(key, []).append(f"{key} had to be undone after it had ended ({why})")
    return found


def described(finding: Finding) -> str:
    """A finding in one line."""
    place = f"{finding.path}:{finding.line}" if finding.path and finding.line else finding.path
    if place and not finding.summary.startswith(finding.path):
        return f"{finding.monitor}: {place}: {finding.summary}"
    return f"{finding.monitor}: {finding.summary}"


def history(guards: Guards, reaction: Reaction) -> str:
    """What happened, for the prompt of the attempt that follows: what was found, what was undone, where it is kept."""
    parts = []
    found = guards.finding(reaction.finding)
    if found is not None:
        where = f" ({found.path}{f', line {found.line}' if found.line else ''})" if found.path else ""
        parts.append(f"The monitor {found.monitor} found: {found.summary}{where}")
        if found.evidence:
            parts.append(found.evidence)
    elif reaction.reason:
        parts.append(reaction.reason)
    if reaction.restore == "done":
        named = ", ".join(reaction.restored) or "no file differed"
        more = reaction.total - len(reaction.restored)
        named += f" and {more} more" if reaction.restored and more > 0 else ""
        parts.append(f"Brought back to what they were before: {named}.")
        parts.append(
            f"What was there is kept in snapshot {reaction.present}: `wavectl snapshots show {reaction.present}`."
        )
    return "\n".join(parts)
