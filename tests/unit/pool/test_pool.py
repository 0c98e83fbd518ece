"""The daemon's side of the pool, with a real zygote and real workers."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live import PATIENCE, wait_for
from tests.unit.pool.worker_talk import spec_of
from waved.pool import record
from waved.pool.messages import Ended, Message, Start, Started
from waved.pool.pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    made.start()
    yield made
    made.close()


def heard(pool: Pool, wanted: Callable[[Message], bool]) -> list[Message]:
    """All messages up to the first that is wanted, it included."""
    found: list[Message] = []
    poller = select.poll()
    poller.register(pool.fileno(), select.POLLIN)
    while not any(wanted(message) for message in found):
        assert poller.poll(PATIENCE * 1000), found
        found += pool.poll()
    return found


def start_of(folder: Path, key: str, command: str) -> Start:
    return Start(f"s/{key}", spec_of(folder, key, command), None, "agent")


def test_a_start_that_crosses_the_failure_of_its_forecast_happens_once_and_is_told(pool: Pool, tmp_path: Path) -> None:
    """What was made ready ahead could not be, and says so just when the start is decided, with another spec."""
    pool.arm("s/a", {**spec_of(tmp_path, "a", ""), "command": ["no-such-program"]})
    wait_for(lambda: record.read_exit(tmp_path / "a"))  # it has been said, and the pool has not heard it
    pool.release([start_of(tmp_path, "a", "echo x >> starts; exit 3")])
    news = heard(pool, lambda message: isinstance(message, Ended))
    assert [type(message) for message in news] == [Started, Ended]
    (ended,) = (message for message in news if isinstance(message, Ended))
    assert (ended.run, ended.record["outcome"], ended.record["exit_code"]) == ("s/a", "exited", 3)
    assert (tmp_path / "starts").read_text() == "x\n"
    # The worker is known once: what it says of its next run is heard.
    pool.release([start_of(tmp_path, "b", "exit 4")])
    news = heard(pool, lambda message: isinstance(message, Ended))
    assert [message.run for message in news if not hasattr(message, "acted")] == ["s/b", "s/b"]
    assert (pool.busy, pool.warm) == (0, 1)


def test_a_forecast_that_could_not_be_made_ready_is_the_end_of_the_same_start(pool: Pool, tmp_path: Path) -> None:
    spec = {**spec_of(tmp_path, "a", ""), "command": ["no-such-program"]}
    pool.arm("s/a", spec)
    wait_for(lambda: record.read_exit(tmp_path / "a"))
    pool.release([Start("s/a", spec, None, "agent")])
    (ended,) = heard(pool, lambda message: isinstance(message, Ended))
    assert isinstance(ended, Ended)
    assert ended.record["outcome"] == "not-started"
    assert (pool.busy, pool.warm) == (0, 1)
