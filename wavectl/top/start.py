"""What is looked at first: the session that was named, else the one that goes on, else the list of all."""

from __future__ import annotations

import time

from wavectl.client import Client
from wavectl.top.board import Board, View
from wavectl.top.looking import Looking
from waved.errors import NoDaemonError


def first_look(client: Client, board: Board, looking: Looking, session: str) -> None:
    """Ask the daemon for the first page. One that is away is waited for, on the page; other errors are raised."""
    clock = time.time()
    view: View | None = None
    try:
        if session:
            view = client.status(session)
        else:
            board.sessions = client.list(limit=1000)
            going = [one for one in board.sessions if one["state"] != "ended"]
            if len(going) == 1:
                view = client.status(going[0]["session"])
            else:
                board.daemon = client.daemon_status()
        board.answered(clock)
        if view is not None:
            board.look(view, clock)
            looking.page, looking.session = "session", view["session"]
    except NoDaemonError as error:
        board.absent(error.message, error.hint, clock)
        if session:
            looking.page, looking.session = "session", session
    finally:
        client.close()
