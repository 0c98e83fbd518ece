"""Running totals become amounts: programs report tokens by call, by turn, by session, and some of it twice."""

from __future__ import annotations

from waved.agents.activity import Used


class Meter:
    """What has been reported so far, so that nothing is counted twice."""

    def __init__(self) -> None:
        self.input = 0
        self.output = 0
        self.cached = 0
        self.cache_write = 0
        self.cost: float | None = None

    def add(self, used: Used) -> Used:
        """Count an amount."""
        self.input += used.input
        self.output += used.output
        self.cached += used.cached
        self.cache_write += used.cache_write
        if used.cost is not None:
            self.cost = (self.cost or 0.0) + used.cost
        return used

    def up_to(self, total: Used) -> Used | None:
        """What is missing to these totals; None when nothing is. What has been reported is never taken back."""
        cost = None
        if total.cost is not None and (self.cost is None or total.cost > self.cost):
            cost = total.cost - (self.cost or 0.0)
        missing = Used(
            max(0, total.input - self.input),
            max(0, total.output - self.output),
            max(0, total.cached - self.cached),
            max(0, total.cache_write - self.cache_write),
            cost,
        )
        if missing == Used():
            return None
        self.add(missing)
        if cost is not None:
            self.cost = total.cost  # not the sum of what was added: that drifts
        return missing
