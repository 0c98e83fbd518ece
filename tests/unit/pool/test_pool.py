"""The daemon's side of the pool, with a real zygote and real workers."""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live import PATIENCE, wait_for
from tests.unit.pool.worker_talk import spec_of
from waved.pool import record
from waved.pool.messages import Ended, Limits, Lost, Message, Start, Started
from waved.pool.pool import Pool
from waved.pool.shot import Shot, Shots
from waved.pool.warm import KEPT_WARM


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
    return Start(f"s/{key}", spec_of(folder, key, command), Limits(None, "agent"))


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


def _armed(pool: Pool, count: int) -> None:
    """Waits until so many runs are ready."""
    poller = select.poll()
    poller.register(pool.fileno(), select.POLLIN)
    while pool.readiness("s/")[0] < count:
        assert poller.poll(PATIENCE * 1000)
        assert pool.poll() == []


def _ends(pool: Pool, count: int) -> list[Ended]:
    """The next so many ends of runs."""
    found: list[Ended] = []
    while len(found) < count:
        found += [message for message in heard(pool, lambda one: isinstance(one, Ended)) if isinstance(message, Ended)]
    return found


def test_a_shot_starts_those_whose_start_was_decided_and_nobody_else(pool: Pool, tmp_path: Path) -> None:
    """All three know their limits; the start of the third has not been decided."""
    own = Limits(None, "agent").among(3)
    for key in "abc":
        start = start_of(tmp_path, key, f"echo {key} >> {tmp_path}/starts; exit 3")
        assert pool.arm(start.run, start.spec, own)
    _armed(pool, 3)
    pool.release([start_of(tmp_path, key, f"echo {key} >> {tmp_path}/starts; exit 3") for key in "ab"])
    _ends(pool, 2)
    assert pool.armed_ahead("s/") == ["s/c"]
    assert sorted((tmp_path / "starts").read_text().split()) == ["a", "b"]
    # It stands ready still, and starts when it is to.
    pool.release([start_of(tmp_path, "c", f"echo c >> {tmp_path}/starts; exit 3")])
    (last,) = _ends(pool, 1)
    assert (last.run, last.record["exit_code"]) == ("s/c", 3)
    assert (tmp_path / "starts").read_text().split()[2:] == ["c"]


def test_other_limits_than_those_foreseen_are_told_before_the_shot(pool: Pool, tmp_path: Path) -> None:
    starts = [start_of(tmp_path, key, "exec sleep 600") for key in "ab"]
    for start in starts:
        assert pool.arm(start.run, start.spec, Limits(600.0, "agent").among(2))
    _armed(pool, 2)
    pool.release([replace(start, limits=Limits(0.2, "wave")) for start in starts])
    assert {ended.record["outcome"] for ended in _ends(pool, 2)} == {"timed-out"}


def test_what_is_armed_anew_has_not_been_told_its_limits(pool: Pool, tmp_path: Path) -> None:
    """Those told first were of another spec: the shot of others is not for it."""
    for key in "abc":
        assert pool.arm(f"s/{key}", spec_of(tmp_path, key, "exit 3"), Limits(None, "agent").among(3))
    _armed(pool, 3)
    assert pool.arm("s/c", spec_of(tmp_path, "c", f"touch {tmp_path}/started"))
    _armed(pool, 3)
    pool.release([Start(f"s/{key}", spec_of(tmp_path, key, "exit 3"), Limits(None, "agent")) for key in "ab"])
    _ends(pool, 2)
    assert pool.armed_ahead("s/") == ["s/c"]
    pool.withdraw(["s/c"])
    wait_for(lambda: not (tmp_path / "c").exists())  # its worker has read all that it was told
    assert not (tmp_path / "started").exists()


