"""What each key does: to what is looked at, or as a wish that the application carries out. No terminal, no socket."""

from __future__ import annotations

from wavectl.top import actions, reading
from wavectl.top.board import Board
from wavectl.top.looking import TABS, Dialog, Looking, Wish, moved
from wavectl.top.pages import agents, sessions
from wavectl.top.pages.dialogs import help_dialog
from wavectl.top.pages.findings import findings_of
from wavectl.top.rows import ORDERS, Row, assigned, next_failing, rows_of


def press(key: str, board: Board, looking: Looking, clock: float) -> Wish | None:
    """One key: a letter, or a name (`up`, `enter`, `escape`, `pageup`, …)."""
    if looking.dialog is not None:
        return _in_dialog(key, looking)
    if looking.typing is not None:
        _typed(key, looking, clock)
        return None
    if key == "q":
        return Wish("quit")
    if key == "?":
        looking.dialog = help_dialog()
        return None
    if key == "/":
        looking.typing = ""
        return None
    if looking.page == "sessions":
        return _on_sessions(key, board, looking)
    if looking.page == "output":
        return reading.press(key, board, looking, clock)
    return _on_session(key, board, looking, clock)


def _in_dialog(key: str, looking: Looking) -> Wish | None:
    dialog, looking.dialog = looking.dialog, None
    if dialog is None:
        return None
    if dialog.wish is not None:
        if key == "y":
            return dialog.wish
        if key not in ("n", "escape", "q"):
            looking.dialog = dialog  # neither yes nor no: it is still asked
        return None
    for letter, _, following in dialog.choices:
        if key == letter:
            if isinstance(following, Dialog):
                looking.dialog = following
                return None
            return following
    if dialog.choices and key not in ("escape", "n", "q"):
        looking.dialog = dialog
    return None


def _typed(key: str, looking: Looking, clock: float) -> None:
    text = looking.typing or ""
    if key == "escape":
        looking.typing = None
        text = ""
    elif key == "enter":
        looking.typing = None
    elif key == "backspace":
        text = looking.typing = text[:-1]
    elif key == "ctrl+u":
        text = looking.typing = ""
    elif len(key) == 1 and key.isprintable():
        text = looking.typing = text + key
    else:
        return
    if looking.page == "output":
        if key in ("enter", "escape"):
            reading.search(text, looking, clock)
    else:
        looking.wanted = text


# --- the pages ----------------------------------------------------------------------------------------------------


def _on_sessions(key: str, board: Board, looking: Looking) -> Wish | None:
    shown = sessions.shown(board, looking)
    names = [one["session"] for one in shown]
    if key == "escape":
        looking.wanted = ""
        return None
    if not names:
        return None
    looking.listed = _moved(key, names, looking.listed or names[0], looking.height - 5)
    chosen = next(one for one in shown if one["session"] == looking.listed)
    if key in ("enter", "right", "l"):
        return Wish("open", session=looking.listed)
    if key in ("s", "S"):
        looking.dialog = actions.stop_session(chosen)
    return None


def _moved(key: str, names: list[str], chosen: str, page: int) -> str:
    at = names.index(chosen) if chosen in names else 0
    step = moved(key, page)
    return names[max(0, min(len(names) - 1, at + step))]


def _on_session(key: str, board: Board, looking: Looking, clock: float) -> Wish | None:
    view = board.view
    if key == "escape" and looking.wanted:
        looking.wanted = ""
        return None
    if key in ("escape", "left", "h"):
        return Wish("leave")
    if view is None:
        return None
    if key.isdigit() and 1 <= int(key) <= len(TABS):
        looking.tab = TABS[int(key) - 1]
        return Wish("look")
    if key in ("tab", "shift+tab"):
        looking.tab = TABS[(TABS.index(looking.tab) + (1 if key == "tab" else -1)) % len(TABS)]
        return Wish("look")
    now = board.now(clock)
    rows = rows_of(view, now)
    if key in ("S", "c", "R", "F", "A"):
        looking.dialog = {
            "S": lambda: actions.stop_session(view),
            "c": lambda: actions.resume(view),
            "R": lambda: actions.retry(view, assigned(rows)),
            "F": lambda: actions.freeze(view, assigned(rows)),
            "A": lambda: actions.approve_all(view),
        }[key]()
        return None
    if looking.tab == "agents":
        return _on_agents(key, board, looking, rows, clock)
    if looking.tab == "findings":
        return _on_findings(key, board, looking)
    _scroll(key, looking)
    return None


