"""`wavectl top`: the live view."""

from __future__ import annotations

import time

import click

from wavectl.commands.options import connect, session_argument


@click.command(name="top")
@session_argument
@click.pass_context
def command(ctx: click.Context, session: str) -> None:
    """Watch SESSION live, with keys to act on it (? shows them); all sessions, if none is given and several go on.

    Works at 80 columns and over ssh; NO_COLOR is honoured. For logs and CI there is `wavectl watch --plain`.
    """
    from wavectl.top import terminal
    from wavectl.top.board import Board
    from wavectl.top.looking import Looking
    from wavectl.top.pages import draw
    from wavectl.top.start import first_look

    ink = terminal.ink_of()
    width, height = terminal.size()
    board, looking = Board(ink), Looking(width, height)
    first_look(connect(ctx), board, looking, session)
    with terminal.borrowed():
        terminal.paint(draw(board, looking, ink, time.time()))
        from wavectl.top.app import run

        run(ctx.obj.socket if ctx.obj else None, board, looking, ink)
