"""Whole sessions under faults, from seeds (issue "waved can die at any instant", point 7)."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from simulator import Simulation

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


def test_sessions_keep_every_invariant() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        simulation = simulate(seed)
        seen[simulation.session.outcome or "held"] += 1
        seen["crashes"] += simulation.crashes
        seen["events"] += simulation.events
    # What is never reached is not tested: all ends occur, and the daemon is killed often.
    assert {"succeeded", "failed", "stopped", "timed-out", "refused", "held"} <= set(seen)
    assert seen["crashes"] > SEEDS / 2


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
