"""Ladders: which step is taken for a finding, and when a ladder is used up (requirement M8, invariant 8)."""

from __future__ import annotations

from waved.domain.state import Session
from waved.domain.state_guards import Ladder
from waved.plan.guards import Monitor, ProgressMonitor, Step
from waved.plan.models import Plan

ALERT_PAUSE = 600.0
"""Seconds; while a step only alerts, nobody is told of the same subject more often than this."""
REACTIONS = "reactions"
"""The monitor of reactions that could not be carried out. Told, never reacted to."""
SNAPSHOTS = "snapshots"
"""The monitor of snapshots that could not be taken. Told, never reacted to."""
PREVIEW = "preview"
"""The monitor of the preview where the plan has none: told, nothing more."""
WITHOUT_LADDER = (REACTIONS, SNAPSHOTS)

_ALERT = Step(do=["alert"])
_DEFAULTS: dict[str, tuple[Step, ...]] = {
    "corruption": (Step(do=["rollback-file", "restart-agent"], times=2), Step(do=["hold"])),
    "preview": (Step(do=["stop-all"]),),
    "progress": (_ALERT, Step(do=["restart-agent"])),
}
"""The ladders of the kinds that do more than alert where the plan says nothing."""


def default_steps(kind: str) -> tuple[Step, ...]:
    """The ladder of a kind where the plan says nothing."""
    return _DEFAULTS.get(kind, (_ALERT,))


def monitor_of(plan: Plan, label: str) -> Monitor | None:
    """The plan's monitor of that label."""
    return next((monitor for monitor in plan.monitors if monitor.label == label), None)


def steps_of(plan: Plan, label: str) -> list[Step]:
    """The ladder of a monitor; one that is not in the plan (the preview's, without a monitor) only alerts."""
    monitor = monitor_of(plan, label)
    if monitor is None:
        return [_ALERT]
    if monitor.reactions is None:
        return [*default_steps(monitor.kind)]
    return monitor.reactions or [_ALERT]


def only_alerts(steps: list[Step]) -> bool:
    """Whether a ladder never does more than tell."""
    return all(action == "alert" for step in steps for action in step.do)


def next_rung(ladder: Ladder | None, steps: list[Step]) -> int:
    """The step that is due, from 0; `len(steps)` when the ladder is used up. Only alerts are never used up."""
    if ladder is None:
        return 0
    if ladder.step >= len(steps):
        return len(steps)
    rung = ladder.step if ladder.used < steps[ladder.step].times else ladder.step + 1
    return len(steps) - 1 if rung == len(steps) and only_alerts(steps) else rung


_OTHER_THAN_CONTENT = ("file-changes", "preview", "progress", "timeouts", "command")


def content_monitors(plan: Plan) -> list[Monitor]:
    """The monitors that judge what is in files (corruption, file-size, ownership, those of plug-ins): gates ask for
    what they have found.
    """
    return [monitor for monitor in plan.monitors if monitor.kind not in _OTHER_THAN_CONTENT]


def is_watched(plan: Plan, wave: str) -> bool:
    """Whether content is watched while a wave runs."""
    return any(not monitor.waves or wave in monitor.waves for monitor in content_monitors(plan))


def applies(session: Session, monitor: Monitor) -> bool:
    """Whether a monitor watches now: its waves, if it names some."""
    return not monitor.waves or (session.current is not None and session.current.plan.name in monitor.waves)


def labels_for(session: Session, kind: str, assignment: str) -> list[str]:
    """The monitors of a kind that speak of an assignment now."""
    agent = session.nodes[assignment].agent.name if assignment in session.nodes else ""
    return [
        monitor.label
        for monitor in session.plan.monitors
        if monitor.kind == kind
        and applies(session, monitor)
        and not (isinstance(monitor, ProgressMonitor) and monitor.agents and agent not in monitor.agents)
    ]
