"""Tokens and money of several runs together: of all attempts of an agent, of all agents of a session.

Added up as the report and the metrics do (docs/metrics.md, "`tokens` and `cost`"). What nobody has told is no 0: a sum
from which something is missing says "at least", and one of which nothing is known says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from waved.domain.usage import dollars


@dataclass(frozen=True, slots=True)
class Used:
    """A sum."""

    tokens: int = 0
    cost: float | None = None
    """US dollars, as far as they were told; None: of no run."""
    partly: bool = False
    """It is at least that: a run that has used tokens has not told its cost."""
    earlier: bool = False
    """There were more runs than the view has: tokens, too, are at least these."""

    @property
    def money(self) -> str:
        """ "$0.04", "at least $0.04", "unknown"; "" where nothing was used that would cost anything."""
        if self.cost is None:
            return "unknown" if self.tokens else ""
        return f"at least {dollars(self.cost)}" if self.partly or self.earlier else dollars(self.cost)

    @property
    def money_short(self) -> str:
        """The same for a column: "$0.04", "≥$0.04", "?"."""
        return self.money.replace("at least ", "≥").replace("unknown", "?")

    def parts(self) -> list[str]:
        """["12k tokens", "$0.042"]; nothing where nothing is known."""
        least = "at least " if self.earlier else ""
        parts = [f"{least}{amount(self.tokens)} tokens"] if self.tokens else []
        money = self.money
        return [*parts, "cost unknown" if money == "unknown" else money] if money else parts


def used_by(runs: Iterable[dict[str, Any]]) -> Used:
    """What these runs of one agent have used, oldest first."""
    found = list(runs)
    return _sum([run["usage"] for run in found], earlier=bool(found) and found[0]["attempt"] > 1)


def used_in(view: dict[str, Any]) -> Used:
    """What all of a session has used: its agents, and what was started for findings."""
    each = [used_by(one["runs"]) for one in everyone(view)]
    costs = [one.cost for one in each if one.cost is not None]
    return Used(
        sum(one.tokens for one in each), sum(costs) if costs else None,
        any(one.partly or (one.tokens and one.cost is None) for one in each), any(one.earlier for one in each),
    )  # fmt: skip


def everyone(view: dict[str, Any]) -> list[dict[str, Any]]:
    """All assignments and responders. (An older daemon does not tell of responders.)"""
    return [*(one for wave in view["waves"] for one in wave["assignments"]), *view.get("responders", ())]


def _sum(usages: list[dict[str, Any]], *, earlier: bool) -> Used:
    tokens = [usage.get("input", 0) + usage.get("output", 0) for usage in usages]
    costs = [usage["cost"] for usage in usages if usage.get("cost") is not None]
    untold = any(count and usage.get("cost") is None for count, usage in zip(tokens, usages, strict=True))
    return Used(sum(tokens), sum(costs) if costs else None, untold and bool(costs), earlier)


def amount(count: int) -> str:
    """A number of tokens for a person: 950, 12k, 3.4M."""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count / 1000:.0f}k"
    return f"{count / 1_000_000:.1f}M"
