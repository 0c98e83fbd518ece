"""The live view as a program: textual's own pilot presses the keys, a daemon (the fake one) answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.unit.wavectl.fake_daemon import FakeDaemon
from tests.unit.wavectl.top_views import PLAN, daemon_with_session
from wavectl.client import Client
from wavectl.top.app import Top
from wavectl.top.board import Board
from wavectl.top.ink import Ink, bare
from wavectl.top.looking import Looking
from wavectl.top.start import first_look
from waved.errors import NotAllowedError

Script = Callable[["Hand"], Awaitable[None]]


class Hand:
    """Presses keys and reads the page."""

    def __init__(self, app: Top, pilot: Pilot[None], daemon: FakeDaemon) -> None:
        self.app, self.pilot, self.daemon = app, pilot, daemon

    @property
    def page(self) -> str:
        return "\n".join(bare(line).rstrip() for line in self.app.canvas.page)

    @property
    def screen(self) -> str:
        """What textual has put on the screen."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, text: str, *, gone: bool = False) -> None:
        for _ in range(1000):
            if (text in self.page) is not gone:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{text!r} {'is still' if gone else 'was not'} shown:\n{self.page}")

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.daemon.asked if name == method]


def play(daemon: FakeDaemon, script: Script, session: str = "", size: tuple[int, int] = (80, 24)) -> None:
    """Open the view as `wavectl top` does, and let the script use it."""
    ink = Ink(False)
    board, looking = Board(ink), Looking(*size)
    with Client(daemon.endpoint, timeout=2.0) as client:
        first_look(client, board, looking, session)

    async def run() -> None:
        app = Top(daemon.endpoint, board, looking, ink)
        async with app.run_test(size=size) as pilot:
            await script(Hand(app, pilot, daemon))

    asyncio.run(run())


def test_the_session_that_goes_on_is_shown_and_followed(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until("wave build (2 of 2)")
        assert hand.page == hand.screen
        hand.daemon.finish("api")
        await hand.until("✓ docs")
        await hand.until("failed")

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_stop_is_asked_done_and_told(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until(" api ")
        await hand.press("s")
        await hand.until("stop agent api?")
        assert hand.asked("session.stop") == []
        await hand.press("y")
        await hand.until("■ api")
        assert [params["agent"] for params in hand.asked("session.stop")] == ["api"]

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_an_agent_is_frozen_and_thawed_with_the_same_key(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.press("f")
        await hand.until("freeze agent api?")
        await hand.press("y")
        await hand.until("frozen by a person")
        await hand.press("f")
        await hand.until("thaw agent api?")
        await hand.press("y")
        await hand.until("frozen by a person", gone=True)

    plan = {**PLAN, "snapshots": {"enabled": False}}
    with daemon_with_session(tmp_path, plan, guarded=True) as daemon:
        play(daemon, script)


def test_who_may_only_look_is_told_so_and_goes_on_looking(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.press("s", "y")
        await hand.until("not done")
        assert "laptop has the role `view`" in hand.page
        assert "wavectl keys authorize" in hand.page
        await hand.press("x")
        await hand.until("not done", gone=True)
        assert "▶ api" in hand.page

    def refuse(_params: dict[str, Any]) -> dict[str, Any]:
        raise NotAllowedError(
            "laptop has the role `view`, which may not call session.stop", "wavectl keys authorize --role control"
        )

    with daemon_with_session(tmp_path) as daemon:
        daemon._session_stop = refuse  # type: ignore[method-assign]
        play(daemon, script)


def test_a_daemon_that_goes_away_is_said_and_rejoined(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until(" api ")
        await asyncio.to_thread(hand.daemon.stop)
        await hand.until("the daemon is away")
        assert "wavectl daemon start" in hand.page
        assert "▶ api" in hand.page  # what was known stays
        hand.daemon.start()
        await hand.until("the daemon is away", gone=True)
        hand.daemon.finish("api")
        await hand.until("✓ api")

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_a_view_opened_without_a_daemon_waits_for_one(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until("the daemon is away")
        hand.daemon.start()
        await hand.until("shop")

    with daemon_with_session(tmp_path) as daemon:
        daemon.stop()
        play(daemon, script)


def test_what_an_agent_prints_is_read_as_it_comes_and_searched(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until(" api ")
        run = next(run.id for run in hand.daemon.sessions["s1-shop"].active.values() if run.assignment == "api")
        hand.daemon.outputs[run] = [(1.0, 1, b"first line [bold]not markup[/bold]\n")]
        await hand.press("enter")
        await hand.until("first line [bold]not markup[/bold]")
        await hand.until("following")
        hand.daemon.outputs[run].append((2.0, 2, b"second \x1b[31mline\n"))
        await hand.until("second line")
        await hand.press("slash", "f", "i", "r", "s", "t", "enter")
        await hand.until('search "first"')
        await hand.press("escape", "escape")
        await hand.until("1 agents")

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_the_list_opens_a_session_and_comes_back(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.press("escape")
        await hand.until("1 of 1 go on")
        await hand.press("enter")
        await hand.until("wave build")
        await hand.press("4")
        await hand.until("before anything starts")
        await hand.press("2")
        await hand.until("one after another")

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_another_size_is_another_page(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until(" api ")
        assert "what happened" not in hand.page
        await hand.pilot.resize_terminal(200, 50)
        await hand.until("what happened")
        assert hand.page == hand.screen
        assert "one after another" in hand.page
        await hand.pilot.resize_terminal(60, 12)
        await hand.until("what happened", gone=True)
        assert len(hand.page.splitlines()) == 12

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script)


def test_only_lines_that_changed_are_drawn_again(tmp_path: Path) -> None:
    async def script(hand: Hand) -> None:
        await hand.until(" api ")
        await hand.pilot.pause()
        before = hand.app.canvas.drawn
        hand.app.redraw()
        await hand.pilot.pause()
        assert hand.app.canvas.drawn - before <= 12  # times go on: head, wave, agents; never the whole page

    with daemon_with_session(tmp_path) as daemon:
        play(daemon, script, size=(80, 50))
