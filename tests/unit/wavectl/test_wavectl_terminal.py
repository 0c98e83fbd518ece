"""On a real terminal (a pty): the live view, Ctrl-C and its question, the summary."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl

import pytest
from fake_daemon import FakeDaemon

from wavectl.views.text import printable

PROGRAM = [sys.executable, "-c", "from wavectl.cli import main; main()"]


class Terminal:
    """A program on a pty of 80 × 24."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}

        def own_terminal() -> None:
            os.setsid()
            ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment, preexec_fn=own_terminal
        )
        os.close(slave)
        self.seen = b""

    def until(self, text: str, seconds: float = 20) -> str:
        """Read until `text` was shown."""
        deadline = time.monotonic() + seconds
        while text not in printable(self.seen.decode("utf-8", "replace")):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} was not shown: {printable(self.seen.decode('utf-8', 'replace'))}"
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                assert text in printable(self.seen.decode("utf-8", "replace"))
        return printable(self.seen.decode("utf-8", "replace"))

    def forget(self) -> None:
        """What was shown so far does not count any more."""
        self.seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(daemon: FakeDaemon) -> Iterator[Terminal]:
    daemon.hold = {"slow"}
    shown = Terminal("--socket", daemon.endpoint, "deploy", "quick=true", "slow=true")
    yield shown
    shown.close()


def test_a_session_is_drawn_live_and_summed_up(terminal: Terminal, daemon: FakeDaemon) -> None:
    text = terminal.until("Ctrl-C: detach or stop")
    assert "✓ workspace" in text
    terminal.until("slow")
    daemon.finish("slow")
    text = terminal.until("next")
    assert "✓ deploy succeeded" in text
    assert "2 of 2 agents succeeded" in text
    assert terminal.process.wait(20) == 0
    assert b"\x1b[32m" in terminal.seen, "colour on a terminal"


def test_ctrl_c_asks_and_stop_stops(terminal: Terminal, daemon: FakeDaemon) -> None:
    terminal.until("Ctrl-C: detach or stop")
    terminal.type(b"\x03")
    terminal.until("[d]etach")
    terminal.type(b"xc")
    terminal.until("to watch? continue")
    terminal.forget()
    terminal.until("Ctrl-C: detach or stop")
    terminal.type(b"\x03")
    terminal.until("[d]etach")
    terminal.type(b"s")
    terminal.until("deploy stopped")
    assert terminal.process.wait(20) == 3
    assert daemon.sessions["s1-deploy"].outcome == "stopped"


def test_a_second_ctrl_c_detaches(terminal: Terminal, daemon: FakeDaemon) -> None:
    terminal.until("Ctrl-C: detach or stop")
    terminal.type(b"\x03")
    terminal.until("[d]etach")
    terminal.type(b"\x03")
    terminal.until("wavectl watch s1-deploy")
    assert terminal.process.wait(20) == 130
    assert daemon.sessions["s1-deploy"].phase == "running"
