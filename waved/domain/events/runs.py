"""Assignments and runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from waved.domain.events.base import Event


@dataclass(slots=True)
class AssignmentEnded(Event, kind="assignment.ended"):
    """An assignment is decided for this wave. `outcome`: succeeded, failed, skipped, stopped, timed-out, lost."""

    assignment: str
    agent: str
    outcome: str
    reason: str = ""
    verified: bool = False


@dataclass(slots=True)
class RetryScheduled(Event, kind="retry.scheduled"):
    """A failed attempt is repeated at `at`."""

    assignment: str
    agent: str
    attempt: int
    at: float
    reason: str = ""
    reaction: str = ""
    """What has it start again: then the attempt before counts against no `retries`."""


@dataclass(slots=True)
class RunStarting(Event, kind="run.starting", intent=True):
    """A run is about to be started: journalled before the process is released (invariants 1, 2).

    `purpose` is "agent", "check" (`gate` and `index` say which), "preview", "monitor" (a command; `agent` is the
    monitor's name) or "responder" (`agent` names it, `reaction` has started it).
    """

    run: str
    wave: str
    purpose: str = "agent"
    agent: str = ""
    assignment: str = ""
    attempt: int = 1
    tasks: list[str] = field(default_factory=list)
    gate: str = ""
    index: int = 0
    timeout: float | None = None
    """Seconds the worker gives it."""
    timeout_of: str = "agent"
    """Whose limit that is: agent, wave, session, check."""
    failure: str = ""
    """What failed in the attempt before, for the prompt."""
    reaction: str = ""
    """Of a responder: what started it."""
    resume: str = ""
    """The program's own session, of an attempt before, that this one goes on with."""


@dataclass(slots=True)
class RunStarted(Event, kind="run.started"):
    """The program was exec'ed. `exec_time`: when, on waved's clock, measured by the worker."""

    run: str
    pid: int
    exec_time: float
    worker: int = 0
    command: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RunStopping(Event, kind="run.stopping", intent=True):
    """The run's process tree is to be ended."""

    run: str
    reason: str
    reaction: str = ""
    """What ends it; a frozen run is killed as it stands, so that it never writes again."""


@dataclass(slots=True)
class RunProgressed(Event, kind="run.progressed"):
    """A run that had stalled moves again."""

    run: str


@dataclass(slots=True)
class RunEnded(Event, kind="run.ended"):
    """The run is over and none of its processes is alive.

    `outcome`: exited, signalled, timed-out, stopped, not-started (the program could not be exec'ed), withdrawn (the
    daemon ended before the start: certainly nothing was exec'ed), lost (nobody can say). Exit code, signal
    and who ended it are separate fields; unknown is None, never 0.
    """

    run: str
    outcome: str
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    end_time: float = 0.0
    output_bytes: int = 0
    dropped_bytes: int = 0
    """Output that could not be kept (disk full)."""
    rotated_bytes: int = 0
    """Output that was kept and removed again: there was more than the plan's `output_limit`."""
    tail: str = ""
    """The last lines of output of a run that did not succeed."""
    leftovers: list[str] = field(default_factory=list)
    """Processes that outlived the main one and were ended: "pid name"."""
    cpu_seconds: float | None = None
    max_rss: int | None = None
    """Bytes: the most that any one process of it had."""
    judged: bool | None = None
    """Whether the program's own last word says it succeeded; None: it says nothing, and the exit status counts."""
    cause: str = ""
    """Why it did not, as far as it matters to what follows: see `waved.agents.reader.Cause`; or "oom": it was ended
    (outcome signalled) because it needed more memory than its plan allows."""
    reset_at: float | None = None
    """With cause rate-limited: when the provider will take calls again."""
    last_words: str = ""
    """What the agent said last; at most 2,000 characters."""
    acted: dict[str, Any] = field(default_factory=dict)
    """The fields of a last `run.acted`."""
    memory_peak: int | None = None
    """Bytes: the most that all its processes together had; None: nobody measured that."""
