"""A program on a terminal (a pty), as a person has it in front of him."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from typing import Any

from wavectl.views.text import printable

PROGRAM = [sys.executable, "-c", "from wavectl.cli import main; main()"]


class Terminal:
    """`wavectl` (or another `program`) with these arguments."""

    def __init__(
        self, *arguments: str, size: tuple[int, int] = (80, 24), program: Sequence[str] = PROGRAM,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.master, slave = pty.openpty()
        self.attributes = termios.tcgetattr(slave)
        """How the terminal was before."""
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        given = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        for name in ("COLUMNS", "LINES"):
            given.pop(name, None)

        def own_terminal() -> None:
            os.setsid()
            ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*program, *arguments], stdin=slave, stdout=slave, stderr=slave, env=given, preexec_fn=own_terminal
        )
        self._slave = slave
        self.seen = b""

    @property
    def text(self) -> str:
        """All that was shown, without control codes."""
        return printable(self.seen.decode("utf-8", "replace"))

    def until(self, text: str, seconds: float = 20) -> str:
        """Read until `text` was shown."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert self._read(deadline - time.monotonic()), f"{text!r} was not shown: {self.text[-4000:]}"
        return self.text

    def drain(self, seconds: float) -> None:
        """Take what is shown for as long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, seconds))
        if ready:
            self.seen += os.read(self.master, 65536)
        return bool(ready)

    def forget(self) -> None:
        """What was shown so far does not count any more."""
        self.seen = b""

    def type(self, keys: bytes) -> None:
        """As if a person typed it."""
        os.write(self.master, keys)

    def resize(self, width: int, height: int) -> None:
        """The terminal gets another size, and the program is told."""
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def ended(self, seconds: float = 20) -> int:
        """The program's exit status; what it still shows is taken."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.text[-2000:]}"
            self._read(0.02)
        self.drain(0.05)
        return int(self.process.returncode)

    def is_as_before(self) -> bool:
        """Whether the terminal's settings are what they were."""
        now: list[Any] = termios.tcgetattr(self._slave)
        return now == self.attributes

    def hang_up(self) -> None:
        """The terminal is gone, as when ssh breaks off."""
        os.close(self._slave)
        os.close(self.master)
        self._slave = self.master = -1

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            self.hang_up()
