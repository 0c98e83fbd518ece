"""The state of a session's guards: findings, ladders, reactions, snapshots, the preview. See `waved.domain.state`."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

OPEN_SHOWN = 200
"""So many open findings are shown in a view; all count."""
KEPT_FINDINGS = 100
"""Cleared findings that are remembered; all are in the journal."""
KEPT_REACTIONS = 50
"""Reactions that ended and are remembered."""
KEPT_SNAPSHOTS = 1000
"""Snapshots that are remembered beside those that something may go back to."""
KEPT_PATHS = 1000
"""Paths an assignment is known to have written; of more, only the number is known."""

PERSON = "person"
"""Who wants a run frozen, where it is no reaction."""
FreezeState = Literal["wanted", "freezing", "frozen", "failed"]
RestoreState = Literal["", "running", "done", "failed"]


@dataclass(slots=True)
class Finding:
    """What a monitor saw."""

    id: str
    monitor: str
    summary: str
    severity: str
    subject: str
    path: str
    line: int
    assignment: str
    """Whose doing it is, if that is an assignment of the session; else ""."""
    run: str
    evidence: str
    made: float
    wave: int
    cleared: float | None = None
    reason: str = ""
    """Why it was cleared."""
    by: str = ""
    reactions: list[str] = field(default_factory=list)
    """What was done about it."""


@dataclass(slots=True)
class Ladder:
    """How far the ladder of one monitor was climbed for one subject. It is never descended in a session."""

    step: int = 0
    """The rung taken last, from 0; as many as there are rungs: the ladder is used up."""
    used: int = 0
    """How often that rung was taken."""
    restored: bool = False
    """Whether a rung has restored files."""
    alerted: float = float("-inf")
    """When somebody was last told of it."""


@dataclass(slots=True)
class Reaction:
    """One step of a ladder, or what a person or the plan asked for, under way or ended."""

    id: str
    actions: list[str]
    finding: str
    monitor: str
    subject: str
    step: int
    runs: list[str]
    scope: str
    paths: list[str]
    assignments: list[str]
    responder: str
    snapshot: str
    reason: str
    by: str
    cause: str
    started: float
    concerns: list[str] = field(default_factory=list)
    """Assignments whose verdict waits for it: those of `runs`, `assignments`, and the finding's."""
    since: float = 0.0
    """When the present phase began: its time limit counts from here."""
    present: str = ""
    """The snapshot of what there was before anything is restored."""
    present_taken: bool = False
    restore: RestoreState = ""
    to: str = ""
    restored: list[str] = field(default_factory=list)
    """What was restored and removed, for people: at most 20."""
    total: int = 0
    """How many files that were."""
    responses: int = 0
    """Runs of the responder so far."""
    response: str = ""
    """The run of the responder under way, or the last."""
    withdrawn: int = 0
    """Runs of it that never began: they count for nothing."""
    respond_at: float = 0.0
    """Not before this it is started again."""
    ending: bool = False
    """It has begun to end runs or gates."""
    problem: str = ""
    """Why it could not be carried out; told, and the session held."""
    held: bool = False
    """It has held the session."""
    resumed: bool = False
    """A person said that it goes on."""
    ended: float | None = None
    ok: bool = False
    detail: str = ""

    @property
    def restarts(self) -> bool:
        """Whether its `assignments` start again by themselves. (Those of a wave put back do so with the wave.)"""
        return bool({"restart-agent", "stop-all"} & set(self.actions)) and self.scope not in ("wave", "session")

    @property
    def restoring(self) -> bool:
        """Whether it is yet to bring files back: until then, nothing is started in the session."""
        return bool(self.scope) and self.restore != "done"

    @property
    def whole_wave(self) -> bool:
        """Whether nothing of the wave may start before it has ended."""
        return "stop-all" in self.actions or self.scope in ("wave", "session")


@dataclass(slots=True)
class Again:
    """An assignment starts again because of a reaction."""

    reaction: str
    why: str
    """What its next attempt is told."""


@dataclass(slots=True)
class Frozen:
    """A run that is to stand still, or does."""

    run: str
    state: FreezeState
    since: float
    holders: dict[str, None]
    """The reactions that want it so, and `PERSON`."""
    last: str = ""
    """The reaction that let go of it last."""


@dataclass(slots=True)
class Snapshot:
    """The workspace's files at one instant, kept in the shadow repository."""

    name: str
    label: str
    decided: float
    wave: str = ""
    reaction: str = ""
    time: float | None = None
    """When it was taken; None: not yet."""
    commit: str = ""
    files: int = 0
    changed: int = 0
    seconds: float = 0.0
    skipped: int = 0
    error: str = ""


@dataclass(slots=True)
class PreviewState:
    """The server that shows the work."""

    up: bool = False
    url: str = ""
    reason: str = ""
    """Why it is down."""
    port: int = 0
    port_asked: bool = False
    problem: str = ""
    """Why it cannot be started at all."""
    run: str = ""
    """Its run under way; "" when none is."""
    starts: int = 0
    recent: list[float] = field(default_factory=list)
    """When it was last started because it had ended by itself: at most `waved.domain.preview.RESTARTS`."""
    next_start: float = 0.0
    answer_due: float | None = None
    """Until when the present start must have been answered; None: it was, or nothing is awaited."""
    renew: bool = False
    """Files were restored under it: it is to start again."""
    complained: bool = False
    """That it keeps ending was told."""
    watched_from: float | None = None
    """Since when its uptime counts; None: not yet, or no longer."""
    changed: float = 0.0
    """When it last came up or went down, or was begun to be watched."""
    seconds_up: float = 0.0
    """While watched, up to `changed`."""
    seconds: float = 0.0
    """How long it was watched, up to `changed`."""
    at_end: bool | None = None
    """Whether it answered when the session's work was over; None: it is not, or nobody has looked."""