def test_one_that_cannot_be_armed_anew_does_not_start_on_what_it_was_told_before(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(_session: str) -> Shot:
        raise OSError(errno.EMFILE, "Too many open files")

    for key in "abc":
        spec = start_of(tmp_path, key, f"echo {key} >> {tmp_path}/starts").spec
        assert pool.arm(f"s/{key}", spec, Limits(None, "agent").among(3))
    _armed(pool, 3)
    with monkeypatch.context() as patched:
        patched.setattr(pool._shots, "load", short)
        pool.release([start_of(tmp_path, "c", f"echo other >> {tmp_path}/starts")])
    (lost,) = pool.poll()
    assert isinstance(lost, Lost)
    assert (lost.run, lost.certain_unstarted) == ("s/c", True)
    pool.release([start_of(tmp_path, key, f"echo {key} >> {tmp_path}/starts") for key in "ab"])
    _ends(pool, 2)
    wait_for(lambda: record.read_exit(tmp_path / "c"))
    assert sorted((tmp_path / "starts").read_text().split()) == ["a", "b"]


def test_one_that_cannot_be_told_that_a_shot_is_not_for_it_is_let_go_and_reported(pool: Pool, tmp_path: Path) -> None:
    """Its own start was decided, and waits for another that is not ready yet."""
    own = Limits(None, "agent").among(3)
    starts = {key: start_of(tmp_path, key, f"echo {key} >> {tmp_path}/starts") for key in "abcd"}
    for key in "abc":
        assert pool.arm(f"s/{key}", starts[key].spec, own)
    _armed(pool, 3)
    hung = pool._workers["s/c"]
    os.kill(hung.pid, signal.SIGSTOP)
    try:
        pool.release([starts["c"], starts["d"]])
        with pytest.raises(BlockingIOError):
            while True:
                hung.channel.send({"nothing": "x" * 1000})
        pool.release([starts["a"], starts["b"]])
        news = heard(pool, lambda one: isinstance(one, Lost))
    finally:
        os.kill(hung.pid, signal.SIGCONT)
    (lost,) = (message for message in news if isinstance(message, Lost))
    assert (lost.run, lost.certain_unstarted) == ("s/c", True)
    assert "cannot be reached" in lost.reason
    wait_for(lambda: record.read_exit(tmp_path / "c"))  # it goes on, and finds that nobody is there
    left = record.read_exit(tmp_path / "c")
    assert left is not None
    assert left["outcome"] == "withdrawn"
    heard(pool, lambda one: isinstance(one, Ended) and one.run == "s/d")
    wait_for(lambda: len((tmp_path / "starts").read_text().split()) >= 3)
    assert sorted((tmp_path / "starts").read_text().split()) == ["a", "b", "d"]


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_shot_is_closed_when_it_is_fired_and_when_nobody_waits_any_more() -> None:
    before = _descriptors()
    shots = Shots()
    first, again, other = shots.load("s"), shots.load("s"), shots.load("t")
    assert first is again is not other
    assert _descriptors() == before + 2
    first.fire()
    assert _descriptors() == before + 1
    assert shots.load("s") is not first  # and that one is forgotten at once
    del other
    assert _descriptors() == before


def test_a_forecast_that_could_not_be_made_ready_is_the_end_of_the_same_start(pool: Pool, tmp_path: Path) -> None:
    spec = {**spec_of(tmp_path, "a", ""), "command": ["no-such-program"]}
    pool.arm("s/a", spec)
    wait_for(lambda: record.read_exit(tmp_path / "a"))
    pool.release([Start("s/a", spec, Limits(None, "agent"))])
    (ended,) = heard(pool, lambda message: isinstance(message, Ended))
    assert isinstance(ended, Ended)
    assert ended.record["outcome"] == "not-started"
    assert (pool.busy, pool.warm) == (0, 1)


def test_the_zygote_may_tell_of_a_dead_worker_before_its_end_is_read(pool: Pool, tmp_path: Path) -> None:
    """As when many are killed at once. It was waited for the zygote's word then, which had been said."""
    pool.release([start_of(tmp_path, "a", "sleep 600")])
    (started,) = (each for each in heard(pool, lambda each: isinstance(each, Started)) if isinstance(each, Started))
    line = pool._zygotes._channel
    assert line is not None
    poller = select.poll()
    poller.register(line.fileno(), select.POLLIN)
    os.kill(started.worker, signal.SIGKILL)
    assert poller.poll(PATIENCE * 1000)
    pool._hear_zygote()
    (lost,) = pool.poll()
    assert isinstance(lost, Lost)
    assert (lost.run, "ended what it left" in lost.reason) == ("s/a", True)


def test_workers_are_kept_for_what_a_session_starts_next_and_let_go_when_nothing_does(
    pool: Pool, tmp_path: Path
) -> None:
    """As many as its next wave needs, of those that ran the one before."""
    count = KEPT_WARM + 4
    pool.keep("s", count)
    workers = set()
    for turn in ("first", "second"):
        pool.release([start_of(tmp_path, f"{turn}{number}", "true") for number in range(count)])
        news: list[Message] = []
        while sum(isinstance(message, Ended) for message in news) < count:
            news += heard(pool, lambda message: isinstance(message, Ended))
        workers |= {message.worker for message in news if isinstance(message, Started)}
        assert pool.warm == count
    assert len(workers) == count
    pool.keep("t", 1)
    assert pool.warm == count
    pool.keep("s", 0)
    assert pool.warm == KEPT_WARM
