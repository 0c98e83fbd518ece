"""The pre-deployment checklist (C1) as it is ticked."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint, one_line, pad


def item_line(item: dict[str, Any], paint: Paint) -> str:
    """One item: its tick, name and what was seen; what to do about it when it failed."""
    sign, colour = ("✓", "green") if item["ok"] else ("!", "yellow") if item["waived"] else ("✗", "red")
    tick = paint(sign, colour)
    line = f"{tick} {pad(item['item'], 14)}  {one_line(item['detail'])}"
    if not item["ok"] and item["waived"]:
        line += paint("  (waived)", "yellow")
    elif not item["ok"] and item["hint"]:
        line += f"  → {one_line(item['hint'])}"
    return line


def checklist_lines(items: list[dict[str, Any]], paint: Paint) -> list[str]:
    """All items."""
    return [item_line(item, paint) for item in items]
