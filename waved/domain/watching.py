"""Whether a session's files are watched at all: what metrics can say of them depends on it."""

from __future__ import annotations

from waved.plan.models import Plan


def needs_watching(plan: Plan) -> bool:
    """Whether anything asks for what happens to files: a monitor, or the rollback of a single agent."""
    seen = any(monitor.kind not in ("preview", "timeouts", "command") for monitor in plan.monitors)
    return seen or any(agent.rollback == "on-failure" for wave in plan.waves for agent in wave.agents)
