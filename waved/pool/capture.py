"""What a run prints, kept byte for byte: raw bytes in one file, times and streams in a small index beside it.

No work is done per line. The index has one record of 24 bytes for each piece that was read: time in ns of waved's
clock (u64), offset (u64), length (u32), stream (u32: 1 stdout, 2 stderr).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import time
from pathlib import Path

OUTPUT = "output"
INDEX = "output.index"
RECORD = struct.Struct("<QQII")
PIPE_SIZE = 256 * 1024
_PIECE = 1024 * 1024
STDOUT, STDERR = 1, 2


class Capture:
    """The reading ends of a run's stdout and stderr, and the files they go to.

    Bytes that cannot be written (disk full) are counted in `dropped` and read all the same: a full disk never blocks
    an agent.
    """

    def __init__(self, folder: Path, clock_offset: float) -> None:
        self._offset_ns = int(clock_offset * 1e9)
        # Anonymous memory costs nothing until it is touched; most runs print little.
        self._buffer = mmap.mmap(-1, _PIECE)
        self._view = memoryview(self._buffer)
        self.written = 0
        self.dropped = 0
        self._output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._index = os.open(folder / INDEX, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        out_read, self.stdout = os.pipe2(os.O_CLOEXEC)
        err_read, self.stderr = os.pipe2(os.O_CLOEXEC)
        for fd in (out_read, err_read):
            os.set_blocking(fd, False)
        # A larger pipe saves wake-ups; an unprivileged user may have used up the allowance (pipe(7)).
        with contextlib.suppress(OSError):
            fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        # The writing ends pass to the launch, which closes them.
        self.streams = {out_read: STDOUT, err_read: STDERR}

    def pump(self, fd: int) -> bool:
        """Move what is there from one stream to the files; False when the stream has ended (it is closed then)."""
        try:
            count = os.readv(fd, [self._buffer])
        except BlockingIOError:
            return True
        if count == 0:
            os.close(fd)
            del self.streams[fd]
            return False
        self._keep(self.streams[fd], count)
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

    def _keep(self, stream: int, count: int) -> None:
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + self._offset_ns
        start = self.written
        try:
            done = 0
            while done < count:
                done += os.write(self._output, self._view[done:count])
                self.written = start + done
            os.write(self._index, RECORD.pack(now, start, count, stream))
        except OSError:
            self.dropped += count - (self.written - start)

    def close(self) -> None:
        """Close everything; the files stay."""
        for fd in (*self.streams, self._output, self._index):
            os.close(fd)
        self.streams.clear()

    def tail(self, folder: Path, limit: int) -> str:
        """The last `limit` bytes of output as text."""
        try:
            with (folder / OUTPUT).open("rb") as file:
                file.seek(max(0, self.written - limit))
                return file.read(limit).decode(errors="replace").strip()
        except OSError:
            return ""
