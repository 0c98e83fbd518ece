"""Output is bounded by removing the oldest, and read by offsets that count everything."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.pool.capture import SEGMENTS, STDERR, STDOUT, Capture
from waved.pool.segments import RECORD, segments
from waved.reactor.logs import read_output

LIMIT = 64 * 1024


class Printed:
    """A capture that is fed through its pipes, beside all that was printed into it."""

    def __init__(self, folder: Path, limit: int | None = LIMIT) -> None:
        self.folder = folder
        self.capture = Capture(folder, 0.0, limit)
        self.ends = {STDOUT: self.capture.stdout, STDERR: self.capture.stderr}
        self.reading = {stream: fd for fd, stream in self.capture.streams.items()}
        self.all = b""
        self.streams: list[int] = []

    def say(self, stream: int, data: bytes) -> None:
        """Print, and have it kept."""
        for start in range(0, len(data), 4096):
            piece = data[start : start + 4096]
            os.write(self.ends[stream], piece)
            before = self.capture.dropped
            self.capture.pump(self.reading[stream])
            kept = len(piece) - (self.capture.dropped - before)
            self.all += piece[:kept]
            self.streams += [stream] * kept

    def close(self) -> None:
        """Close all."""
        for fd in self.ends.values():
            os.close(fd)
        self.capture.close()

    def read(self, step: int, *, ended: bool = True) -> tuple[int, bytes, list[int], int]:
        """Everything there is, read by steps: (skipped, bytes, streams by the index, size)."""
        offset, data, streams, skipped = 0, b"", [], 0
        while True:
            found = read_output(self.folder, offset, step, index=True, ended=ended)
            skipped += found["skipped"]
            assert found["offset"] == offset + found["skipped"]
            covered = found["offset"]
            for _, stream, start, length in found["records"]:
                first, last = max(start, covered), min(start + length, found["next"])
                assert first == covered, "no hole in the index"
                streams += [stream] * (last - first)
                covered = last
            data += found["data"]
            assert len(streams) == len(data) or not ended
            offset = found["next"]
            if not found["data"]:
                assert found["ended"] == ended
                return skipped, data, streams, found["size"]


@contextmanager
def printed(limit: int | None = LIMIT) -> Iterator[Printed]:
    with tempfile.TemporaryDirectory() as folder:
        found = Printed(Path(folder), limit)
        try:
            yield found
        finally:
            found.close()


_PIECES = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.integers(1, 9000)), max_size=60)


@settings(deadline=None, max_examples=60)
@given(_PIECES, st.integers(1, 30_000), st.integers(0, 3))
def test_what_is_read_is_the_end_of_what_was_printed(pieces: list[tuple[int, int]], step: int, times: int) -> None:
    with printed() as run:
        for number, (stream, size) in enumerate(pieces * times):
            run.say(stream, bytes([number % 251]) * size)
        skipped, data, streams, size = run.read(max(step, 500))
        assert (size, skipped) == (len(run.all), run.capture.rotated)
        assert data == run.all[skipped:]
        assert streams == run.streams[skipped:]
        assert run.capture.tail(100).encode() == run.all[-100:].decode(errors="replace").strip().encode()
        on_disk = sum(path.stat().st_size for path in run.folder.iterdir())
        assert on_disk <= LIMIT + 4096 + RECORD.size
        if skipped:
            assert len(data) + len(segments(run.folder)) * RECORD.size >= LIMIT * (SEGMENTS - 2) // SEGMENTS // 2


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=12), st.integers(0, 400_000), st.integers(1, 20_000))
def test_any_offset_can_be_asked_for(sizes: list[int], offset: int, limit: int) -> None:
    with printed() as run:
        for number, size in enumerate(sizes):
            run.say(STDOUT, bytes([number]) * size)
        found = read_output(run.folder, offset, limit, index=False, ended=False)
        start = max(run.capture.rotated, min(offset, len(run.all)))
        assert found["offset"] == start
        assert found["skipped"] == start - min(offset, len(run.all))
        assert run.all[start : start + limit].startswith(found["data"])
        assert found["data"] or start == len(run.all)
        back = read_output(run.folder, -limit, limit, index=False, ended=False)
        assert back["offset"] == max(run.capture.rotated, len(run.all) - limit)


def test_a_segment_that_vanishes_while_it_is_read_is_passed_over() -> None:
    with printed() as run:
        run.say(STDOUT, b"x" * 40_000)
        first, second, *_ = segments(run.folder)
        first.output.unlink()
        first.index_file.unlink()
        found = read_output(run.folder, 0, 100, index=True, ended=False)
        assert (found["offset"], found["skipped"]) == (second.base, second.base)


def test_without_a_limit_nothing_is_removed() -> None:
    with printed(None) as run:
        run.say(STDERR, b"x" * 300_000)
        assert [each.base for each in segments(run.folder)] == [0]
        assert run.read(100_000)[:2] == (0, run.all)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Writes that would make a file larger fail, in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("full_at", [0, 10, 1000, 1030, 4100, 4096 * 2 + 1])
def test_a_full_disk_costs_the_bytes_it_did_not_take_and_no_others(full_at: int) -> None:
    with printed(None) as run:
        run.say(STDOUT, b"a" * 1000)
        with no_file_beyond(full_at):
            run.say(STDERR, b"b" * 9000)
        assert run.capture.dropped == 10_000 - len(run.all)
        assert run.capture.dropped > 0
        run.say(STDOUT, b"c" * 500)
        skipped, data, streams, size = run.read(700)
        assert (skipped, data, size) == (0, run.all, len(run.all))
        assert len(streams) == len(data)
        assert data.endswith(b"c" * 500)
        assert streams[-500:] == [STDOUT] * 500


def test_a_torn_record_is_written_anew() -> None:
    with printed(None) as run:
        for _ in range(4):
            run.say(STDOUT, b"a")
        with no_file_beyond(4 * RECORD.size + 5):  # the output fits, the fifth record does not
            run.say(STDERR, b"b" * 50)
            run.say(STDOUT, b"c" * 7)
        run.say(STDOUT, b"d")
        _, data, streams, _ = run.read(1000)
        assert data == run.all == b"aaaa" + b"b" * 50 + b"c" * 7 + b"d"
        assert streams[:4] == [STDOUT] * 4


def test_when_no_segment_can_be_made_the_present_one_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    with printed() as run:
        run.say(STDOUT, b"x" * 5000)
        real = os.open

        def refused(path: object, *arguments: int, **more: int) -> int:
            if "output." in str(path):
                raise OSError(24, "Too many open files")
            return real(path, *arguments, **more)  # type: ignore[call-overload,no-any-return]

        monkeypatch.setattr(os, "open", refused)
        run.say(STDOUT, b"y" * 100_000)
        monkeypatch.undo()
        assert run.capture.dropped == 0
        assert len(segments(run.folder)) == 1
        run.say(STDOUT, b"z" * 100_000)
        assert len(segments(run.folder)) > 1
        skipped, data, _, _ = run.read(5000)
        assert data == run.all[skipped:]
