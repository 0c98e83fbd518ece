"""The list of sessions."""

from __future__ import annotations

from typing import Any

from wavectl.top.board import Board
from wavectl.top.ink import Ink, apart, bare, fit
from wavectl.top.looking import Looking, window
from wavectl.views.text import cut, moment, one_line
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting


def shown(board: Board, looking: Looking) -> list[dict[str, Any]]:
    """The sessions that fit what is wanted: those that go on first, each part newest first."""
    words = looking.wanted.lower().split() if looking.page == "sessions" else []
    fitting = [
        one for one in board.sessions
        if all(word in f"{one['session']} {one['name']} {word_of(one)} {one['workspace']}".lower() for word in words)
    ]  # fmt: skip
    return sorted(fitting, key=lambda one: one["state"] == "ended")


def draw(board: Board, looking: Looking, ink: Ink, clock: float, room: int) -> list[str]:
    """A line for each session."""
    width = looking.width
    sessions = shown(board, looking)
    going = sum(1 for one in board.sessions if one["state"] != "ended")
    state = board.daemon
    left = f" {ink('waved', 'bold')} {one_line(str(state.get('version', '')))}  {going} of {len(board.sessions)} go on"
    if state.get("runs"):
        left += f"  {state['runs']} runs"
    right = f"filter: {one_line(looking.wanted)} " if looking.wanted else ""
    lines = [apart(left, ink(right, "yellow"), width)]
    for problem in state.get("problems", ())[:3]:
        lines.append(cut(f" {ink('!', 'yellow')} {one_line(problem)}", width))
    if not sessions:
        return [*lines, "", f"   {ink(_nothing(board, looking), 'dim')}"]
    names = max(8, min(28, max(len(one["name"]) for one in sessions), width // 4))
    lines.append(ink(fit(_heads(names, width), width), "dim"))
    rest = room - len(lines)
    chosen = next((at for at, one in enumerate(sessions) if one["session"] == looking.listed), 0)
    first = looking.first["sessions"] = window(len(sessions), chosen, rest, looking.first.get("sessions", 0))
    for at, one in enumerate(sessions[first : first + rest], first):
        line = _line(one, ink, names, width, clock)
        lines.append(ink.marked(f"> {bare(line)[2:]}", width) if at == chosen else line)
    return lines


def _nothing(board: Board, looking: Looking) -> str:
    if looking.wanted:
        return "no session has these words; Esc shows all"
    if not board.link.up:
        return "no daemon answers yet"
    return "no sessions; `wavectl run PLAN` starts one"


def _heads(names: int, width: int) -> str:
    line = f"    {fit('NAME', names)} {fit('STATE', 10)} {fit('WAVE', 14)} {fit('AGENTS', 22)} {'TIME':>7}"
    return line + (f"  {fit('SUBMITTED', 16)} {fit('SESSION', 26)} WORKSPACE" if width >= 120 else "")


def _line(one: dict[str, Any], ink: Ink, names: int, width: int, clock: float) -> str:
    word, agents, waves = word_of(one), one["agents"], one["waves"]
    counts = f"{agents['succeeded']}/{agents['total']}"
    counts += f" {agents['running']} running" if agents["running"] else ""
    counts += ink(f" {agents['failed']} failed", "red") if agents["failed"] else ""
    counts += ink(f" {one['open_findings']}!", "yellow") if one["open_findings"] and one["state"] != "ended" else ""
    end = one["ended"] if one["ended"] is not None else clock
    wave = f"{min(waves['done'] + 1, waves['total'])}/{waves['total']} {one['wave']}" if one["state"] != "ended" else ""
    line = (
        f"  {glyph(word, ink)} {fit(ink(one_line(one['name']), 'bold'), names)} {fit(coloured(word, ink), 10)} "
        f"{fit(one_line(wave), 14)} {fit(counts, 22)} {lasting(max(0.0, end - one['submitted'])):>7}"
    )
    if width >= 120:
        line += f"  {fit(moment(one['submitted'], clock), 16)} {fit(one['session'], 26)} {one_line(one['workspace'])}"
    return line
