"""Budgets: what agents, waves and the session may use, in tokens and money, and what follows when they have.

Compared whenever a run tells its totals. The soft limit is a finding; the hard one stops whom the budget was given to.
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain.state import Node, Run, Session, Spending
from waved.domain.telling import made
from waved.domain.usage import Usage, dollars
from waved.plan.limits import Budget

BUDGET = "budget"
"""The monitor of budgets. Told; what follows from a hard limit is no reaction of a ladder."""
TOOLS = "tools"
"""The monitor of forbidden tools (requirement C4)."""
_SOFT, _HARD = 1, 2


def spend(session: Session, run: Run, before: Usage) -> None:
    """Take in what a run has used since `before`. A part of `waved.domain.fold`."""
    if run.purpose not in ("agent", "responder"):
        return
    tokens = run.usage.tokens - before.tokens
    cost = None if run.usage.cost is None else run.usage.cost - (before.cost or 0.0)
    for scope, budget in _budgets_of(session, run.wave, run.assignment):
        spent = session.spent.setdefault(scope, Spending())
        spent.tokens += max(0, tokens)
        if cost is not None:
            spent.cost = (spent.cost or 0.0) + max(0.0, cost)
        level = _level(spent, budget)
        if level > spent.told:
            session.overspent[scope] = run.id


def money_left(session: Session, wave: int, assignment: str) -> float | None:
    """US dollars that a run of this assignment may still spend, by all budgets that concern it; None: no such limit."""
    left = [
        budget.cost - (spent.cost or 0.0)
        for scope, budget in _budgets_of(session, wave, assignment)
        if budget.cost is not None and (spent := session.spent.get(scope, Spending()))
    ]
    return max(0.0, min(left)) if left else None


def decide(session: Session) -> list[ev.Event]:
    """What follows from budgets that are used up or nearly so, and from tools that are forbidden."""
    if session.forbidden:
        run_id, tools = next(iter(session.forbidden.items()))
        return _told(session, TOOLS, session.runs[run_id], f"used {', '.join(tools)}, which the plan forbids")
    for scope, run_id in session.overspent.items():
        run = session.runs[run_id]
        budget = dict(_budgets_of(session, run.wave, run.assignment))[scope]
        text = f"{_whose(scope)} has used {_shown(session.spent[scope], budget)}"
        hard = _level(session.spent[scope], budget) == _HARD
        return [*_told(session, BUDGET, run, text, critical=hard), *(_stop(session, scope, run, text) if hard else [])]
    return []


def note_told(session: Session, event: ev.FindingMade) -> None:
    """The finding was made: it is not made again. A part of `waved.domain.fold`."""
    if event.monitor == TOOLS:
        session.forbidden.pop(event.run, None)
    elif event.monitor == BUDGET and session.overspent:
        scope = next(iter(session.overspent))
        run = session.runs[session.overspent.pop(scope)]
        spent = session.spent[scope]
        spent.told = _level(spent, dict(_budgets_of(session, run.wave, run.assignment))[scope])


def _budgets_of(session: Session, wave: int, assignment: str) -> list[tuple[str, Budget]]:
    """(scope, budget) of all that the use of a run of this assignment counts against."""
    plan = session.waves[wave].plan if wave >= 0 else None
    agent = session.nodes[assignment].agent if assignment in session.nodes else None
    found = [
        (f"agent {agent.name}", agent.budget) if agent is not None else ("", None),
        (f"wave {plan.name}", plan.budget) if plan is not None else ("", None),
        ("session", session.plan.session.budget),
    ]
    return [(scope, budget) for scope, budget in found if budget is not None]


def limits_of(session: Session) -> dict[str, dict[str, float | None]]:
    """The budgets of the plan by scope, as `Session.spent` names them: {tokens, cost, soft}."""
    agents = [(f"agent {agent.name}", agent.budget) for wave in session.waves for agent in wave.plan.agents]
    waves = [(f"wave {wave.plan.name}", wave.plan.budget) for wave in session.waves]
    return {
        scope: {"tokens": budget.tokens, "cost": budget.cost, "soft": budget.soft}
        for scope, budget in [("session", session.plan.session.budget), *waves, *agents]
        if budget is not None
    }


def _share(spent: Spending, budget: Budget) -> float:
    tokens = spent.tokens / budget.tokens if budget.tokens is not None else 0.0
    cost = spent.cost / budget.cost if budget.cost is not None and spent.cost is not None else 0.0
    return max(tokens, cost)


def _level(spent: Spending, budget: Budget) -> int:
    share = _share(spent, budget)
    return _HARD if share >= 1 else _SOFT if share >= budget.soft else 0


def _whose(scope: str) -> str:
    return "the session" if scope == "session" else scope


def _shown(spent: Spending, budget: Budget) -> str:
    parts = []
    if budget.tokens is not None:
        parts.append(f"{spent.tokens:,} of {budget.tokens:,} tokens")
    if budget.cost is not None:
        used = "an unknown part" if spent.cost is None else dollars(spent.cost)
        parts.append(f"{used} of {dollars(budget.cost)}")
    return " and ".join(parts)


def _told(session: Session, monitor: str, run: Run, text: str, *, critical: bool = False) -> list[ev.Event]:
    if session.guards is None:
        return []
    severity = "critical" if critical else "warning"
    return [made(session, session.guards, monitor, text, severity=severity, assignment=run.assignment, run=run.id)]


def _stop(session: Session, scope: str, run: Run, text: str) -> list[ev.Event]:
    """End what the budget was given to."""
    reason = f"over budget: {text}"
    if scope == "session":
        return [ev.SessionStopRequested(session.id, reason, by="budget")] if session.phase == "running" else []
    agent = session.nodes[run.assignment].agent.name if scope.startswith("agent ") else ""
    nodes = [node for node in session.nodes.values() if node.wave == run.wave and agent in ("", node.agent.name)]
    keys = {node.key for node in nodes}
    found: list[ev.Event] = [
        ev.RunStopping(session.id, name, reason)
        for name in session.unstopped
        if session.runs[name].purpose in ("agent", "responder") and session.runs[name].assignment in keys
    ]
    return [*found, *(_ended(session, node, reason) for node in nodes if _is_idle(session, node))]


def _is_idle(session: Session, node: Node) -> bool:
    return node.wave == session.wave and node.state in ("waiting", "ready", "backing-off")


def _ended(session: Session, node: Node, reason: str) -> ev.AssignmentEnded:
    return ev.AssignmentEnded(session.id, node.key, node.agent.name, "stopped", reason)
