"""Providers that refuse calls: who waits for them, and how many may call them afterwards.

A provider that refuses is left alone until the time it named; then it is asked by half as many agents as before, and
by one more with each that succeeds. Which provider agents with the same program and model call is known from what the
checklist was told, and else from what their runs tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from waved.domain import events as ev
from waved.domain.limits import MAX_REFUSAL_WAIT, REFUSAL_WAIT
from waved.domain.readiness import still_backs_off
from waved.domain.state import Node, ProviderLimit, Run, Session


def limits_due(session: Session, now: float) -> list[ev.Event]:
    """What follows from runs that were refused (`session.refusals`)."""
    found: list[ev.Event] = []
    for run_id in session.refusals:
        run = session.runs[run_id]
        known = session.providers.get(run.provider)
        until = max(run.reset_at if run.reset_at is not None else _guessed(known, now), now)
        room = max(1, _calling(session, run.provider) // 2)
        reason = run.acting_detail or run.reason
        found.append(ev.ProviderLimited(session.id, run.provider, until, room, run.id, reason))
    return found


def _guessed(known: ProviderLimit | None, now: float) -> float:
    """Until when to wait for a provider that does not say: longer each time that it refuses those who have waited.

    Who called it before it was known to refuse has not: all agents of a wave are refused at about the same time.
    """
    if known is None:
        return now + REFUSAL_WAIT
    return known.until if known.until > now else now + min(REFUSAL_WAIT * 2.0**known.refusals, MAX_REFUSAL_WAIT)


def refused(session: Session, run: Run) -> bool:
    """Whether what was just told of this run limits its provider for others, and that is not known yet."""
    if session.plan.session.rate_limits != "provider" or not run.provider:
        return False
    known = session.providers.get(run.provider)
    return known is None or (run.reset_at or 0.0) > known.until or run.id not in known.told


def startable(session: Session, now: float) -> Iterable[str]:
    """Ready assignments whose provider takes calls, those of them that may start beside each other."""
    if not session.providers:
        return session.ready
    found: list[str] = []
    free = _free(session)
    for key in session.ready:
        limit = session.providers.get(provider_of(session, session.nodes[key]))
        if limit is None:
            found.append(key)
        elif now >= limit.until and free[limit.provider] > 0:
            found.append(key)
            free[limit.provider] -= 1
    return found


def next_again(session: Session, now: float) -> str | None:
    """The repetition that has been due for longest, of those whose provider takes calls.

    One that waits for its provider must not keep back those behind it, which may call another.
    """
    if not session.providers:
        at, key = session.retries[0]
        return key if at <= now else None
    free = _free(session)
    for at, key in sorted(session.retries):
        if at > now:
            return None
        if still_backs_off(session, at, key):
            limit = session.providers.get(provider_of(session, session.nodes[key]))
            if limit is None or (now >= limit.until and free[limit.provider] > 0):
                return key
    return None


def next_start(session: Session) -> float | None:
    """When the first repetition, or ready agent that waits for a provider, may start; None: at no time known, such as
    when another run of that provider has ended.
    """
    if not session.providers:
        return session.retries[0][0] if session.retries else None
    free = _free(session)
    times: list[float] = []
    for at, key in session.retries:
        if still_backs_off(session, at, key):
            limit = session.providers.get(provider_of(session, session.nodes[key]))
            if limit is None or free[limit.provider] > 0:
                times.append(at if limit is None else max(at, limit.until))
    for key in session.ready:
        limit = session.providers.get(provider_of(session, session.nodes[key]))
        if limit is not None and free[limit.provider] > 0:
            times.append(limit.until)
    return min(times, default=None)


def provider_of(session: Session, node: Node) -> str:
    """The provider an agent calls; "" when nobody knows."""
    if node.runs and node.runs[-1].provider:
        return node.runs[-1].provider
    return session.callers.get((node.agent.program, node.agent.model or ""), "")


def _free(session: Session) -> dict[str, int]:
    """Of each provider that refused calls: how many more agents may call it at once, once it takes calls."""
    calling = Counter(_provider(session, run) for run in session.active.values())
    return {name: limit.room - calling[name] for name, limit in session.providers.items()}


def _calling(session: Session, provider: str) -> int:
    return sum(1 for run in session.active.values() if _provider(session, run) == provider)


def _provider(session: Session, run: Run) -> str:
    if run.provider or run.purpose != "agent":
        return run.provider
    agent = session.nodes[run.assignment].agent
    return session.callers.get((agent.program, agent.model or ""), "")
