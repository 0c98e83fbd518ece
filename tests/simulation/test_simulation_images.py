"""A session restored from an image and the events since is the session that all events add up to, in everything.

Compared are values, classes, order and sharing of objects, over whole sessions under faults, cut at random events.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from simulator import Simulation

from tests.likeness import difference
from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.image import decode, encode
from waved.domain.state import Session
from waved.plan.models import Plan

SEEDS = 60
TORTURE_SEEDS = int(os.environ.get("WAVED_TORTURE_SEEDS", "20000"))
BLOCK = 100


def folded(simulation: Simulation, until: int) -> Session:
    """The first `until` events of a session, folded."""
    following = simulation.history()
    first = next(following)
    assert isinstance(first, ev.SessionSubmitted)
    session = begin(first)
    for event in following:
        if event.seq > until:
            break
        fold(session, event)
    return session


def restored(simulation: Simulation, cuts: list[int]) -> Session:
    """The session, written to an image and read back after each of the events `cuts`."""
    following = simulation.history()
    first = next(following)
    assert isinstance(first, ev.SessionSubmitted)
    session = begin(first)
    for event in following:
        if session.last_seq in cuts:
            session = decode(encode(session), Plan.model_validate(first.plan))
        fold(session, event)
    return session


def look_at(seed: int) -> int:
    """Simulate a session and compare; returns how many events it had."""
    simulation = Simulation(seed)
    simulation.run()
    last = len(simulation.journal)
    rng = Random(seed)
    cuts = sorted({1, *(rng.randint(1, last) for _ in range(3))})
    full = folded(simulation, last)
    note = f"seed {seed}, cut after {cuts}"
    for cut in cuts:
        session = folded(simulation, cut)
        back = decode(encode(session), Plan.model_validate(next(simulation.history()).data()["plan"]))
        assert not difference(session, back), note
        assert not difference(full, restored(simulation, [cut])), note
    assert not difference(full, restored(simulation, cuts)), note
    return last


def test_an_image_and_the_rest_fold_to_the_same_state() -> None:
    assert sum(look_at(seed) for seed in range(SEEDS)) > SEEDS * 20


@pytest.mark.torture
@pytest.mark.timeout(0)
@pytest.mark.parametrize("block", range(SEEDS, TORTURE_SEEDS, BLOCK))
def test_of_many_sessions(block: int) -> None:
    for seed in range(block, block + BLOCK):
        look_at(seed)
