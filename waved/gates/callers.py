"""Which provider each agent of a plan is going to call, as far as its program can tell before it runs."""

from __future__ import annotations

from pathlib import Path

from waved.agents.base import Deployment
from waved.agents.registry import find_program
from waved.plan.models import Agent, Plan


def callers_of(plan: Plan) -> list[list[str]]:
    """Program, model ("" for its own) and provider, of agents whose provider is known."""
    found: dict[tuple[str, str], str] = {}
    for wave in plan.waves:
        for agent in wave.agents:
            kind = (agent.program, agent.model or "")
            if kind not in found:
                found[kind] = _provider_of(agent)
    return [[program, model, provider] for (program, model), provider in found.items() if provider]


def _provider_of(agent: Agent) -> str:
    here = Path("/")
    deployment = Deployment(agent.command, agent.args, agent.model, "", here, here, here, here, 1)
    try:
        return str(find_program(agent.program).provider_of(deployment))
    except Exception:  # noqa: BLE001 — a plug-in may fail in any way; what it calls is seen when it runs
        return ""
