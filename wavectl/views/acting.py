"""What an agent is at and what it has used, in a few words."""

from __future__ import annotations

import time
from typing import Any

from wavectl.views.text import first_line
from waved.amounts import lasting
from waved.domain.usage import dollars

_SILENT = ("", "starting")


def acting_note(run: dict[str, Any], now: float) -> str:
    """What a run's program is at: "Edit src/cart.ts · 12k tokens · $0.04"; "" where nobody can tell."""
    parts = [acting_state(run, now), *used(run["usage"]), _behind(run)]
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


def _behind(run: dict[str, Any]) -> str:
    """How far all of this is behind what the agent has printed; a daemon of an older version does not say."""
    waiting = run.get("behind", 0)
    return f"reading is {waiting / 1e6:.0f} MB behind" if waiting and run["state"] != "ended" else ""


def used(usage: dict[str, Any]) -> list[str]:
    """Tokens and money: ["12k tokens", "$0.042"]; what is not known is left out."""
    tokens = usage.get("input", 0) + usage.get("output", 0)
    parts = [f"{amount(tokens)} tokens"] if tokens else []
    cost = usage.get("cost")
    return [*parts, dollars(cost)] if cost is not None else parts


def amount(count: int) -> str:
    """A number of tokens for a person: 950, 12k, 3.4M."""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1000:.0f}k"
    return f"{count / 1_000_000:.1f}M"
