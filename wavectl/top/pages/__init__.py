"""The pages of the live view. Each module draws one: what is known and what is looked at in, lines of text out."""

from __future__ import annotations

from wavectl.top.board import Board
from wavectl.top.ink import Ink, filled, fit
from wavectl.top.looking import Looking
from wavectl.top.pages import dialogs, frame, output, session, sessions


def draw(board: Board, looking: Looking, ink: Ink, clock: float) -> list[str]:
    """The whole screen: as many lines as it is high, each as wide as it is. `clock`: unix seconds, ours."""
    room = max(1, looking.height - 2)
    if looking.page == "output":
        body = output.draw(board, looking, ink, clock, room)
    elif looking.page == "session":
        body = session.draw(board, looking, ink, clock, room)
    else:
        body = sessions.draw(board, looking, ink, clock, room)
    lines = [*filled(body, room), frame.message(board, looking, ink, clock), frame.keys(looking, ink)]
    lines = [fit(line, looking.width) for line in lines[-looking.height :]]
    if looking.dialog is not None:
        lines = dialogs.over(lines, looking.dialog, looking, ink)
    return [ink.letters(line) for line in lines]
