"""What a run prints, kept byte for byte: raw bytes in files, times and streams in a small index beside them.

No work is done per line: the index has one record for each piece that was read. How the files lie, and what happens
when there is too much: `waved.pool.segments`.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from waved.pool.segments import RECORD, Segment, last_bytes, segment

PIPE_SIZE = 256 * 1024
_PIECE = 1024 * 1024
STDOUT, STDERR = 1, 2
SEGMENTS = 8
"""Parts in which output that reaches its limit is kept; the oldest is dropped for the next."""


class Capture:
    """The reading ends of a run's stdout and stderr, and the files they go to.

    An agent is never blocked by where its output goes: bytes that cannot be written (disk full) are read all the same
    and counted in `dropped`; when there are more than `limit` bytes (index included; None: no limit), the oldest are
    removed and counted in `rotated`.
    """

    def __init__(self, folder: str | Path, clock_offset: float, limit: int | None = None) -> None:
        self._folder = Path(folder)
        self._offset_ns = int(clock_offset * 1e9)
        self._part = limit // SEGMENTS if limit is not None else None
        self._buffer: mmap.mmap | None = None
        self.heed: Callable[[int, memoryview, int, int], None] | None = None
        """Is shown each piece of a stream once it is in the files: stream, bytes (only during the call), the offset of
        the first, how many of them could be kept.
        """
        self.written = 0
        self.dropped = 0
        self.rotated = 0
        self._unindexed = 0
        """Where the bytes begin that no record covers yet."""
        self._segments: deque[Segment] = deque()
        self._open(0)
        out_read, self.stdout = os.pipe2(os.O_CLOEXEC)
        err_read, self.stderr = os.pipe2(os.O_CLOEXEC)
        for fd in (out_read, err_read):
            os.set_blocking(fd, False)
        # A larger pipe saves wake-ups; an unprivileged user may have used up the allowance (pipe(7)).
        with contextlib.suppress(OSError):
            fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        # The writing ends pass to the launch, which closes them.
        self.streams = {out_read: STDOUT, err_read: STDERR}

    def _open(self, base: int) -> None:
        """Begin a segment. Raises OSError, and then nothing has changed."""
        new = segment(self._folder, base)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        output = os.open(new.output, flags, 0o600)
        self._output, self._index = output, -1
        self._records = 0
        self._full_at = self._part
        self._segments.append(new)

    def pump(self, fd: int) -> bool:
        """Move what is there from one stream to the files; False when the stream has ended (it is closed then)."""
        if self._buffer is None:
            # Anonymous memory costs nothing until it is touched; most runs print little.
            self._buffer = mmap.mmap(-1, _PIECE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        try:
            count = os.readv(fd, [self._buffer])
        except BlockingIOError:
            return True
        if count == 0:
            os.close(fd)
            del self.streams[fd]
            return False
        stream = self.streams[fd]
        offset = self.written
        self._keep(stream, self._buffer, count)
        if self.heed is not None:
            self.heed(stream, memoryview(self._buffer)[:count], offset, self.written - offset)
        return True

    def drain(self) -> None:
        """Take what is still in the pipes after the last process has ended, and close them."""
        for fd in list(self.streams):
            while fd in self.streams and self._more(fd):
                pass

    def _more(self, fd: int) -> bool:
        before = self.written + self.dropped
        if not self.pump(fd):
            return False
        if self.written + self.dropped == before:
            # Someone outside the tree holds the pipe open (a descriptor passed on): nothing more to wait for.
            os.close(fd)
            del self.streams[fd]
            return False
        return True

    def _keep(self, stream: int, buffer: mmap.mmap, count: int) -> None:
        view = memoryview(buffer)
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self._offset_ns
        done = 0
        while done < count:
            try:
                wrote = os.write(self._output, view[done : done + min(count - done, self._room())])
            except OSError:
                break
            self.written += wrote
            done += wrote
            if not self._room():
                self._record(now, stream)
                self._rotate()
        self.dropped += count - done
        self._record(now, stream)

    def _room(self) -> int:
        """Bytes that still go into the present segment, and the record of them."""
        if self._full_at is None:
            return _PIECE
        used = self.written - self._segments[-1].base + (self._records + 1) * RECORD.size
        return max(0, self._full_at - used)

    def _record(self, now: int, stream: int) -> None:
        """Say when, and on which stream, what has no record yet was printed. What cannot be said now is said later."""
        if self.written == self._unindexed:
            return
        length = min(self.written - self._unindexed, 0xFFFFFFFF)
        record = RECORD.pack(now, self._unindexed, length, stream)
        try:
            if self._index < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                self._index = os.open(self._segments[-1].index_file, flags, 0o600)
            # At its own place: a record that a full disk tore is written over by the next.
            if os.pwrite(self._index, record, self._records * RECORD.size) == RECORD.size:
                self._records += 1
                self._unindexed += length
        except OSError:
            return

    def _rotate(self) -> None:
        """Begin a new segment, and remove the oldest when there are enough. If it cannot be made, this one grows."""
        assert self._part is not None  # noqa: S101 — without a limit there is always room
        old = self._output, self._index
        try:
            self._open(self.written)
        except OSError:
            self._full_at = self.written - self._segments[-1].base + self._records * RECORD.size + self._part
            return
        self._unindexed = self.written
        for fd in old:
            if fd >= 0:
                os.close(fd)
        while len(self._segments) > SEGMENTS:
            oldest = self._segments.popleft()
            self.rotated = self._segments[0].base
            with contextlib.suppress(OSError):
                oldest.index_file.unlink(missing_ok=True)
                oldest.output.unlink()

    def close(self) -> None:
        """Close everything; the files stay."""
        for fd in (*self.streams, self._output, self._index):
            if fd >= 0:
                os.close(fd)
        self.streams.clear()

    def tail(self, limit: int) -> str:
        """The last `limit` bytes of output as text."""
        try:
            return last_bytes(self._folder, limit).decode(errors="replace").strip()
        except OSError:
            return ""
