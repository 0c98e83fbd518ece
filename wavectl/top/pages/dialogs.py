"""Dialogs in the middle of the screen, and the help."""

from __future__ import annotations

from textwrap import wrap

from wavectl.top.ink import Ink, bare, fit
from wavectl.top.looking import Dialog, Looking
from wavectl.views.text import cut, one_line, visible

HELP = (
    "Anywhere",
    "  ?  help    q  quit    Esc  back    /  filter, search    Ctrl-Z  suspend",
    "  ↑ ↓ PgUp PgDn Home End, or k j g G  move",
    "A session",
    "  1 2 3 4, Tab  agents, timeline, findings, checks",
    "  ⏎  output of the agent; opens and closes a wave",
    "  n N  next and previous agent that fails      o  order of the agents",
    "Acting; each asks first",
    "  s  stop the agent         S  stop the session",
    "  r  retry the agent        R  retry all that failed",
    "  f  freeze or thaw it      F  freeze all, or thaw all",
    "  a  approve what was found (findings: the chosen one)",
    "  b  roll back: the agent's files, a file, the wave, the session",
    "  c  let a held session go on",
    "Output",
    "  [ ]  previous, next agent    < >  previous, next attempt",
    "  End  follow                  n N  next match up, down",
)


def over(lines: list[str], dialog: Dialog, looking: Looking, ink: Ink) -> list[str]:
    """The screen with the dialog on it."""
    room = max(20, min(looking.width - 4, 92))
    inner = room - 4
    body = [row for text in dialog.lines for row in ([text] if visible(text) <= inner else wrap(text, inner)[:6])]
    for key, text, _ in dialog.choices:
        body.append(f"{ink(f' {key} ', 'reverse')} {cut(text, inner - 4)}")
    most = max(1, looking.height - 6)
    if len(body) > most:
        # Choices are kept, explanations give way.
        kept = len(dialog.choices)
        body = [*body[: max(0, most - kept - 1)], ink("…", "dim"), *(body[len(body) - kept :] if kept else [])]
    width = min(room, max(visible(line) for line in [f"{dialog.title}  ", *body, _foot(dialog, ink)]) + 4)
    title = cut(one_line(dialog.title), width - 6)
    box = [
        f"┌─ {title} {'─' * (width - visible(title) - 5)}┐",
        *(f"│ {fit(line, width - 4)} │" for line in body),
        f"│ {fit('', width - 4)} │",
        f"│ {fit(_foot(dialog, ink), width - 4)} │",
        "└" + "─" * (width - 2) + "┘",
    ]
    box[0] = ink(box[0], "bold", "red") if dialog.bad else ink(box[0], "bold")
    top = max(0, (len(lines) - len(box)) // 2)
    left = max(0, (looking.width - width) // 2)
    found = list(lines)
    for at, line in enumerate(box[: len(lines)], top):
        under = bare(found[at])
        found[at] = f"{ink(cut_at(under, left), 'dim')}{line}{ink(rest_of(under, left + width), 'dim')}"
    return found


def _foot(dialog: Dialog, ink: Ink) -> str:
    if dialog.wish is not None:
        return f"{ink(' y ', 'reverse')} yes    {ink(' n ', 'reverse')} no"
    if dialog.choices:
        return ink("Esc: none of these", "dim")
    return ink("any key closes this", "dim")


def cut_at(text: str, width: int) -> str:
    """The first columns of a line."""
    return fit(_columns(text, 0, width), width)


def rest_of(text: str, start: int) -> str:
    """What is beyond these columns."""
    return _columns(text, start, 10_000)


def _columns(text: str, start: int, end: int) -> str:
    if text.isascii():
        return text[start:end]
    found, at = "", 0
    for letter in text:
        if start <= at and at + visible(letter) <= end:
            found += letter
        at += visible(letter)
    return found


def help_dialog() -> Dialog:
    """The keys."""
    return Dialog("keys", HELP)
