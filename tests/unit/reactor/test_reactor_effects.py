"""Effects: in which order a turn's intents reach the pool."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.unit.domain.driving import Guarded, agent, one_wave
from waved.config import Locations
from waved.domain.requests import stop
from waved.domain.state import Session
from waved.plan.models import Plan
from waved.pool.messages import Limits
from waved.reactor.effects import Effects


class RecordingPool:
    """Writes down what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def prepare(self, count: int) -> None:
        self.asked.append(("prepare", str(count)))

    def arm(self, run: str, _spec: dict[str, Any], _limits: Limits | None = None) -> bool:
        self.asked.append(("arm", run))
        return True

    def release(self, starts: list[Any]) -> None:
        self.asked += [("release", start.run) for start in starts]

    def stop(self, run: str, _reason: str, _grace: float, *, at_once: bool) -> None:
        assert not at_once
        self.asked.append(("stop", run))

    def armed_ahead(self, _prefix: str = "") -> list[str]:
        return []


def effects_of(session: Session, pool: RecordingPool, folder: Path, defects: list[Any], *, ready: bool) -> Effects:
    """`ready`: whether its files are watched by now."""
    return Effects(
        Locations(folder, folder),
        SimpleNamespace(live={"s": session}, environment=lambda *_: {}),  # type: ignore[arg-type]
        pool,  # type: ignore[arg-type]
        SimpleNamespace(inbox=SimpleNamespace(put=defects.append)),  # type: ignore[arg-type]
        SimpleNamespace(offset=0.0, now=lambda: 1.0),  # type: ignore[arg-type]
        lambda *found: defects.append(found),
        SimpleNamespace(act=lambda *_: None, done=lambda: None, ready=lambda _: ready),  # type: ignore[arg-type]
        SimpleNamespace(),  # type: ignore[arg-type]
    )


def test_a_run_decided_and_stopped_in_one_turn_is_released_and_then_stopped(tmp_path: Path) -> None:
    """As when the disk was full in between: a stop before its start would be lost, and the run never end."""
    drive = Guarded(one_wave(agent("a")))
    drive.do(*stop(drive.session))
    pool, defects = RecordingPool(), list[Any]()
    effects_of(drive.session, pool, tmp_path, defects, ready=False).perform(drive.log)
    assert pool.asked == [("release", "s/a#1"), ("stop", "s/a#1")]
    assert defects == []


def test_the_agents_of_a_wave_are_made_ready_while_the_snapshot_before_it_is_taken(tmp_path: Path) -> None:
    plan = one_wave(agent("a"))
    drive = Guarded({**plan, "wave": [*plan["wave"], {"name": "v", "agent": [agent("x"), agent("y", needs=["x"])]}]})
    pool, defects = RecordingPool(), list[Any]()
    effects = effects_of(drive.session, pool, tmp_path, defects, ready=True)
    effects.perform(drive.ends("a#1"))
    assert pool.asked == [("prepare", "1"), ("arm", "s/x#1")]
    effects.perform(drive.taken("s2"))
    assert pool.asked[2:] == [("release", "s/x#1")]
    assert defects == []


def test_a_submission_has_workers_born_while_it_is_still_looked_at(tmp_path: Path) -> None:
    """As many as its first wave may have at once."""
    pool = RecordingPool()
    effects = effects_of(Guarded(one_wave(agent("a"))).session, pool, tmp_path, [], ready=True)
    agents = [agent(name) for name in ("a", "b", "c")]
    effects.expect(Plan.model_validate(one_wave(*agents)))
    effects.expect(Plan.model_validate(one_wave(*agents, session={"max_parallel": 2})))
    effects.expect(Plan.model_validate(one_wave(*agents, agent("d", needs=["a"]))))
    assert pool.asked == [("prepare", "3"), ("prepare", "2"), ("prepare", "3")]
