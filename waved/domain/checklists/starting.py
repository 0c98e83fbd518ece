"""How a wave's agents came to start: together, and none of them later than it could have."""

from __future__ import annotations

from waved.domain import metrics
from waved.domain.checklists.item import Item, Tick, counted, named
from waved.domain.state import Node, Run, Session, WaveState

AT_ONCE = 1.0
"""Seconds: agents that were exec'ed within this time were deployed together, unless `goals.skew` says another."""
PROMPT = 1.0
"""Seconds between the moment an agent could start and its exec: no gap."""


def together(session: Session, wave: WaveState) -> Item:
    """Whether all that were free to start did so at the same instant."""
    name, title = "started-together", "All agents deployed simultaneously"
    here = set(wave.keys)
    free = [node for key in wave.keys if not here.intersection((node := session.nodes[key]).requires)]
    if wave.limit == 1:
        return Item(name, title, "not-applicable", "the plan runs one agent at a time")
    if len(free) == 1:
        return Item(name, title, "not-applicable", f"one agent is free to start: {named([free[0].key])}")
    runs = [run for node in free if (run := _first(node)) is not None]
    first = min((run.decided for run in runs), default=None)
    at_once = [run for run in runs if run.decided == first]
    expected = len(free) if wave.limit is None else min(wave.limit, len(free))
    skew = metrics.skew(at_once)
    limit = session.plan.goals.skew if session.plan.goals.skew is not None else AT_ONCE
    told = f"{len(at_once)} of {counted(expected, 'agent')} at once"
    if expected < len(free):
        told += f" (of {len(free)}; the plan allows {wave.limit})"
    if skew is not None:
        told += f", start skew {_short(skew)}"
    late = [run.assignment for run in runs if run.decided != first]
    if late and len(at_once) < expected:
        told += f"; later: {named(late)}"
    holds = len(at_once) >= expected and skew is not None and skew <= limit
    return Item(name, title, _state(wave, holds=holds, settled=len(runs) >= expected), told)


def gaps(session: Session, wave: WaveState) -> Item:
    """Whether any agent waited although it could have started."""
    name, title = "no-gaps", "No sequential gaps"
    if wave.limit is not None and wave.limit < len(wave.keys):
        many = "one agent" if wave.limit == 1 else f"{wave.limit} agents"
        return Item(name, title, "not-applicable", f"the plan runs at most {many} at once")
    waits = {key: wait for key in wave.keys if (wait := _waited(session, wave, session.nodes[key])) is not None}
    if not waits:
        return Item(name, title, _state(wave, holds=False, settled=False), "no agent has started")
    slowest = max(waits, key=lambda key: waits[key])
    late = [key for key, wait in waits.items() if wait > PROMPT]
    told = f"longest wait of an agent that could start: {_short(waits[slowest])} ({named([slowest])})"
    if len(late) > 1:
        told += f"; {len(late)} waited for more than {PROMPT:g} s"
    return Item(name, title, _state(wave, holds=not late, settled=bool(late)), told)


def _first(node: Node) -> Run | None:
    """The first run of an assignment that was exec'ed."""
    return next((run for run in node.runs if run.started is not None), None)


def _waited(session: Session, wave: WaveState, node: Node) -> float | None:
    """Seconds between the moment the assignment could start and its first exec; None where that cannot be told."""
    run = _first(node)
    if run is None or run.started is None or wave.started is None or run.decided < wave.started:
        return None
    could = wave.started
    for key in node.requires:
        ended = session.nodes[key].ended
        if ended is not None and ended > run.decided:
            return None  # what it requires was repeated since
        could = max(could, ended or 0.0)
    return max(0.0, run.started - could)


def _state(wave: WaveState, *, holds: bool, settled: bool) -> Tick:
    """`settled`: nothing that is still to come can change it."""
    if wave.phase == "ended" or settled:
        return "ticked" if holds else "unticked"
    return "open"


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
