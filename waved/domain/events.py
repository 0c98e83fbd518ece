"""Everything that can happen, one class a kind. State is these, folded; nothing else is remembered.

An event is either a *fact* (something that was observed) or an *intent* (something waved is about to do, journalled
before it is done; the reactor's effects act on it). Field names are the wire and journal format: add fields with
defaults, never rename, and never change a default: what has it is not written down. Times are unix seconds on waved's
own clock, which never jumps while the machine is up.
"""

from __future__ import annotations

from collections.abc import KeysView
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

KINDS: dict[str, type[Event]] = {}
"""Event class by kind."""


@dataclass(slots=True)
class Event:
    """Base of all events. `seq` and `time` are given when the event is recorded (0 before)."""

    kind: ClassVar[str] = ""
    intent: ClassVar[bool] = False
    session: str

    seq: int = field(default=0, kw_only=True, compare=False)
    time: float = field(default=0.0, kw_only=True)

    def __init_subclass__(cls, kind: str = "", intent: bool = False) -> None:
        # dataclass(slots=True) makes the class a second time: the second registration wins, as it must.
        if kind:
            cls.kind = kind
            cls.intent = intent
        KINDS[cls.kind] = cls

    def data(self) -> dict[str, Any]:
        """The event's own fields, without `session`, `seq` and `time`, as plain msgpack-able values."""
        return {name: getattr(self, name) for name in _own_fields(type(self))}

    def stored(self) -> dict[str, Any]:
        """`data` without the fields that have their default: less to write, and half the time to read."""
        return {name: value for name, default in _defaults(type(self)) if (value := getattr(self, name)) != default}


_OWN_FIELDS: dict[type[Event], KeysView[str]] = {}


def _own_fields(cls: type[Event]) -> KeysView[str]:
    """Names in the order they are declared; a view of keys, so that sets of names compare with it."""
    names = _OWN_FIELDS.get(cls)
    if names is None:
        names = {item.name: None for item in fields(cls) if item.name not in ("session", "seq", "time")}.keys()
        _OWN_FIELDS[cls] = names
    return names


_DEFAULTS: dict[type[Event], list[tuple[str, object]]] = {}


def _defaults(cls: type[Event]) -> list[tuple[str, object]]:
    """The own fields and what each is when nothing is said; of a required field something that equals no value."""
    found = _DEFAULTS.get(cls)
    if found is None:
        own = _own_fields(cls)
        found = [(item.name, _default(item)) for item in fields(cls) if item.name in own]
        _DEFAULTS[cls] = found
    return found


def _default(item: Field[Any]) -> object:
    if item.default_factory is not MISSING:
        made: object = item.default_factory()
        return made
    return item.default  # MISSING where there is none


def from_data(kind: str, session: str, seq: int, time: float, data: dict[str, Any]) -> Event:
    """The event of a journal row or wire message. Unknown fields (of a newer version) are dropped.

    Raises KeyError for an unknown kind and TypeError when a field without a default is missing.
    """
    cls = KINDS[kind]
    try:
        return cls(session=session, seq=seq, time=time, **data)
    except TypeError:
        known = _own_fields(cls)
        if data.keys() <= known:
            raise
    return cls(session=session, seq=seq, time=time, **{name: value for name, value in data.items() if name in known})


# --- the session --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SessionSubmitted(Event, kind="session.submitted", intent=True):
    """A plan was accepted; the checklist is to be run. `plan` holds no environment values."""

    plan: dict[str, Any]
    workspace: str
    plan_path: str = ""
    submitted_by: str = ""
    waived: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ChecklistItemChecked(Event, kind="checklist.checked"):
    """One item of the pre-deployment checklist (C1) was looked at."""

    item: str
    ok: bool
    detail: str = ""
    hint: str = ""
    waived: bool = False


@dataclass(slots=True)
class ChecklistEnded(Event, kind="checklist.ended"):
    """All items were looked at; `ok` when none failed that was not waived."""

    ok: bool


@dataclass(slots=True)
class SessionStarted(Event, kind="session.started"):
    """The checklist passed: waves may start."""


@dataclass(slots=True)
class SessionStopRequested(Event, kind="session.stop-requested"):
    """A person (or a limit) wants the session to end: all runs are stopped, nothing more is started."""

    reason: str
    by: str = ""


@dataclass(slots=True)
class SessionHeld(Event, kind="session.held"):
    """Nothing more is started until a person decides (resume, retry, stop)."""

    reason: str


@dataclass(slots=True)
class SessionResumed(Event, kind="session.resumed"):
    """A person let a held session go on; what was lost counts as failed."""

    by: str = ""


@dataclass(slots=True)
class SessionRetried(Event, kind="session.retried"):
    """A person wants these assignments run again; an ended session is opened again at their wave."""

    assignments: list[str]
    by: str = ""


@dataclass(slots=True)
class SessionEnded(Event, kind="session.ended"):
    """The end. `outcome`: succeeded, failed, stopped, timed-out, refused."""

    outcome: str
    reason: str = ""


# --- waves and gates ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class WaveStarted(Event, kind="wave.started"):
    """A wave begins; its ready agents start at once."""

    wave: str


@dataclass(slots=True)
class WaveRetried(Event, kind="wave.retried"):
    """The wave's gate failed and its policy is retry: these assignments run again, each told why."""

    wave: str
    assignments: dict[str, str]
    """Why, by assignment."""
    gate_attempt: int


@dataclass(slots=True)
class WaveEnded(Event, kind="wave.ended"):
    """`outcome`: passed, unverified (nothing was there to check), failed, stopped, timed-out."""

    wave: str
    outcome: str
    reason: str = ""


@dataclass(slots=True)
class GateStarted(Event, kind="gate.started", intent=True):
    """The checks of a wave (`assignment` empty) or of one assignment begin."""

    gate: str
    wave: str
    assignment: str = ""
    checks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CheckStarted(Event, kind="check.started", intent=True):
    """Check number `index` of a gate is looked at by waved itself (outputs); commands are runs."""

    gate: str
    index: int


@dataclass(slots=True)
class CheckEnded(Event, kind="check.ended"):
    """One check's verdict; `tests` = {total, passed, failed, skipped} where JUnit XML was read."""

    gate: str
    index: int
    ok: bool
    name: str = ""
    detail: str = ""
    tests: dict[str, int] | None = None


@dataclass(slots=True)
class GateEnded(Event, kind="gate.ended"):
    """`verdict`: passed, failed, unverified."""

    gate: str
    wave: str
    verdict: str
    assignment: str = ""
    reason: str = ""


# --- assignments and runs -----------------------------------------------------------------------------------------


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


@dataclass(slots=True)
class RunStarting(Event, kind="run.starting", intent=True):
    """A run is about to be started: journalled before the process is released (invariants 1, 2).

    `purpose` is "agent" or "check"; for a check, `gate` and `index` say which.
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
    """Bytes."""


# --- the daemon ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DaemonStarted(Event, kind="daemon.started"):
    """A daemon took over the journal (session is empty)."""

    version: str
    pid: int
    adopted: int = 0


@dataclass(slots=True)
class DaemonStopped(Event, kind="daemon.stopped"):
    """The daemon ended on request (session is empty). `sessions`: stop, detach, upgrade (another version follows)."""

    reason: str
    sessions: str = ""


@dataclass(slots=True)
class JournalSalvaged(Event, kind="journal.salvaged"):
    """A damaged journal was put aside; `read` events of it go on in this one. Numbers before this one are missing."""

    read: int
