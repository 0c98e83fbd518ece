"""Starts wait until every change of their session's files is seen, and not for ever."""

from __future__ import annotations

import pytest

from waved.pool.messages import Limits, Start
from waved.reactor import held_starts
from waved.reactor.held_starts import HeldStarts


def _start(run: str) -> Start:
    return Start(run, {}, Limits(None, "agent"))


def test_they_go_when_their_own_session_is_watched() -> None:
    watched = {"calm"}
    held = HeldStarts(watched.__contains__, 60.0)
    assert not held.hold("calm", _start("calm/a#1"))
    assert held.hold("s", _start("s/a#1"))
    assert held.hold("t", _start("t/a#1"))
    assert held.due() == []
    watched.add("s")
    assert [start.run for start in held.due()] == ["s/a#1"]
    assert held.due() == []


def test_their_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(held_starts, "boot_seconds", lambda: now)
    held = HeldStarts(lambda _: False, 60.0)
    assert held.next_deadline() is None
    held.hold("s", _start("s/a#1"))
    assert held.next_deadline() == 160.0
    now = 159.0
    assert held.due() == []
    now = 160.0
    assert [start.run for start in held.due()] == ["s/a#1"]
    assert held.next_deadline() is None


def test_what_something_is_wanted_of_waits_no_longer() -> None:
    held = HeldStarts(lambda _: False, 60.0)
    held.hold("s", _start("s/a#1"))
    assert [start.run for start in held.take({"s/a#1", "s/b#1"})] == ["s/a#1"]
    assert held.take({"s/a#1"}) == []
