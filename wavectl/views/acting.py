"""What an agent is at, in a few words."""

from __future__ import annotations

import time
from typing import Any

from wavectl.views.text import first_line, one_line
from wavectl.views.used import used_by
from waved.amounts import lasting

_SILENT = ("", "starting")


def acting_note(runs: list[dict[str, Any]], now: float) -> str:
    """What the last of these runs is at, and what all of them have used: "Edit src/cart.ts · 12k tokens · $0.04"; ""
    where nobody can tell.
    """
    if not runs:
        return ""
    parts = [acting_state(runs[-1], now), *used_by(runs).parts(), _behind(runs[-1])]
    return " · ".join(part for part in parts if part)


def acting_state(run: dict[str, Any], now: float) -> str:
    """What it is at, alone: "Edit src/cart.ts", "thinking for 12.0s"; "" where nobody can tell."""
    state = run["acting"]
    if state in _SILENT or run["state"] == "ended":
        return ""
    if state == "tool":
        return first_line(run["tool"])
    if state == "rate-limited" and run["reset_at"]:
        return f"rate-limited until {time.strftime('%H:%M:%S', time.localtime(run['reset_at']))}"
    said = f"{state} for {lasting(max(0.0, now - run['acting_since']))}"
    return said + (f" ({first_line(run['detail'])})" if run["detail"] else "")


def refusing(view: dict[str, Any]) -> list[str]:
    """Providers that agents wait for: "anthropic takes no calls for 1h05m, then from 2 agents at once"."""
    found = []
    for limit in view.get("providers", ()):
        if view["state"] != "ended" and limit["until"] > view["now"]:
            wait = lasting(limit["until"] - view["now"])
            room = f", then from {_agents(limit['room'])} at once" if limit["room"] else ""
            found.append(f"{one_line(limit['provider'])} takes no calls for {wait}{room}")
    return found


def _agents(count: int) -> str:
    return f"{count} agent" if count == 1 else f"{count} agents"


def _behind(run: dict[str, Any]) -> str:
    """How far all of this is behind what the agent has printed; a daemon of an older version does not say."""
    waiting = run.get("behind", 0)
    return f"reading is {waiting / 1e6:.0f} MB behind" if waiting and run["state"] != "ended" else ""
