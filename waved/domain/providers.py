"""Providers that refuse calls: who waits for them, and how many may call them afterwards.

A provider that refuses is left alone until the time it named; then it is asked by half as many agents as before, and
by one more with each that succeeds. Which provider an agent calls is known from what its runs tell, and then for all
agents with the same program and model.
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.limits import MAX_REFUSAL_WAIT, REFUSAL_WAIT
from waved.domain.state import Node, Run, Session


def limits_due(session: Session, now: float) -> list[ev.Event]:
    """What follows from runs that were refused (`session.refusals`)."""
    found: list[ev.Event] = []
    for run_id in session.refusals:
        run = session.runs[run_id]
        known = session.providers.get(run.provider)
        wait = min(REFUSAL_WAIT * 2.0 ** (known.refusals if known is not None else 0), MAX_REFUSAL_WAIT)
        until = max(run.reset_at if run.reset_at is not None else now + wait, now)
        room = max(1, _calling(session, run.provider) // 2)
        reason = run.acting_detail or run.reason
        found.append(ev.ProviderLimited(session.id, run.provider, until, room, run.id, reason))
    return found


def refused(session: Session, run: Run) -> bool:
    """Whether what was just told of this run limits its provider for others, and that is not known yet."""
    if session.plan.session.rate_limits != "provider" or not run.provider:
        return False
    known = session.providers.get(run.provider)
    return known is None or (run.reset_at or 0.0) > known.until or run.id not in known.told


def may_start(session: Session, node: Node, now: float, starting: int) -> bool:
    """Whether the agent's provider takes calls. `starting`: agents that are to start beside it, now."""
    limit = session.providers.get(provider_of(session, node))
    if limit is None:
        return True
    return now >= limit.until and _calling(session, limit.provider) + starting < limit.room


def provider_of(session: Session, node: Node) -> str:
    """The provider an agent calls; "" when nobody has seen it call one."""
    if node.runs and node.runs[-1].provider:
        return node.runs[-1].provider
    return session.callers.get((node.agent.program, node.agent.model or ""), "")


def chance(session: Session, node: Node) -> float | None:
    """When its provider would let the agent start: 0.0 at any time; None: when another run of it has ended."""
    limit = session.providers.get(provider_of(session, node))
    if limit is None:
        return 0.0
    return limit.until if _calling(session, limit.provider) < limit.room else None


def next_chance(session: Session) -> float | None:
    """When the first of the ready agents that wait for a provider may start; None: at no time known."""
    chances = (chance(session, session.nodes[key]) for key in session.ready)
    return min((at for at in chances if at), default=None)


def _calling(session: Session, provider: str) -> int:
    return sum(1 for run in session.active.values() if _provider(session, run) == provider)


def _provider(session: Session, run: Run) -> str:
    if run.provider or run.purpose != "agent":
        return run.provider
    agent = session.nodes[run.assignment].agent
    return session.callers.get((agent.program, agent.model or ""), "")
