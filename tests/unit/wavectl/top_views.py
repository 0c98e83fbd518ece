"""Sessions for tests of the live view, made by the real core: nothing is written by hand that a daemon would say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.unit.wavectl.fake_daemon import FakeDaemon
from wavectl import Client
from wavectl.top.board import Board
from wavectl.top.ink import Ink
from wavectl.top.looking import Looking
from wavectl.top.pages import draw

PLAN = {
    "session": {"name": "shop"},
    "wave": [
        {"name": "research", "agent": [{"name": "reader", "command": "true"}]},
        {
            "name": "build", "timeout": "10m",
            "agent": [
                {"name": "api", "command": "true"},
                {"name": "ui", "command": "false"},
                {"name": "docs", "command": "true", "needs": ["api"]},
            ],
        },
    ],
}  # fmt: skip


@contextmanager
def daemon_with_session(
    folder: Path, plan: dict[str, Any] | None = None, *, guarded: bool = False, **options: Any
) -> Iterator[FakeDaemon]:
    """A fake daemon on which a session stands in its second wave: `api` runs, `ui` has failed."""
    options = {"exits": {"ui": 3}, "hold": {"api"}, **options}
    with FakeDaemon(folder, **options) as daemon, Client(daemon.endpoint) as client:
        daemon.guarded = guarded
        params = {"plan": plan or PLAN, "source": "", "plan_path": "", "workspace": "/w/shop",
                  "environment": {}, "waive": [], "submitted_by": "t"}  # fmt: skip
        client.request("session.submit", params)
        yield daemon


def view_of(daemon: FakeDaemon) -> dict[str, Any]:
    with Client(daemon.endpoint) as client:
        return client.status("")


def known(view: dict[str, Any] | None, *, colour: bool = False) -> Board:
    """A board on which a view is known."""
    board = Board(Ink(colour))
    board.answered(1.0)
    if view is not None:
        board.look(view, view["now"])
    return board


def drawn(board: Board, looking: Looking, clock: float | None = None) -> str:
    """The page as a person sees it, without colours."""
    from wavectl.top.ink import bare

    ink = board.ink
    assert isinstance(ink, Ink)
    now = clock if clock is not None else (board.view["now"] if board.view else 1.0)
    lines = draw(board, looking, ink, now)
    assert len(lines) == looking.height
    return "\n".join(bare(line).rstrip() for line in lines)
