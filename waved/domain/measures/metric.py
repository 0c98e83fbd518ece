"""What a metric is: a value that was measured or not, a goal, and whether it was reached."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["met", "missed", "not measured", ""]
"""`""` where there is no goal."""
Unit = Literal["share", "seconds", "factor", "per minute", "count", "tokens", "dollars"]
Comparison = Literal[">", ">=", "<", "<="]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value is to be."""

    comparison: Comparison
    target: float

    def is_met(self, value: float) -> bool:
        """Whether a value reaches it."""
        match self.comparison:
            case ">":
                return value > self.target
            case ">=":
                return value >= self.target
            case "<":
                return value < self.target
            case "<=":
                return value <= self.target


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one session."""

    name: str
    title: str
    value: float | None
    """None: there was nothing to measure, which is neither 0 nor 100 %."""
    unit: Unit
    goal: Goal | None = None
    detail: str = ""
    """What the value is made of, in words."""
    by_agent: dict[str, float] = field(default_factory=dict)
    """The same of each agent for itself, where that was measured; the goal is for all together."""

    @property
    def verdict(self) -> Verdict:
        """Met, missed, not measured; "" where there is no goal."""
        if self.value is None:
            return "not measured"
        if self.goal is None:
            return ""
        return "met" if self.goal.is_met(self.value) else "missed"

    def as_dict(self) -> dict[str, Any]:
        """For the wire and for files."""
        return {**asdict(self), "verdict": self.verdict}
