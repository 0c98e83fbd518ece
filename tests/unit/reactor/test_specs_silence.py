"""How long an agent may be silent in each state: `[session.patience]` and the monitor `progress` (requirement M4)."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.driving import Driver, agent
from waved.domain import events as ev
from waved.reactor.results import Results
from waved.reactor.specs import spec_of


def limits(patience: dict[str, Any], *monitors: dict[str, Any]) -> dict[str, float] | None:
    wave = {"name": "w", "agent": [agent("a")]}
    plan = {"session": {"name": "s", "patience": patience}, "wave": [wave], "monitor": list(monitors)}
    session = Driver(plan, guarded=True).session
    starting = ev.RunStarting("s", "s/a#1", "w", agent="a", assignment="a")
    spec = spec_of(session, starting, {}, "/state/s", 0.0, Results())
    return spec.get("stall")


def test_without_a_monitor_nobody_looks() -> None:
    assert limits({"thinking": "5m"}) is None
    assert limits({}, {"kind": "progress", "agents": ["other"]}) is None


def test_each_state_has_its_own_limit_and_the_monitors_goes_before() -> None:
    found = limits({"thinking": "15m", "tool": "1m"}, {"kind": "progress", "after": "5m"})
    assert found == {"starting": 300, "thinking": 900, "tool": 300, "retrying": 1800, "waiting": 30, "other": 300}


def test_the_shortest_of_several_monitors_counts() -> None:
    found = limits({}, {"kind": "progress", "after": "5m"}, {"kind": "progress", "name": "soon", "after": "1m"})
    assert found is not None
    assert (found["other"], found["starting"]) == (60, 120)