@dataclass(slots=True)
class Patrol:
    """A command that is a monitor, and when it runs next."""

    run: str = ""
    """Under way; "" when it is not."""
    runs: int = 0
    next: float | None = None
    """When it runs again; None: when somebody works."""
    failed: str = ""
    """Its last run, of which a finding is to be made."""


@dataclass(slots=True)
class Writing:
    """What an assignment is seen to have changed (requirement S3)."""

    paths: dict[str, None] = field(default_factory=dict)
    files: int = 0
    """Different files, as far as `paths` can tell them apart."""
    changes: int = 0
    last: float = 0.0


@dataclass(slots=True)
class Guards:
    """All of it. A session of a journal from before there were guards has none."""

    findings: dict[str, Finding] = field(default_factory=dict)
    """Open, in the order they were made."""
    open_by_subject: dict[str, str] = field(default_factory=dict)
    """The open finding of a monitor and subject."""
    cleared: dict[str, Finding] = field(default_factory=OrderedDict)
    made: int = 0
    """Findings so far: the guard's next is named "f" and a number above this."""
    own: int = 0
    """Findings the domain has made by itself."""
    stale: dict[str, str] = field(default_factory=OrderedDict)
    """Open findings that are to be cleared, and why."""
    stalled: dict[str, str] = field(default_factory=OrderedDict)
    """Runs that have stalled, of which no finding was made yet: what is to be said."""
    overran: dict[str, str] = field(default_factory=OrderedDict)
    """As well: runs that their time limit has ended."""
    complaints: dict[str, str] = field(default_factory=OrderedDict)
    """By monitor: what the domain is to make a finding of, of the session as a whole."""
    due: dict[str, None] = field(default_factory=OrderedDict)
    """Findings for which a step is to be taken."""
    ladders: dict[str, Ladder] = field(default_factory=dict)
    blamed: dict[str, str] = field(default_factory=dict)
    """Assignments that had ended when what they did had to be undone, and why: the wave's gate names them."""
    reactions: dict[str, Reaction] = field(default_factory=OrderedDict)
    """Under way, in the order they began."""
    past: dict[str, Reaction] = field(default_factory=OrderedDict)
    reacted: int = 0
    """Reactions so far."""
    reacting: dict[str, str] = field(default_factory=dict)
    """The reaction under way for a monitor and subject."""
    concerned: dict[str, dict[str, None]] = field(default_factory=dict)
    """By assignment: the reactions its verdict waits for."""
    again: dict[str, Again] = field(default_factory=dict)
    """By assignment: that it starts again when its verdict is due."""
    undone: dict[str, str] = field(default_factory=dict)
    """By assignment: the run whose changes were rolled back because it had failed (requirement G4)."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Assignments whose ladder is used up, and what of: they have failed."""
    frozen: dict[str, Frozen] = field(default_factory=OrderedDict)
    lock: str = ""
    """The reaction that restores files now: one at a time."""
    holds: dict[str, None] = field(default_factory=dict)
    """Reactions that hold the session."""
    held_otherwise: bool = False
    """It is held for another reason as well."""
    snapshots: dict[str, Snapshot] = field(default_factory=OrderedDict)
    taking: dict[str, Snapshot] = field(default_factory=OrderedDict)
    """Those under way."""
    named: int = 0
    """Snapshots decided so far."""
    good: int = 0
    """Snapshots the guard has taken by itself."""
    newest: str = ""
    first: str = ""
    based: int = 0
    """The wave that may start: a snapshot was taken before it, or could not be."""
    base_due: str = ""
    """Why a snapshot is needed before anything starts: its label; "" when none is."""
    base_taking: str = ""
    """That snapshot, while it is taken."""
    after: str = ""
    """The assignment after whose success one is to be taken."""
    preview: PreviewState | None = None
    patrols: dict[str, Patrol] = field(default_factory=dict)
    """By monitor: the commands of `kind = "command"`."""
    closing: bool = False
    """The session is about to end: what runs in the background is not started again."""
    background: dict[str, None] = field(default_factory=dict)
    """Runs under way of the preview and of commands: nobody waits for them."""
    watched: list[bool] = field(default_factory=list)
    """By wave: whether content is watched while it runs."""
    timed: list[int] = field(default_factory=list)
    """Places in the plan of the monitors that the clock concerns (file-changes, command): no others are asked."""
    warnings: list[tuple[float, str]] = field(default_factory=list)
    """Heap of (when, run): who nears its time limit then."""
    quiet_since: float | None = None
    """Since when no file changed while agents ran; None: none runs."""
    writings: dict[str, Writing] = field(default_factory=dict)
    """By assignment; "" for what nobody can say of."""

    def finding(self, name: str) -> Finding | None:
        """A finding that is open or still remembered."""
        return self.findings.get(name) or self.cleared.get(name)


def key_of(monitor: str, subject: str) -> str:
    """One name for a monitor and a subject."""
    return f"{monitor}\0{subject}"
