"""What the pool is asked for, and what it reports to the reactor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
"""All a worker needs to arm a run; made by `waved.reactor.specs`."""
WORKER_DIED = "its worker died"


@dataclass(frozen=True, slots=True)
class Started:
    """A run's program was exec'ed at `at` (waved's clock)."""

    run: str
    pid: int
    worker: int
    at: float
    argv: list[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run is over; `record` is its exit record."""

    run: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """A run's worker is dead and left no exit record. `certain_unstarted`: it had not been released."""

    run: str
    reason: str
    certain_unstarted: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """What a run's program is at; `told` are the fields of `run.acted`."""

    run: str
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """All processes of a run stand still (`ok`), or could not be made to."""

    run: str
    ok: bool
    processes: int
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The worker of an earlier daemon's run has been reached. `frozen`: its tree stands still."""

    run: str
    frozen: bool


@dataclass(frozen=True, slots=True)
class Stalled:
    """A run has been silent for `silent` seconds, where `limit` are allowed to its `state`."""

    run: str
    state: str
    silent: float
    limit: float


@dataclass(frozen=True, slots=True)
class Progressed:
    """A run that had stalled gives a sign of life."""

    run: str


Message = Started | Ended | Lost | Acted | Frozen | Found | Stalled | Progressed


@dataclass(slots=True)
class Start:
    """A run to be started: its spec, and the limits that are known only now."""

    run: str
    spec: Spec
    timeout: float | None
    timeout_of: str
