"""What each key does while an agent's output is read, and what follows without one. A part of `controls`."""

from __future__ import annotations

from wavectl.top import actions
from wavectl.top.board import Board
from wavectl.top.looking import Looking, Wish, moved
from wavectl.top.pages import agents
from wavectl.top.rows import Row, rows_of


def press(key: str, board: Board, looking: Looking, clock: float) -> Wish | None:
    """One key on that page."""
    transcript, room = looking.transcript, _room(looking)
    if key in ("escape", "left", "h"):
        if transcript.searched:
            transcript.search("", room)
            return None
        return Wish("close")
    if key in ("n", "N") and transcript.searched:
        transcript.search(transcript.searched, room, back=key == "n")
        return None
    step = moved("pagedown" if key == " " else key, room - 1)
    if step:
        transcript.move(step, room)
        return None
    view = board.view
    if view is None:
        return None
    now = board.now(clock)
    rows = rows_of(view, now)
    if key in ("[", "]"):
        lines = [line.row for line in agents.lines_of(view, looking, now) if line.row is not None] or rows
        names = [row.key for row in lines]
        at = names.index(transcript.agent) if transcript.agent in names else 0
        row = lines[(at + (1 if key == "]" else -1)) % len(lines)]
        looking.agent = row.key
        return Wish("read", agent=row.key, run=row.run)
    chosen = next((row for row in rows if row.key == transcript.agent), None)
    if chosen is not None and key in ("<", ">"):
        return _other_attempt(chosen, 1 if key == ">" else -1, looking, clock)
    if chosen is not None:
        looking.dialog = actions.of_agent(key, view, chosen)
    return None


def _other_attempt(row: Row, step: int, looking: Looking, clock: float) -> Wish | None:
    """The output of the attempt before, or after."""
    shown = looking.transcript.run
    at = row.attempts.index(shown) + step if shown in row.attempts else len(row.attempts) - 1
    if not 0 <= at < len(row.attempts):
        only = len(row.attempts) == 1
        said = (
            "it has only one attempt"
            if only
            else "this is the first attempt"
            if step < 0
            else "this is the last attempt"
        )
        looking.say(said, clock)
        return None
    return Wish("read", agent=row.key, run=row.attempts[at], earlier=at < len(row.attempts) - 1)


def due(board: Board, looking: Looking, clock: float) -> Wish | None:
    """What follows without a key: whoever follows an agent's output to its end sees that of its next attempt, too."""
    transcript, view = looking.transcript, board.view
    followed = not transcript.run or (transcript.ended and transcript.first is None and not transcript.earlier)
    if looking.page != "output" or view is None or not followed:
        return None
    row = next((row for row in rows_of(view, board.now(clock)) if row.key == transcript.agent), None)
    if row is None or row.run == transcript.run:
        return None
    if transcript.run:
        looking.say(f"attempt {row.attempt} has begun; < shows the one before", clock)
    return Wish("read", agent=row.key, run=row.run)


def search(text: str, looking: Looking, clock: float) -> None:
    """Bring what was typed into sight."""
    if not looking.transcript.search(text, _room(looking)):
        looking.say(f'"{text}" is not in the output', clock)


def _room(looking: Looking) -> int:
    return max(1, looking.height - 4)
