"""`wavectl top` as a program: textual on one side, the daemon on the other, and what is looked at in between."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.drivers.linux_driver import LinuxDriver

from wavectl.top import actions, terminal
from wavectl.top.board import Board
from wavectl.top.canvas import Canvas
from wavectl.top.controls import press
from wavectl.top.feed import PACE, Feed
from wavectl.top.ink import Ink
from wavectl.top.looking import Action, Looking, Wish
from wavectl.top.pages import draw
from wavectl.top.reading import due
from wavectl.top.transcript import Transcript
from wavectl.transport import GIT_WAIT
from waved.errors import WavedError

TICK = 1.0
"""Seconds after which times are shown anew although nothing happened."""


class Driver(LinuxDriver):
    """Textual's, but it does not clear the first page, which stands there already."""

    taken_over = False

    def write(self, data: str) -> None:
        """As textual's."""
        if data == terminal.ENTER and Driver.taken_over:
            Driver.taken_over = False
            return
        if self._writer_thread is not None and self._writer_thread.is_alive():  # it ends with the terminal
            super().write(data)


class Top(App[None]):
    """Draws pages, hands keys to the controls, carries wishes out."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { background: transparent; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(
        self, endpoint: str | None, board: Board, looking: Looking, ink: Ink, driver: type[LinuxDriver] | None = None
    ) -> None:
        super().__init__(ansi_color=True, driver_class=driver)
        self.board = board
        self.looking = looking
        self.ink = ink
        self.feed = Feed(endpoint, board, self.changed)
        self.canvas = Canvas(draw(board, looking, ink, time.time()))
        self._drawn_at = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._doing: set[asyncio.Task[None]] = set()

    def compose(self) -> ComposeResult:
        """One widget."""
        yield self.canvas

    def on_mount(self) -> None:
        """Begin to follow, and end cleanly when asked to by a signal."""
        self.canvas.focus()
        loop = asyncio.get_running_loop()

        def asked_to_end(_number: int, _frame: object) -> None:
            # Not asyncio's own way: the loop may be waiting for a terminal that is gone.
            terminal.leave_if_gone()
            loop.call_soon_threadsafe(self.exit)

        if not self.is_headless:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, asked_to_end)
        self.feed.follow(self.looking.session if self.looking.page != "sessions" else "")
        self.set_interval(TICK, self._tick)

    async def on_unmount(self) -> None:
        """Let go of the daemon."""
        for task in self._doing:
            task.cancel()
        await self.feed.close()

    # --- drawing --------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Something is known that was not: draw soon, at most once in `PACE` seconds for this."""
        if self._later is None:
            wait = max(0.0, self._drawn_at + PACE - time.monotonic())
            self._later = asyncio.get_running_loop().call_later(wait, self.redraw)

    def redraw(self) -> None:
        """Draw what is known now."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if not self.is_running:
            return
        if self.feed.gone:
            self._gone()
        follows = due(self.board, self.looking, time.time())
        if follows is not None:
            self._carry_out(follows)
        self._drawn_at = time.monotonic()
        self.canvas.show(draw(self.board, self.looking, self.ink, time.time()))

    def _tick(self) -> None:
        if not self.is_headless:
            terminal.leave_if_gone()
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        """The terminal has another size."""
        self.looking.width, self.looking.height = event.size.width, event.size.height
        self.redraw()

    # --- keys and the mouse ---------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Hand it to the controls."""
        event.stop()
        event.prevent_default()
        letter = event.character if event.is_printable and event.character else event.key
        self._press(letter)

    def on_mouse_scroll_up(self) -> None:
        """The wheel."""
        self._press("scroll_up")

    def on_mouse_scroll_down(self) -> None:
        """The wheel."""
        self._press("scroll_down")

    def action_leave(self) -> None:
        """Ctrl-C."""
        self.exit()

    def _press(self, key: str) -> None:
        wish = press(key, self.board, self.looking, time.time())
        if wish is not None:
            self._carry_out(wish)
        self.redraw()

    # --- wishes ---------------------------------------------------------------------------------------------------

    def _carry_out(self, wish: Wish) -> None:
        looking = self.looking
        match wish.kind:
            case "quit":
                self.exit()
            case "open":
                self._open(wish.session)
            case "leave":
                self._leave()
            case "read":
                looking.page = "output"
                looking.transcript = Transcript(wish.agent, wish.run, earlier=wish.earlier)
                self.feed.read(looking.transcript, looking.session)
            case "close":
                looking.page = "session"
                self.feed.read(None)
            case "look":
                self.feed.wants_metrics = looking.tab == "checks"
            case "do" | "dry":
                if wish.action is not None:
                    self._begin(wish.action, dry=wish.kind == "dry")

    def _open(self, session: str) -> None:
        looking = self.looking
        self.board.leave()
        looking.page, looking.session, looking.listed, looking.wanted = "session", session, session, ""
        looking.agent = looking.finding = ""
        looking.tab = "agents"
        looking.first.clear()
        looking.opened.clear()
        self.feed.wants_metrics = False
        self.feed.follow(session)

    def _leave(self) -> None:
        looking = self.looking
        looking.page, looking.wanted = "sessions", ""
        looking.listed = self.board.view["session"] if self.board.view is not None else looking.listed
        self.board.leave()
        self.feed.read(None)
        self.feed.follow("")

    def _gone(self) -> None:
        """The session that was looked at is not there (any more)."""
        why, self.feed.gone = self.feed.gone, ""
        if self.looking.page != "sessions":
            self._leave()
        self.looking.dialog = actions.nothing("not there", why)

    def _begin(self, action: Action, *, dry: bool) -> None:
        self.looking.say("asking the daemon …", time.time(), GIT_WAIT)
        task = asyncio.create_task(self._do(action, dry=dry))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _do(self, action: Action, *, dry: bool) -> None:
        looking = self.looking
        params = {**action.params, "dry": True} if dry else action.params
        try:
            reply = await self.feed.request(
                action.method, params, GIT_WAIT if action.method == "session.rollback" else 0.0
            )
            for others in action.more:
                await self.feed.request(action.method, others)
        except WavedError as error:
            looking.message_until = 0.0
            looking.dialog = actions.refused(error.message, error.hint)
        else:
            looking.message_until = 0.0
            if dry:
                looking.dialog = actions.rollback_question(action, reply)
            else:
                looking.say(actions.told(action, reply), time.time())
                self.feed.hurry = True
        self.redraw()


def run(endpoint: str | None, board: Board, looking: Looking, ink: Ink) -> None:
    """Until the person leaves."""
    Driver.taken_over = True
    app = Top(endpoint, board, looking, ink, driver=Driver)
    app.run(mouse=True)
    if app.return_code:
        raise SystemExit(app.return_code)
