"""What a run has used and done so far: totals, so that a report that is lost or comes twice changes nothing.

The worker adds them up (`waved.agents.progress`); they travel in `run.acted` and in the exit record as plain values.
Imported in the zygote: standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

ActingState = Literal["", "starting", "thinking", "tool", "retrying", "rate-limited", "waiting", "finished"]
"""What the program of a run is at; "" where nobody can tell, as of a plain command."""


@dataclass(slots=True)
class Usage:
    """Totals of one run. What the program does not tell is 0, or None where 0 would be a claim."""

    input: int = 0
    """Tokens sent to the model, those from a cache included."""
    output: int = 0
    """Tokens the model wrote."""
    cached: int = 0
    """Of `input`: read from the provider's cache."""
    cache_write: int = 0
    """Of `input`: written to it."""
    cost: float | None = None
    """US dollars; None: not known."""
    context: int = 0
    """The most tokens that were in the model's context at once; 0: not known."""
    window: int = 0
    """How many it can hold; 0: not known."""
    documentation: float = 0.0
    """Tokens of the context that are documentation the agent looked up (requirement S2, docs/metrics.md)."""
    tools: dict[str, int] = field(default_factory=dict)
    """Calls by tool."""
    files_read: int = 0
    """Different files its tools read."""
    files_written: int = 0
    """Different files its tools wrote."""
    retries: int = 0
    """Calls to the model that the program repeated by itself."""
    denied: int = 0
    """Tool calls that were not permitted."""

    @property
    def tokens(self) -> int:
        """Tokens that count against a budget: sent and written."""
        return self.input + self.output

    def as_dict(self) -> dict[str, Any]:
        """Plain values; what has its default is left out."""
        made: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            default = item.default_factory() if item.default_factory is not MISSING else item.default
            if value != default:
                made[item.name] = dict(value) if isinstance(value, dict) else value
        return made


_NAMES = frozenset(item.name for item in fields(Usage))


def usage_from(values: Mapping[str, Any]) -> Usage:
    """The totals of `Usage.as_dict`; what a newer version counts besides is left out."""
    return Usage(**{name: value for name, value in values.items() if name in _NAMES})


def add(totals: list[Usage]) -> Usage:
    """The sum over several runs. The cost is known only as far as the runs tell it (`None` where none does)."""
    whole = Usage()
    for each in totals:
        for name in ("input", "output", "cached", "cache_write", "documentation", "retries", "denied"):
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
        if each.cost is not None:
            whole.cost = (whole.cost or 0.0) + each.cost
        whole.context += each.context
        for tool, calls in each.tools.items():
            whole.tools[tool] = whole.tools.get(tool, 0) + calls
        whole.files_read += each.files_read
        whole.files_written += each.files_written
    return whole


def dollars(cost: float) -> str:
    """Money: "$12.40", and of less than a dime two digits that tell something: "$0.0046"."""
    return f"${cost:.2f}" if cost >= 0.095 or cost <= 0 else f"${max(cost, 0.0001):.2g}"
