"""Output that comes faster than it can be read waits in its files: none is lost, none is read twice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.pool import behind as behind_module
from waved.pool.behind import LAST, MOST_PIECES, Behind
from waved.pool.capture import STDERR, STDOUT, Capture


class Place:
    """A capture that is fed through its pipes, and what is read of it. Time passes only by reading."""

    def __init__(self, folder: Path, cost: float, limit: int | None = None) -> None:
        self.cost = cost
        """Seconds that reading a byte takes."""
        self.now = 1000.0
        self.capture = Capture(folder, 0.0, limit)
        self.ends = {STDOUT: self.capture.stdout, STDERR: self.capture.stderr}
        self.reading = {stream: fd for fd, stream in self.capture.streams.items()}
        self.printed = {STDOUT: b"", STDERR: b""}
        self.heard = {STDOUT: b"", STDERR: b""}
        self.behind = Behind(folder, self.heed)
        self.capture.heed = self.behind.take

    def heed(self, stream: int, data: bytes | memoryview) -> None:
        self.heard[stream] += bytes(data)
        self.now += len(data) * self.cost

    def say(self, stream: int, data: bytes) -> None:
        for start in range(0, len(data), 32768):
            piece = data[start : start + 32768]
            os.write(self.ends[stream], piece)
            self.capture.pump(self.reading[stream])
            self.printed[stream] += piece

    def close(self) -> None:
        for fd in self.ends.values():
            os.close(fd)
        self.capture.close()
        self.behind.close()


@contextmanager
def place(cost: float = 0.0, limit: int | None = None) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        made = Place(Path(folder), cost, limit)
        clocks = {"boot_seconds": lambda: made.now, "process_time": lambda: made.now}
        with patch.multiple(behind_module, **clocks):
            yield made
        made.close()


SLOW = 1e-3
"""Seconds a byte: all but the smallest pieces have to wait."""
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([STDOUT, STDERR]), st.integers(1, 70_000)),
        st.tuples(st.just(0), st.booleans()),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from([0.0, 1e-8, SLOW]))
def test_all_that_is_printed_is_read_once_and_in_order(what: list[tuple[int, int]], cost: float) -> None:
    with place(cost) as run:
        for number, (stream, count) in enumerate(what):
            if stream:
                run.say(stream, bytes([65 + number % 26]) * (count - 1) + b"\n")
            else:
                run.behind.catch_up(busy=bool(count))
        run.behind.rest(1e9)
        assert run.heard == run.printed
        assert (run.behind.waiting, run.behind.unread) == (0, 0)


def test_small_output_is_read_at_once() -> None:
    with place() as run:
        run.say(STDOUT, b"a line\n")
        assert run.heard[STDOUT] == b"a line\n"
        assert run.behind.waiting == 0


def test_while_output_goes_on_reading_takes_a_small_share_of_the_time() -> None:
    with place(1e-5) as run:
        run.say(STDOUT, b"x" * 1_000_000)
        begun, spent = run.now, 0.0
        for _ in range(1000):
            run.now += 0.1  # what capturing took
            before = run.now
            run.behind.catch_up(busy=True)
            spent += run.now - before
        share = spent / (run.now - begun)
        assert 0.5 / behind_module.SHARE < share < 2 / behind_module.SHARE
        read = len(run.heard[STDOUT])
        assert run.behind.waiting == 1_000_000 - read > 0
        run.behind.catch_up(busy=False)
        assert len(run.heard[STDOUT]) > read


def test_what_was_rotated_away_is_counted_and_what_is_left_is_read() -> None:
    with place(SLOW, limit=1_000_000) as run:
        for number in range(40):
            run.say(STDOUT, b"%07d\n" % number * 16_384)
        kept = run.capture.written - run.capture.rotated
        assert run.capture.rotated > 0
        run.behind.rest(1e9)
        assert run.behind.waiting == 0
        assert run.behind.unread + len(run.heard[STDOUT].replace(b"\n\n", b"\n")) >= run.capture.written - 8
        assert run.heard[STDOUT].endswith(run.printed[STDOUT][-kept + 8 :])


def test_of_too_much_at_the_end_the_last_is_read() -> None:
    with place(SLOW) as run:
        run.say(STDOUT, b"y" * 31 + b"\n")
        run.say(STDOUT, (b"x" * 31 + b"\n") * (3 * LAST // 32) + b"the last word\n")
        run.behind.rest(5.0)
        assert run.heard[STDOUT].endswith(b"x\nthe last word\n")
        assert run.behind.unread > LAST
        assert run.behind.waiting == 0


def test_what_a_full_disk_does_not_take_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with place(SLOW) as run:
        run.say(STDOUT, b"a" * 100_000 + b"\n")
        write = os.write

        def full(fd: int, data: bytes) -> int:
            if fd in run.ends.values():
                return write(fd, data)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        run.say(STDOUT, b"the last word\n")
        monkeypatch.undo()
        assert run.capture.dropped == 14
        assert run.heard == run.printed


def test_many_small_pieces_of_alternating_streams_do_not_pile_up() -> None:
    with place(SLOW) as run:
        run.say(STDOUT, b"x" * 100_000)
        for number in range(MOST_PIECES + 100):
            run.say(STDOUT if number % 2 else STDERR, b"z\n")
        assert len(run.behind._pieces) <= MOST_PIECES
        run.behind.rest(1e9)
        assert run.heard == run.printed


def test_a_file_that_is_gone_costs_only_what_stood_in_it() -> None:
    with place(SLOW) as run:
        run.say(STDOUT, b"x" * 200_000)
        for file in run.behind._folder.iterdir():
            file.unlink()
        run.behind.close()
        run.behind.rest(1e9)
        assert (run.behind.waiting, run.behind.unread) == (0, 200_000 - len(run.heard[STDOUT].rstrip(b"\n")))


def test_after_a_large_piece_nothing_is_read_for_a_moment_then_all_of_it() -> None:
    """A program that fills its pipe at once is at full speed: a slice would keep it waiting."""
    with place(1e-9) as run:
        os.write(run.ends[STDOUT], b"x" * 100_000)
        run.capture.pump(run.reading[STDOUT])
        run.printed[STDOUT] += b"x" * 100_000
        run.behind._due = run.now + 1.0
        run.behind.catch_up(busy=False)
        assert (run.heard[STDOUT], run.behind.waiting) == (b"", 100_000)
        assert run.behind.patience() == pytest.approx(behind_module.CALM * 1000 + 0.5, abs=0.01)
        run.now += behind_module.CALM
        while (patience := run.behind.patience()) is not None:
            assert patience == 0.0
            run.behind.catch_up(busy=False)
        assert run.heard == run.printed
