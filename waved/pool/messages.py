"""What the pool is asked for, and what it reports to the reactor."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

Spec = dict[str, Any]
"""All a worker needs to arm a run; made by `waved.reactor.specs`."""
WORKER_DIED = "its worker died"
SETTLE_EACH, SETTLE_MOST = 0.001, 0.25
"""Seconds, for each run that starts with others, in which a worker whose program runs leaves the processors to those
that are still to start theirs.
"""


def session_of(run: str) -> str:
    """The session a run belongs to: "demo-x1/api/index#2" → "demo-x1"."""
    return run.partition("/")[0]


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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker has to know of a run beside its spec: it depends on the moment of the start."""

    timeout: float | None
    """Seconds the run may take."""
    timeout_of: str
    """Whose limit that is: agent, wave, …."""
    settle: float = 0.0
    """Seconds after its start in which others are started, too."""

    def among(self, count: int) -> Limits:
        """The limits of a run that starts as one of `count`."""
        return replace(self, settle=min(SETTLE_EACH * count, SETTLE_MOST))

    def same_as(self, told: Limits | None) -> bool:
        """Whether a worker that has been told others holds to these."""
        return told is not None and (told.timeout, told.timeout_of) == (self.timeout, self.timeout_of)

    def message(self) -> dict[str, Any]:
        """As it is sent."""
        return asdict(self)


@dataclass(slots=True)
class Start:
    """A run to be started: its spec, and the limits that are known only now."""

    run: str
    spec: Spec
    limits: Limits
