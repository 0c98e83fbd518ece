"""What must be known of a session beside its agents: why it is held, its preview, providers that refuse, budgets."""

from __future__ import annotations

from typing import Any

from wavectl.top.ink import Ink
from wavectl.views.acting import refusing
from wavectl.views.text import first_line, one_line


def notes_of(view: dict[str, Any], ink: Ink) -> list[str]:
    """Why it is held or has failed; the preview; providers that refuse; budgets of waves and agents nearly used up."""
    found = []
    if view["reason"]:
        found.append(f"{ink('!', 'yellow')} {first_line(view['reason'])}")
    preview = view.get("preview")
    if preview and view["state"] == "ended":
        if preview.get("uptime") is not None:
            found.append(f"{ink('·', 'dim')} preview was up {preview['uptime']:.0%} of the time")
    elif preview:
        up = preview["state"] == "up"
        why = f": {first_line(preview['reason'])}" if preview["reason"] and not up else ""
        uptime = f", {preview['uptime']:.0%} of the time" if preview.get("uptime") is not None else ""
        sign = ink("✓", "green") if up else ink("!", "yellow")
        found.append(f"{sign} preview {preview['state']} {one_line(preview['url'])}{uptime}{why}")
    found += [f"{ink('!', 'yellow')} {text}" for text in refusing(view)]
    for scope, budget in view.get("budgets", {}).items():
        spent = view.get("spent", {}).get(scope)
        if spent and (share := _share(spent, budget)) >= budget.get("soft", 0.8):
            found.append(f"{ink('!', 'yellow')} {one_line(scope)} has used {share:.0%} of its budget")
    return found


def _share(spent: dict[str, Any], budget: dict[str, Any]) -> float:
    tokens = spent["tokens"] / budget["tokens"] if budget.get("tokens") else 0.0
    cost = spent["cost"] / budget["cost"] if budget.get("cost") and spent["cost"] is not None else 0.0
    return float(max(tokens, cost))
