"""Effects: in which order a turn's intents reach the pool."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from waved.config import Locations
from waved.domain import events as ev
from waved.domain.decide import decide
from waved.domain.fold import begin, fold
from waved.domain.requests import stop
from waved.reactor.effects import Effects


class RecordingPool:
    """Writes down what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def release(self, starts: list[Any]) -> None:
        self.asked += [("release", start.run) for start in starts]

    def stop(self, run: str, _reason: str, _grace: float, *, at_once: bool) -> None:
        assert not at_once
        self.asked.append(("stop", run))

    def armed_ahead(self, _prefix: str = "") -> list[str]:
        return []


def test_a_run_decided_and_stopped_in_one_turn_is_released_and_then_stopped(tmp_path: Path) -> None:
    """As when the disk was full in between: a stop before its start would be lost, and the run never end."""
    plan = {"session": {"name": "x"}, "wave": [{"name": "w", "agent": [{"name": "a", "command": ["true"]}]}]}
    session = begin(ev.SessionSubmitted("s", plan, str(tmp_path)))
    turn: list[ev.Event] = []

    def record(*events: ev.Event) -> None:
        for event in events:
            fold(session, event)
            turn.append(event)
        while following := decide(session, 1.0):
            for event in following:
                fold(session, event)
                turn.append(event)

    record(ev.ChecklistEnded("s", ok=True))
    record(*stop(session))
    pool = RecordingPool()
    defects: list[Any] = []
    effects = Effects(
        Locations(tmp_path, tmp_path),
        SimpleNamespace(live={"s": session}, environment=lambda *_: {}),  # type: ignore[arg-type]
        pool,  # type: ignore[arg-type]
        SimpleNamespace(inbox=SimpleNamespace(put=defects.append)),  # type: ignore[arg-type]
        SimpleNamespace(offset=0.0, now=lambda: 1.0),  # type: ignore[arg-type]
        lambda *found: defects.append(found),
        SimpleNamespace(act=lambda *_: None, done=lambda: None, ready=lambda _: False),  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
    )
    effects.perform(turn)
    assert pool.asked == [("release", "s/a#1"), ("stop", "s/a#1")]
    assert defects == []
