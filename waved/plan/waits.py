"""Requirement P1: what a plan runs one by one though it could run together, and the time that would save."""

from __future__ import annotations

from collections.abc import Iterator

from waved.plan import timeline
from waved.plan.advice import Advice
from waved.plan.graph import build
from waved.plan.locate import KeyPath
from waved.plan.mentions import linked, may_depend, scopes
from waved.plan.models import Agent, Plan, Wave
from waved.plan.order import Order
from waved.plan.quantities import format_duration

_WORTH_SAYING = 1.0
"""Seconds; advice that saves less is not given."""


def advice(plan: Plan) -> Iterator[Advice]:
    """All such advice."""
    yield from _one_by_one(plan)
    yield from _too_few_places(plan)
    yield from _needless_waits(plan)
    yield from _lonely_waves(plan)


def _one_by_one(plan: Plan) -> Iterator[Advice]:
    """`parallel = false` for agents that share nothing."""
    if not plan.session.parallel:
        together = plan.model_copy(update={"session": plan.session.model_copy(update={"parallel": True})})
        saved = _saving(plan, together)
        if saved >= _WORTH_SAYING and all(_unlinked(plan, index) for index in range(len(plan.waves))):
            message = "all agents run one at a time, though nothing says that those of a wave depend on each other"
            yield _faster(("session", "parallel"), "sequential-session", message, "remove `parallel = false`", saved)
        return
    for index, wave in enumerate(plan.waves):
        if not wave.parallel:
            saved = _saving(plan, _with_wave(plan, index, wave.model_copy(update={"parallel": True})))
            if saved >= _WORTH_SAYING and _unlinked(plan, index):
                message = (
                    f'agents of wave "{wave.name}" run one at a time, though nothing says they depend on each other'
                )
                yield _faster(
                    ("wave", index, "parallel"), "sequential-wave", message, "remove `parallel = false`", saved
                )


def _too_few_places(plan: Plan) -> Iterator[Advice]:
    limit = plan.session.max_parallel
    if not limit or not plan.session.parallel:
        return
    free = plan.model_copy(update={"session": plan.session.model_copy(update={"max_parallel": 0})})
    saved = _saving(plan, free)
    widest = _width(free)
    if saved >= _WORTH_SAYING and widest > limit:
        message = f"at most {limit} agents run at once, though up to {widest} could"
        hint = f"set max_parallel to {widest} (or remove it) unless the machine or a rate limit forbids"
        yield _faster(("session", "max_parallel"), "few-places", message, hint, saved)


def _needless_waits(plan: Plan) -> Iterator[Advice]:
    """`needs` between agents of one wave that share nothing."""
    for index, wave in enumerate(plan.waves):
        by_name = {scope.agent.name: scope for scope in scopes(plan, wave)}
        for scope in by_name.values():
            for number, needed in enumerate(scope.agent.needs):
                if needed not in by_name or may_depend(scope, by_name[needed]):
                    continue
                others = [name for name in scope.agent.needs if name != needed]
                freed = _with_agent(plan, index, scope.position, scope.agent.model_copy(update={"needs": others}))
                saved = _saving(plan, freed)
                if saved >= _WORTH_SAYING:
                    where = ("wave", index, "agent", scope.position, "needs", number)
                    message = f'"{scope.agent.name}" waits for "{needed}", but they share no files and no words'
                    yield _faster(where, "needless-wait", message, f'remove "{needed}" from its needs', saved)


def _lonely_waves(plan: Plan) -> Iterator[Advice]:
    """Waves of one agent each, one after another, that share nothing: they could be one wave."""
    index = 0
    while index < len(plan.waves) - 1:
        last = index
        while last + 1 < len(plan.waves) and _could_join(plan, index, last + 1):
            last += 1
        if last > index:
            joined = plan.waves[index : last + 1]
            lengths = [timeline.expected(_only(plan, number)).parallel for number in range(index, last + 1)]
            saved = sum(lengths) - max(lengths)
            if saved >= _WORTH_SAYING and plan.session.parallel and plan.session.max_parallel != 1:
                names = ", ".join(f'"{wave.name}"' for wave in joined)
                message = f"the waves {names} have one agent each and share nothing"
                yield _faster(("wave", index), "lonely-waves", message, "make them one wave", saved)
        index = last + 1


def _could_join(plan: Plan, first: int, last: int) -> bool:
    waves = plan.waves[first : last + 1]
    if any(len(wave.agents) != 1 or wave.tasks for wave in waves):
        return False
    if any(wave.gate.commands or wave.gate.outputs for wave in waves[:-1]):
        return False
    # An agent that only says when it may start names an agent of an earlier wave in its `needs`.
    found = [scope for wave in waves for scope in scopes(plan, wave)]
    newest = found[-1]
    return not any(may_depend(each, newest) or each.agent.name in newest.agent.needs for each in found[:-1])


def _unlinked(plan: Plan, index: int) -> bool:
    """Nothing speaks against running all agents of a wave together, but for what the graph holds apart anyway."""
    order = Order(build(plan), index)
    found = scopes(plan, plan.waves[index])
    return not any(
        order.may_meet(one.agent, other.agent) and linked(one, other)
        for number, one in enumerate(found)
        for other in found[:number]
    )


def _faster(where: KeyPath, kind: str, message: str, hint: str, saved: float) -> Advice:
    return Advice(where, kind, message, f"{hint}: saves about {format_duration(saved)}", saved)


def _saving(plan: Plan, better: Plan) -> float:
    return timeline.expected(plan).parallel - timeline.expected(better).parallel


def _with_wave(plan: Plan, index: int, wave: Wave) -> Plan:
    return plan.model_copy(update={"waves": [*plan.waves[:index], wave, *plan.waves[index + 1 :]]})


def _with_agent(plan: Plan, index: int, position: int, agent: Agent) -> Plan:
    wave = plan.waves[index]
    agents = [*wave.agents[:position], agent, *wave.agents[position + 1 :]]
    return _with_wave(plan, index, wave.model_copy(update={"agents": agents}))


def _only(plan: Plan, index: int) -> Plan:
    return plan.model_copy(update={"waves": [plan.waves[index]]})


def _width(plan: Plan) -> int:
    """The most assignments that run at the same time."""
    bars = timeline.expected(plan).bars
    return max((sum(each.start <= bar.start < each.end for each in bars) for bar in bars), default=0)
