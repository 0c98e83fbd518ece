"""What monitors found, what was done about it, and the chosen finding with its evidence."""

from __future__ import annotations

from typing import Any

from wavectl.top.board import Board
from wavectl.top.ink import Ink, bare, wrapped
from wavectl.top.looking import Looking, window
from wavectl.views.guards import finding_text, reaction_text
from wavectl.views.text import cut, first_line, moment, one_line, printable

_COLOURS = {"critical": "red", "warning": "yellow", "info": "dim"}
_MOST_EVIDENCE = 40


def findings_of(view: dict[str, Any]) -> list[dict[str, Any]]:
    """Open ones first."""
    return sorted(view.get("findings", ()), key=lambda found: found["cleared"] is not None)


def draw(board: Board, view: dict[str, Any], looking: Looking, ink: Ink, room: int) -> list[str]:
    """The list above, the chosen one below it."""
    found = findings_of(view)
    width = looking.width
    if not found:
        quiet = ["", f"   {ink('nothing was found', 'dim')}", "", *_reactions(view, ink, "", width)]
        return [*quiet, *newest(board, ink, width, room - len(quiet))]
    names = [one["finding"] for one in found]
    if looking.finding not in names:
        looking.finding = names[0]
    chosen = names.index(looking.finding)
    upper = max(3, min(len(found), room // 2))
    first = looking.first["findings"] = window(len(found), chosen, upper, looking.first.get("findings", 0))
    lines = []
    for at, one in enumerate(found[first : first + upper], first):
        line = _line(one, ink, width)
        lines.append(ink.marked(f">{bare(line)[1:]}", width) if at == chosen else line)
    lines.append(ink("─" * width, "dim"))
    return [*lines, *details(view, found[chosen], ink, width)]


def _line(one: dict[str, Any], ink: Ink, width: int) -> str:
    if one["cleared"] is None:
        sign = ink("!", _COLOURS.get(one["severity"], "yellow"))
        return cut(f"  {sign} {one['finding']:<4} {moment(one['made'])[-8:]} {finding_text(one)}", width)
    why = f"  cleared: {first_line(one['reason'])}" if one["reason"] else "  cleared"
    return cut(ink(f"  ✓ {one['finding']:<4} {moment(one['made'])[-8:]} {finding_text(one)}{why}", "dim"), width)


def details(view: dict[str, Any], one: dict[str, Any], ink: Ink, width: int) -> list[str]:
    """Evidence, and what was done."""
    place = one_line(one["path"]) + (f":{one['line']}" if one["line"] else "")
    head = f" {ink(one['finding'], 'bold')} {one_line(one['monitor'])}, {one['severity']}"
    head += f", in {place}" if place else ""
    head += f", by {one_line(one['assignment'])}" if one["assignment"] else ""
    lines = [head, *(f" {row}" for row in wrapped(one_line(one["summary"]), width - 2))]
    evidence = printable(one["evidence"]).expandtabs(4).splitlines()
    lines += [ink(f" │ {row}", "dim") for text in evidence[:_MOST_EVIDENCE] for row in wrapped(text, width - 4)]
    return [cut(line, width) for line in [*lines, *_reactions(view, ink, one["finding"], width)]]


def _reactions(view: dict[str, Any], ink: Ink, finding: str, width: int) -> list[str]:
    lines = []
    for one in view.get("reactions", ()):
        if finding and one["finding"] != finding:
            continue
        if one["ended"] is None:
            sign, said = ink("◆", "cyan"), one["state"]
        else:
            sign, said = (ink("✓", "green"), "done") if one["ok"] else (ink("✗", "red"), "failed")
        said += f": {first_line(one['detail'])}" if one["detail"] else ""
        lines.append(cut(f" {sign} {reaction_text(one)}: {said}", width))
    return lines


def beside(board: Board, view: dict[str, Any], ink: Ink, width: int, room: int) -> list[str]:
    """For the right column: open findings, reactions under way, then what happened last."""
    still = [one for one in view.get("findings", ()) if one["cleared"] is None]
    lines = [ink(f" findings ({len(still)} open)", "bold")] if still else []
    for one in still[: max(2, room // 3)]:
        sign = ink("!", _COLOURS.get(one["severity"], "yellow"))
        lines.append(cut(f"  {sign} {one['finding']:<4} {finding_text(one)}", width))
    if len(still) > max(2, room // 3):
        lines.append(ink(f"   … {len(still) - max(2, room // 3)} more (3)", "dim"))
    under_way = [one for one in view.get("reactions", ()) if one["ended"] is None]
    lines += _reactions({"reactions": under_way[:3]}, ink, "", width)
    lines.append(ink(" what happened", "bold"))
    return [*lines, *newest(board, ink, width, room - len(lines))]


def newest(board: Board, ink: Ink, width: int, room: int) -> list[str]:
    """The last lines of news."""
    if room <= 0:
        return []
    if not board.news:
        return [ink("  nothing since you look", "dim")]
    return [cut(f" {line}", width) for line in list(board.news)[-room:]]
