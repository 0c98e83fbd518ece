"""Silence is told when neither output nor the tree's own work breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.pool.worker_talk import heard, spec_of
from waved.pool import stall
from waved.pool.channel import Channel
from waved.pool.stall import Sample, Stall


class Clock:
    """Seconds since boot, as the test says."""

    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still."""
    found = Clock()
    monkeypatch.setattr(stall, "boot_seconds", lambda: found.now)
    return found


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[Sample]:
    """What the tree looks like, one look after the other; the last one stays. Each look takes one away."""
    found: list[Sample] = [Sample(frozenset({(1, 1)}), 0.0, 0, 0.0)]
    monkeypatch.setattr(stall, "sample_of", lambda _pid: found.pop(0) if len(found) > 1 else found[0])
    return found


def looks(watch: Stall, clock: Clock, until: float) -> list[tuple[float, dict[str, Any]]]:
    """What is said until then, and when; looks only when told to."""
    said = []
    while (patience := watch.patience()) is not None and clock.now + patience / 1000 <= until:
        clock.now += patience / 1000
        if (found := watch.look()) is not None:
            said.append((clock.now, found))
    clock.now = until
    return said


def test_silence_is_told_once_for_each_such_time(clock: Clock, samples: list[Sample]) -> None:
    said = looks(Stall({"other": 10.0}), clock, 131)
    assert [round(at) for at, _ in said] == [110, 120, 130]
    assert said[0][1]["stalled"]["limit"] == 10.0
    assert said[2][1]["stalled"]["silent"] == pytest.approx(30.0, abs=0.1)


def test_who_prints_is_not_looked_at(clock: Clock, samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "sample_of", lambda _pid: pytest.fail("looked at"))
    watch = Stall({"other": 10.0})
    for _ in range(20):
        assert looks(watch, clock, clock.now + 4) == []
        watch.sign()


def test_work_of_the_tree_is_progress(clock: Clock, samples: list[Sample]) -> None:
    one = frozenset({(1, 1)})
    samples[:] = [Sample(one, 0.0, 0, 105.0), Sample(one, 2.0, 0, 110.0), Sample(one, 2.0, 0, 115.0)]
    said = looks(Stall({"other": 10.0}), clock, 121)
    assert [round(at) for at, _ in said] == [120]


def test_one_that_moves_again_says_so(clock: Clock, samples: list[Sample]) -> None:
    watch = Stall({"other": 10.0})
    assert len(looks(watch, clock, 111)) == 1
    watch.sign()
    assert looks(watch, clock, 112) == [(111, {"progressed": {}})]


def test_each_state_has_its_own_limit_and_some_have_none(clock: Clock, samples: list[Sample]) -> None:
    watch = Stall({"other": 10.0, "thinking": 60.0})
    watch.be("thinking")
    assert [round(at) for at, _ in looks(watch, clock, 161)] == [160]
    watch.be("rate-limited")
    assert watch.look() == {"progressed": {}}
    assert watch.patience() is None


def test_time_in_which_it_is_frozen_does_not_count(clock: Clock, samples: list[Sample]) -> None:
    watch = Stall({"other": 10.0})
    clock.now = 108.0
    watch.pause(paused=True)
    assert looks(watch, clock, 150) == []
    watch.pause(paused=False)
    assert [round(at) for at, _ in looks(watch, clock, 161)] == [160]


def test_a_worker_tells_of_a_real_tree(channel: Channel, tmp_path: Path) -> None:
    command = "read line < gate; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; exec sleep 600"
    (tmp_path / "gate").write_text("\n")
    channel.send({"arm": {**spec_of(tmp_path, "a", command), "stall": {"other": 0.3}}})
    heard(channel, "armed")
    channel.send({"release": {"timeout": None, "timeout_of": "agent"}})
    heard(channel, "started")
    message = channel.receive()[0]
    while "stalled" not in message:  # on a busy machine its shell may take a while
        message = channel.receive()[0]
    told = message["stalled"]
    assert told["silent"] >= 0.3
    channel.send({"stop": {"reason": "enough", "grace": 0.1}})
    while "ended" not in (message := channel.receive()[0]):
        assert {"stalled", "progressed"} & set(message)
