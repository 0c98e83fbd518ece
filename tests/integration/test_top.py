"""`wavectl top` on a real terminal with a real daemon: it acts, outlives the daemon's death, and leaves no trace."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from tests.terminal import PROGRAM, Terminal

TICK = "import time\nn = 0\nwhile True: n += 1; print('tick', n, flush=True); time.sleep(0.1)"


@pytest.fixture
def session(daemon: Daemon, workspace: Path) -> str:
    ticking = [sys.executable, "-c", TICK]
    return daemon.submit(
        plan_of(wave_of("build", agent_of("frontend", ticking), agent_of("backend", ticking))), workspace
    )


@pytest.fixture
def shown(daemon: Daemon, session: str) -> Iterator[Terminal]:
    wait_for(lambda: daemon.view(session)["agents"]["running"] == 2)
    terminal = Terminal("top", environment=daemon.environment)
    yield terminal
    terminal.close()


def keys_work(shown: Terminal) -> None:
    """The first page stands there before keys are heard."""
    shown.until("frontend")
    shown.type(b"?")
    shown.until("any key closes this")
    shown.type(b"x")


def test_an_agent_is_stopped_after_a_question_and_the_view_outlives_the_daemon(
    daemon: Daemon, session: str, shown: Terminal
) -> None:
    keys_work(shown)
    shown.type(b"s")
    shown.until("stop agent frontend?")
    shown.type(b"y")
    shown.until("stopped")
    wait_for(lambda: daemon.view(session)["waves"][0]["assignments"][0]["outcome"] == "stopped")
    assert daemon.view(session)["waves"][0]["assignments"][1]["state"] == "running"

    daemon.kill()
    shown.until("the daemon is away")
    shown.forget()
    daemon.start()
    shown.type(b"j\r")
    shown.until("tick")  # the output of the one that went on

    shown.type(b"q")
    assert shown.ended() == 0
    assert shown.is_as_before()
    assert b"\x1b[?1049l" in shown.seen
    assert b"\x1b[?25h" in shown.seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(shown: Terminal, number: signal.Signals) -> None:
    keys_work(shown)
    shown.forget()
    shown.process.send_signal(number)
    assert shown.ended() == 0
    assert shown.is_as_before()
    assert b"\x1b[?1049l" in shown.seen
    assert "Traceback" not in shown.text


def test_it_ends_with_its_terminal(shown: Terminal) -> None:
    keys_work(shown)
    shown.hang_up()
    assert shown.process.wait(20) is not None


def test_a_terminal_that_cannot_be_drawn_on_is_told_what_to_use_instead(daemon: Daemon) -> None:
    for term in ("dumb", ""):
        terminal = Terminal("top", environment={**daemon.environment, "TERM": term})
        try:
            terminal.until("wavectl watch --plain")
            assert terminal.ended() == 2
            assert b"\x1b[?1049h" not in terminal.seen
        finally:
            terminal.close()


def test_without_colour_nothing_is_coloured(daemon: Daemon, session: str) -> None:
    wait_for(lambda: daemon.view(session)["agents"]["running"] == 2)
    terminal = Terminal("top", environment={**daemon.environment, "NO_COLOR": "1"}, program=PROGRAM)
    try:
        keys_work(terminal)
        terminal.type(b"2")
        terminal.until("one after another")
        terminal.type(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    for colour in (*range(31, 38), *range(41, 48), 38, 48):
        assert b"\x1b[%dm" % colour not in terminal.seen
        assert b";%dm" % colour not in terminal.seen
        assert b"[%d;" % colour not in terminal.seen
