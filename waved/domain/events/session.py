"""The session and its checklist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from waved.domain.events.base import Event


@dataclass(slots=True)
class SessionSubmitted(Event, kind="session.submitted", intent=True):
    """A plan was accepted; the checklist is to be run. `plan` holds no environment values."""

    plan: dict[str, Any]
    workspace: str
    plan_path: str = ""
    submitted_by: str = ""
    waived: list[str] = field(default_factory=list)
    guarded: bool = False
    """Whether its files are kept and watched; not so in journals from before there were guards."""
    reported: bool = False
    """Whether its report is written at its end; not so in journals from before there were reports."""
    token: str = ""
    """What the client has called this submission: it is accepted once, however often it is sent."""


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
    callers: list[list[str]] = field(default_factory=list)
    """Program, model and provider of agents whose provider is known before they run."""


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
    """Nothing more is started until a person decides (resume, retry, stop, approve)."""

    reason: str
    reaction: str = ""
    """What holds it: a ladder's `hold`; or, if it has `failed`, a reaction that could not be carried out."""
    failed: bool = False


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
