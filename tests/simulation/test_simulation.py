"""Whole sessions under faults, from seeds."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from simulator import Simulation

from waved.domain.checklists import checklists
from waved.domain.state import Session

SEEDS = 300
TORTURE_SEEDS = int(os.environ.get("WAVED_TORTURE_SEEDS", "20000"))
BLOCK = 100


def simulate(seed: int) -> Simulation:
    simulation = Simulation(seed)
    try:
        simulation.run()
    except Exception as error:
        error.add_note(f"seed {seed}; replay it with: python tests/simulation/simulator.py {seed}")
        raise
    return simulation


def judge_ticks(session: Session, now: float) -> Counter[str]:
    """What checklists say of a session must be so: nothing undecided is left at its end, no tick is undeserved."""
    seen: Counter[str] = Counter()
    for checklist in checklists(session, now):
        items = {item.item: item for item in checklist.items}
        seen.update(item.state for item in checklist.items)
        if session.phase == "ended":
            undecided = {name for name, item in items.items() if item.state == "open"}
            assert undecided <= {"report", "change-log", "infrastructure", "backups", "session-folder", "file-sizes"}
        if checklist.wave:
            wave = next(each for each in session.waves if each.plan.name == checklist.wave)
            good = all(session.nodes[key].outcome == "succeeded" for key in wave.keys)
            assert items["agents"].state != "ticked" or good
            assert items["verified"].state != "ticked" or wave.outcome == "passed"
        elif checklist.checklist == "completion":
            assert items["nothing-runs"].state != "ticked" or not session.active
            assert items["tasks"].state != "ticked" or session.outcome == "succeeded"
    return seen


def test_sessions_keep_every_invariant() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        simulation = simulate(seed)
        seen += judge_ticks(simulation.session, simulation.session.ended or 0.0)
        seen[simulation.session.outcome or "held"] += 1
        seen["crashes"] += simulation.crashes
        seen["events"] += simulation.events
    # What is never reached is not tested: all ends occur, and the daemon is killed often.
    assert {"succeeded", "failed", "stopped", "timed-out", "refused", "held"} <= set(seen)
    assert seen["crashes"] > SEEDS / 2
    assert {"ticked", "unticked", "not-applicable"} <= set(seen)


def test_a_seed_gives_the_same_session_each_time() -> None:
    first, second = simulate(7), simulate(7)
    assert first.journal == second.journal
    assert len(first.journal) > 10


@pytest.mark.torture
@pytest.mark.timeout(0)
@pytest.mark.parametrize("block", range(SEEDS, TORTURE_SEEDS, BLOCK))
def test_many_sessions(block: int) -> None:
    for seed in range(block, block + BLOCK):
        simulate(seed)
