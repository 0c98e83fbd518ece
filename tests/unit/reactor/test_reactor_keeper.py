"""Git jobs: one at a time in a workspace, urgent ones first."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from tests.live import wait_for
from waved.plan.guards import Snapshots
from waved.reactor import keeper as keeping
from waved.reactor.keeper import Keeper


def test_one_at_a_time_and_the_urgent_first(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    go, order, failures = Event(), [], []
    keeper.run("w", go.wait, failures.append)
    keeper.run("w", lambda: order.append("first"), failures.append)
    keeper.run("w", lambda: order.append("second"), failures.append)
    keeper.run("w", lambda: order.append("urgent"), failures.append, urgent=True)
    keeper.run("other", lambda: order.append("elsewhere"), failures.append)
    wait_for(lambda: order == ["elsewhere"])
    go.set()
    wait_for(lambda: len(order) == 4)
    assert order == ["elsewhere", "urgent", "first", "second"]
    keeper.close()
    assert failures == []


def test_a_job_that_fails_is_reported_and_the_next_one_runs(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    failures: list[BaseException] = []
    done = Event()
    keeper.run("w", lambda: 1 / 0, failures.append)
    keeper.run("w", done.set, failures.append)
    assert done.wait(10)
    assert [type(error) for error in failures] == [ZeroDivisionError]
    keeper.close()
    keeper.run("w", done.set, failures.append)
    assert "shutdown" in str(failures[-1])


def test_what_is_too_much_is_dropped_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, workspace, settings = Keeper(tmp_path / "state"), tmp_path / "ws", Snapshots()
    workspace.mkdir()
    shadow = keeper.shadow("s", workspace, settings)
    for number in range(4):
        (workspace / "a").write_text(str(number))
        shadow.take("x")
    assert not keeper.tidy(workspace, settings)
    monkeypatch.setattr(keeping, "MAX_COUNT", 2)
    assert keeper.tidy(workspace, settings)
    left = shadow.snapshots()
    assert [shadow.read(snapshot, "a") for snapshot in left] == [b"2", b"3"]
    keeper.close()
