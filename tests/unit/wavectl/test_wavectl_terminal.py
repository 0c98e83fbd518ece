"""On a real terminal (a pty): the live view, Ctrl-C and its question, the summary."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import FakeDaemon

from tests.terminal import Terminal


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
    assert terminal.ended() == 0
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
    assert terminal.ended() == 3
    assert daemon.sessions["s1-deploy"].outcome == "stopped"


def test_a_second_ctrl_c_detaches(terminal: Terminal, daemon: FakeDaemon) -> None:
    terminal.until("Ctrl-C: detach or stop")
    terminal.type(b"\x03")
    terminal.until("[d]etach")
    terminal.type(b"\x03")
    terminal.until("wavectl watch s1-deploy")
    assert terminal.ended() == 130
    assert daemon.sessions["s1-deploy"].phase == "running"
