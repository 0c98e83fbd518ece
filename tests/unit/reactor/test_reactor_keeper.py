"""Git jobs: one at a time in a workspace, urgent ones first."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from tests.live import wait_for
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
