"""Checklists, gates, metrics, budgets and snapshots of a session."""

from __future__ import annotations

from typing import Any

from wavectl.top.board import Board
from wavectl.top.ink import Ink
from wavectl.top.looking import Looking
from wavectl.top.pages.notes import notes_of
from wavectl.views.checklist import checklist_lines
from wavectl.views.metrics import metrics_lines
from wavectl.views.status import gate_lines, wave_title
from wavectl.views.text import columns, cut, first_line, moment, one_line
from wavectl.views.used import amount
from waved.domain.usage import dollars

_MOST_SNAPSHOTS = 12


def draw(board: Board, view: dict[str, Any], looking: Looking, ink: Ink, room: int, now: float) -> list[str]:
    """All of it, as far as it was scrolled."""
    lines = [ink(" before anything starts", "bold")]
    lines += [f"  {line}" for line in checklist_lines(view["checklist"], ink)] or [ink("  not looked at yet", "dim")]
    lines += ["", ink(" waves and their gates", "bold")]
    for wave in view["waves"]:
        lines.append("  " + wave_title(wave, ink, now))
        lines += [f"      {line}" for line in gate_lines(wave["gate"], ink)]
    budgets = _budgets(view)
    if budgets:
        lines += ["", ink(" budgets", "bold"), *columns(budgets, right=(1, 2), indent=2)]
    notes = notes_of({**view, "reason": ""}, ink)
    if notes:
        lines += ["", ink(" preview and providers", "bold"), *(f"  {note}" for note in notes)]
    if board.metrics:
        lines += ["", ink(" metrics", "bold"), *(f"  {line}" for line in metrics_lines(board.metrics, ink))]
    snapshots = view.get("snapshots", ())
    if snapshots:
        lines += ["", ink(" snapshots, newest first", "bold"), *_snapshots(snapshots, ink)]
    first = looking.first["checks"] = max(0, min(looking.first.get("checks", 0), len(lines) - room))
    shown = lines[first : first + room]
    if first + room < len(lines) and shown:
        shown[-1] = ink(f"   … {len(lines) - first - room + 1} more (↓)", "dim")
    return [cut(line, looking.width) for line in shown]


def _budgets(view: dict[str, Any]) -> list[list[str]]:
    rows = []
    for scope, budget in view.get("budgets", {}).items():
        spent = view.get("spent", {}).get(scope, {"tokens": 0, "cost": None})
        tokens = f"{amount(spent['tokens'])} of {amount(budget['tokens'])} tokens" if budget.get("tokens") else ""
        known = dollars(spent["cost"]) if spent["cost"] is not None else "unknown"
        cost = f"{known} of ${budget['cost']:.2f}" if budget.get("cost") else ""
        rows.append([one_line(scope), tokens, cost])
    return rows


def _snapshots(snapshots: list[dict[str, Any]], ink: Ink) -> list[str]:
    rows = []
    for one in snapshots[:_MOST_SNAPSHOTS]:
        said = first_line(one["error"]) or ("being taken" if one["time"] is None else f"{one['changed']} files changed")
        rows.append([one["snapshot"], moment(one["time"]), one_line(one["label"] or "found good"), said])
    lines = columns(rows, indent=2)
    if len(snapshots) > _MOST_SNAPSHOTS:
        lines.append(ink(f"  … {len(snapshots) - _MOST_SNAPSHOTS} more: wavectl snapshots list", "dim"))
    return lines