def _scroll(key: str, looking: Looking) -> None:
    page = max(1, looking.height - 8)
    step = moved(key, page)
    looking.first[looking.tab] = max(0, looking.first.get(looking.tab, 0) + step)


def _on_agents(key: str, board: Board, looking: Looking, rows: list[Row], clock: float) -> Wish | None:
    view, now = board.view, board.now(clock)
    if view is None:
        return None
    lines = agents.lines_of(view, looking, now)
    names = agents.names_of(lines)
    if not names:
        return None
    if looking.agent not in names:
        looking.agent = agents.first_choice(view, looking, now) or names[0]
    if key in ("n", "N"):
        looking.agent = _failing(board, looking, rows, 1 if key == "n" else -1, clock)
        return None
    if key in ("o", "O"):
        step = 1 if key == "o" else -1
        looking.order = ORDERS[(ORDERS.index(looking.order) + step) % len(ORDERS)]
        return None
    looking.agent = _moved(key, names, looking.agent, max(1, looking.height - 8))
    if looking.agent.startswith("/"):
        wave = next(wave for wave in view["waves"] if f"/{wave['name']}" == looking.agent)
        if key in ("enter", "right", "l", " ", "space"):
            looking.opened[wave["name"]] = agents.is_closed(view, wave, looking)
        elif key in ("s", "r", "f", "a", "b"):
            inside = [row for row in assigned(rows) if row.wave == wave["name"]]
            looking.dialog = actions.of_wave(key, view, inside)
        return None
    row = next((row for row in rows if row.key == looking.agent), None)
    if row is None:
        return None
    if key in ("enter", "right", "l"):
        return Wish("read", agent=row.key, run=row.run)
    looking.dialog = actions.of_agent(key, view, row)
    return None


def _failing(board: Board, looking: Looking, everyone: list[Row], step: int, clock: float) -> str:
    """The next that fails; in the plan's order closed waves are looked into as well, and opened."""
    view, now = board.view, board.now(clock)
    shown = [line.row for line in agents.lines_of(view, looking, now) if line.row is not None] if view else []
    rows = everyone if looking.order == "plan" and not looking.wanted else shown
    here = looking.agent
    if here.startswith("/"):
        # A wave's title stands before its first agent.
        inside = [row.key for row in rows if f"/{row.wave}" == here]
        before = [row.key for row in rows].index(inside[0]) - (1 if step > 0 else 0) if inside else -1
        here = rows[before].key if 0 <= before < len(rows) else ""
    found = next_failing(rows, here, step)
    row = next((row for row in rows if row.key == found), None)
    if row is None or not row.failing:
        looking.say("no agent fails", clock)
        return looking.agent
    looking.opened[row.wave] = True
    return found


def _on_findings(key: str, board: Board, looking: Looking) -> Wish | None:
    view = board.view
    found = findings_of(view) if view is not None else []
    if view is None or not found:
        return None
    names = [one["finding"] for one in found]
    looking.finding = _moved(key, names, looking.finding, max(1, looking.height // 3))
    chosen = found[names.index(looking.finding)]
    if key == "a":
        looking.dialog = actions.approve_one(view, chosen)
    elif key == "b":
        looking.dialog = actions.rollback(view, chosen["assignment"], chosen)
    elif key in ("enter", "right", "l") and chosen["assignment"]:
        row = next((row for row in rows_of(view, view["now"]) if row.key == chosen["assignment"]), None)
        return Wish("read", agent=chosen["assignment"], run=row.run if row is not None else "")
    return None
