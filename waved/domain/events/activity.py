"""What agents are seen to do, as their programs print it (requirements O8, S2, S3, C4, M4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from waved.domain.events.base import Event


@dataclass(slots=True)
class RunActed(Event, kind="run.acted"):
    """What the run's program is at, and its totals so far (`waved.domain.usage`): the last one told counts."""

    run: str
    state: str = ""
    """starting, thinking, tool, retrying, rate-limited, waiting, finished."""
    since: float = 0.0
    """When it came into that state."""
    tool: str = ""
    """The tool it uses, and what for."""
    detail: str = ""
    reset_at: float | None = None
    """When the provider that refuses calls will take them again."""
    program_session: str = ""
    """What the program calls its own session: what a later attempt resumes."""
    provider: str = ""
    model: str = ""
    version: str = ""
    """The program's."""
    usage: dict[str, Any] = field(default_factory=dict)
    wrote: list[str] = field(default_factory=list)
    """Files its tools wrote since the report before."""
    forbidden: list[str] = field(default_factory=list)
    """Tools it used since then that the plan forbids."""
    behind: int = 0
    """Bytes it has printed that are not read yet, from a megabyte on: the rest of this report is that much older."""


@dataclass(slots=True)
class RunStalled(Event, kind="run.stalled"):
    """Nothing was seen of the run for the time its state allows: neither output nor CPU time nor I/O of its tree."""

    run: str
    state: str
    since: float
    """Of the last sign of life."""
    limit: float
    """Seconds that were allowed."""


@dataclass(slots=True)
class ProviderLimited(Event, kind="provider.limited"):
    """A provider refuses calls: its agents are not started before `until`, and at most `room` of them at once then."""

    provider: str
    until: float
    room: int
    run: str = ""
    reason: str = ""
