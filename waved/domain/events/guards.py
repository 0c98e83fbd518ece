"""Guards: what monitors saw, what is done about it, snapshots and restores (requirements M1–M8, R1–R5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from waved.domain.events.base import Event

# --- what was seen ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class FilesChanged(Event, kind="files.changed"):
    """Files of the workspace were written or removed since the event before: each file once, at most 1,000 of them.

    `changes`: by agent ("" where nobody can say who), [path, "added" | "modified" | "removed"].
    """

    changes: dict[str, list[list[str]]]


@dataclass(slots=True)
class FindingMade(Event, kind="finding.made"):
    """A monitor saw something (requirement M8). It is open until it is cleared.

    `finding` names it within the session: "f1", … those of the guard, "d1", … those the domain makes by itself.
    `subject` is what its ladder is climbed for: the path, else the assignment, else "" (the session). A new finding of
    the same monitor and subject takes the place of one that is still open.
    """

    finding: str
    monitor: str
    summary: str
    severity: str = "warning"
    """info, warning, critical."""
    subject: str = ""
    path: str = ""
    line: int = 0
    """From 1; 0: no line in particular."""
    assignment: str = ""
    """Whose doing it is; "" when nobody can say."""
    run: str = ""
    evidence: str = ""
    """What was seen, word for word: at most 4 KB."""


@dataclass(slots=True)
class FindingCleared(Event, kind="finding.cleared"):
    """What was seen is no longer so, or a person approved it."""

    finding: str
    reason: str
    by: str = ""


@dataclass(slots=True)
class PortLeasing(Event, kind="port.leasing", intent=True):
    """A free port is to be found for the preview, whose address says `{port}`."""


@dataclass(slots=True)
class PortLeased(Event, kind="port.leased"):
    """It is `port`; or, where `error` says why, there is none."""

    port: int = 0
    error: str = ""


@dataclass(slots=True)
class PreviewAnswered(Event, kind="preview.up"):
    """The preview answers again, or for the first time."""

    url: str
    seconds: float
    """How long the probe took."""


@dataclass(slots=True)
class PreviewFailed(Event, kind="preview.down"):
    """The preview does not answer as it should."""

    url: str
    reason: str


# --- what is done about it ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class ReactionStarted(Event, kind="reaction.started"):
    """A step of a ladder is taken: what follows bears its name. `finding` is "" for what a person asked for."""

    reaction: str
    actions: list[str]
    finding: str = ""
    monitor: str = ""
    subject: str = ""
    step: int = 0
    """Which rung, from 0."""
    runs: list[str] = field(default_factory=list)
    """Runs that are frozen while files are restored."""
    scope: str = ""
    """What is restored: file, agent, wave, session; "" for nothing."""
    paths: list[str] = field(default_factory=list)
    """With scope file: which."""
    assignments: list[str] = field(default_factory=list)
    """Who is started again or ended."""
    responder: str = ""
    """Which `[[responder]]` is started."""
    snapshot: str = ""
    """To which snapshot a person wants the files restored; "" for the last good one."""
    reason: str = ""
    by: str = ""
    cause: str = ""
    """"" for a ladder's step; "gate" (a wave's `on_failure`), "attempt" (an agent's `rollback`), "person"."""


@dataclass(slots=True)
class ReactionEnded(Event, kind="reaction.ended"):
    """All of a reaction is done, or it failed."""

    reaction: str
    ok: bool
    detail: str = ""
    needless: bool = False
    """What was found was no longer so before anything was done about it: nothing was."""


@dataclass(slots=True)
class RunFreezeRequested(Event, kind="run.freeze-requested"):
    """A person wants the run to stand still, until a person thaws it."""

    run: str
    by: str = ""


@dataclass(slots=True)
class RunThawRequested(Event, kind="run.thaw-requested"):
    """A person no longer wants it to: it goes on, unless a reaction keeps it."""

    run: str
    by: str = ""


@dataclass(slots=True)
class RunFreezing(Event, kind="run.freezing", intent=True):
    """All processes of the run are to stand still. `reaction`: for what; "" where a person asked for it."""

    run: str
    reaction: str


@dataclass(slots=True)
class RunFrozen(Event, kind="run.frozen"):
    """They do (`ok`), or could not be made to."""

    run: str
    ok: bool = True
    detail: str = ""
    processes: int = 0
    seconds: float = 0.0
    """From the worker hearing of it to all of them standing still."""


@dataclass(slots=True)
class RunThawing(Event, kind="run.thawing", intent=True):
    """The run goes on."""

    run: str
    reaction: str


@dataclass(slots=True)
class SnapshotTaking(Event, kind="snapshot.taking", intent=True):
    """The workspace's files are to be kept as they are now (requirement R1)."""

    snapshot: str
    """"s1", "s2", …"""
    label: str
    """Why: "session", "wave NAME", "before REACTION", "after ASSIGNMENT", "again" (before a retry), "by NAME"."""
    wave: str = ""
    reaction: str = ""


@dataclass(slots=True)
class SnapshotTaken(Event, kind="snapshot.taken"):
    """They are (`error` empty), under `commit` in the shadow repository; or why not.

    "g1", "g2", … are those the guard takes by itself, of what it found good; nobody has asked for them.
    """

    snapshot: str
    commit: str = ""
    files: int = 0
    changed: int = 0
    """Files that differ from the snapshot before."""
    seconds: float = 0.0
    skipped: list[str] = field(default_factory=list)
    """Files that could not be kept, and why: "path: reason"; at most 20."""
    skipped_total: int = 0
    error: str = ""


@dataclass(slots=True)
class RestoreStarting(Event, kind="restore.starting", intent=True):
    """Files are to be brought back. `present`: the snapshot that holds what is there now (invariant 4)."""

    reaction: str
    scope: str
    present: str
    to: str = ""
    """The snapshot; "" with scope file: for each path the newest one in which the monitor finds it good."""
    paths: list[str] = field(default_factory=list)
    """Only these (globs or paths); with scope agent, what the agent owns or is known to have written; empty: all."""
    assignment: str = ""
    """With scope agent: whose; what else is attributed to it goes back as well."""


@dataclass(slots=True)
class RestoreEnded(Event, kind="restore.ended"):
    """They are back, or why not. `detail` says it for a person."""

    reaction: str
    ok: bool
    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """"path: reason"."""
    total: int = 0
    """How many were restored or removed; the lists name at most 2,000 each."""
    to: str = ""
    seconds: float = 0.0
    detail: str = ""


@dataclass(slots=True)
class AlertRaised(Event, kind="alert.raised", intent=True):
    """A finding is told to whom the plan names in `[[notify]]`."""

    finding: str
    severity: str
    text: str


@dataclass(slots=True)
class AlertSent(Event, kind="alert.sent"):
    """Whether a notification went out. `target`: the command's program or the service, never a secret address."""

    finding: str
    target: str
    ok: bool
    detail: str = ""
