"""The `[goals]` table: what each metric is to reach (requirement S6, docs/metrics.md)."""

from __future__ import annotations

from pydantic import Field

from waved.plan.base import Model
from waved.plan.limits import Money
from waved.plan.quantities import Duration


class Goals(Model):
    """What the metrics of a session are to reach. A goal of another session is taken over by writing it here."""

    parallel_rate: float = Field(default=0.8, ge=0, le=1)
    """More than this share of the agents free to run at once do."""
    skew: Duration | None = None
    """Agents that start together are exec'ed within this time."""
    speedup: float | None = Field(default=None, gt=0)
    """At least this many times faster than the same runs one after another."""
    documentation: float = Field(default=0.3, ge=0, le=1)
    """Less than this share of the context goes into documentation."""
    files_per_minute: float = Field(default=2.0, ge=0)
    """More than this many files are changed in a minute of work."""
    corruption: int = Field(default=0, ge=0)
    """At most this many findings of corruption."""
    rollbacks: int = Field(default=2, ge=0)
    """Fewer than this many rollbacks."""
    verification: float = Field(default=1.0, ge=0, le=1)
    """At least this share of the changed files is verified after its last change."""
    test_pass_rate: float = Field(default=0.95, ge=0, le=1)
    """More than this share of the tests passes."""
    file_size: float = Field(default=1.0, ge=0, le=1)
    """At least this share of the changed files keeps the limit of the file-size monitors."""
    preview_uptime: float = Field(default=1.0, ge=0, le=1)
    """The preview answers at least this share of the time."""
    tokens: int | None = Field(default=None, ge=1)
    """At most this many tokens."""
    cost: Money | None = None
    """At most this many US dollars."""
