"""The report of a session as plain values: what `report.json` holds, and what Markdown and HTML are made from.

Times are unix seconds on waved's clock, lengths of time are seconds, sizes are bytes. What was not measured is None,
never 0. Texts of agents are bounded when the report is built; `left_out` says what was left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

VERSION = 1
"""Of this form; raised when something in it changes its meaning."""


@dataclass(slots=True)
class Text:
    """A text that may have been cut."""

    text: str = ""
    cut: int = 0
    """Characters that were left out."""


@dataclass(slots=True)
class RunReport:
    """One attempt."""

    run: str
    attempt: int
    started: float | None
    ended: float | None
    outcome: str
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    cause: str = ""
    good: bool = False
    """It did what it should, as far as the run alone can tell."""
    undone: bool = False
    """It was ended, or what it had changed was put back, by a reaction."""
    cpu_seconds: float | None = None
    memory: int | None = None
    """The most it had, of all its processes together where that was measured."""
    output_bytes: int = 0
    tokens: int | None = None
    cost: float | None = None
    tail: Text = field(default_factory=Text)
    """The last lines it printed."""
    stood: list[list[float | None]] = field(default_factory=list)
    """From when to when it stood still, frozen; to None: it still does."""
    name: str = ""
    """Of a responder: what it is called,"""
    reaction: str = ""
    """what has started it,"""
    wave: str = ""
    """and in which wave."""


@dataclass(slots=True)
class CheckReport:
    """One check of a gate."""

    name: str
    ok: bool | None
    detail: str = ""
    tests: dict[str, int] | None = None
    run: str = ""


@dataclass(slots=True)
class GateReport:
    """What had to hold. `verdict`: passed, failed, unverified; "" before it has spoken."""

    verdict: str
    reason: str
    checks: list[CheckReport]


@dataclass(slots=True)
class AgentReport:
    """One assignment: what its agent was asked, did, changed, cost and said."""

    key: str
    agent: str
    wave: str
    program: str
    model: str
    domain: str
    tasks: list[str]
    requires: list[str]
    critical: bool
    state: str
    outcome: str
    reason: str
    verified: bool
    started: float | None
    ended: float | None
    seconds: float | None
    """Of all its attempts together."""
    asked: Text
    said: Text
    runs: list[RunReport]
    states: dict[str, float]
    """Seconds its program was seen in each state (thinking, tool, …); of a program nobody can read: empty."""
    tools: dict[str, int]
    """Calls by tool."""
    wrote: list[str]
    """Files its program says it wrote."""
    changed: list[str]
    """Files it was seen to change."""
    changed_total: int
    added: int | None
    removed: int | None
    """Lines of these files, from before the session to its end, whoever else changed them."""
    tokens: int | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    context: int
    window: int
    cost: float | None
    cost_unknown: int
    """Runs that have used tokens and did not tell their cost."""
    cpu_seconds: float | None
    memory: int | None
    gate: GateReport | None
    findings: list[str]


@dataclass(slots=True)
class WaveReport:
    """One wave."""

    name: str
    outcome: str
    state: str
    reason: str
    started: float | None
    ended: float | None
    judged_from: float | None
    """When its last agent had ended: what follows is its gate."""
    attempt: int
    skew: float | None
    parallel: bool
    gate: GateReport | None
    agents: list[str]
    """Keys of its assignments."""


@dataclass(slots=True)
class FindingReport:
    """What a monitor saw."""

    finding: str
    monitor: str
    severity: str
    summary: str
    subject: str
    path: str
    line: int
    agent: str
    run: str
    evidence: Text
    made: float
    cleared: float | None = None
    reason: str = ""
    by: str = ""
    reactions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ReactionReport:
    """What was done about it, or because a person or the plan wanted it."""

    reaction: str
    actions: list[str]
    finding: str
    monitor: str
    agents: list[str]
    scope: str
    started: float
    reason: str = ""
    by: str = ""
    cause: str = ""
    responder: str = ""
    ended: float | None = None
    ok: bool | None = None
    needless: bool = False
    detail: str = ""
    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    total: int = 0
    present: str = ""
    """The snapshot that holds what was there before."""
    to: str = ""
    restored_at: float | None = None


@dataclass(slots=True)
class Moment:
    """Something that happened at one instant, for the timeline."""

    time: float
    kind: str
    """finding, rollback, hold, resume, retry, stop, limit, preview-down, preview-up."""
    text: str
    agent: str = ""
    """Whose row it belongs to: an assignment; "" for the session as a whole."""
    severity: str = ""
    link: str = ""
    """The finding or reaction that it is of."""


@dataclass(slots=True)
class SnapshotReport:
    """A snapshot of the session."""

    snapshot: str
    label: str
    time: float | None
    commit: str
    files: int
    changed: int
    skipped: int
    error: str


@dataclass(slots=True)
class FileReport:
    """A file that differs from what it was before the session."""

    path: str
    kind: str
    added: int | None
    removed: int | None
    agents: list[str]
    verified: bool | None = None
    """A gate has passed since it was changed last; None: nobody watched."""


@dataclass(slots=True)
class ChangesReport:
    """What the session changed: from its first snapshot to its end."""

    known: bool
    """False: no snapshots were kept, or they are gone."""
    why: str = ""
    since: str = ""
    until: str = ""
    files: list[FileReport] = field(default_factory=list)
    total: int = 0
    added: int = 0
    removed: int = 0
    diff: str = ""
    diff_cut: bool = False


@dataclass(slots=True)
class ItemReport:
    """One item of a checklist. `state`: ticked, unticked, open, not-applicable."""

    item: str
    title: str
    state: str
    evidence: str = ""
    waived: bool = False


@dataclass(slots=True)
class ChecklistReport:
    """A checklist, ticked by what was observed (docs/checklists.md)."""

    checklist: str
    wave: str
    title: str
    items: list[ItemReport]


@dataclass(slots=True)
class Report:
    """All of it."""

    version: int
    session: str
    name: str
    state: str
    outcome: str
    reason: str
    workspace: str
    folder: str
    plan_path: str
    submitted_by: str
    submitted: float
    started: float | None
    ended: float | None
    made: float
    seconds: float
    live: bool
    """It goes on: this is how it stands."""
    waved: str
    """The version of waved that made the report."""
    events: int
    last_seq: int
    totals: dict[str, Any]
    parallel: dict[str, float | None]
    waves: list[WaveReport]
    agents: list[AgentReport]
    responders: list[RunReport]
    metrics: list[dict[str, Any]]
    checklists: list[ChecklistReport]
    findings: list[FindingReport]
    reactions: list[ReactionReport]
    moments: list[Moment]
    preview: dict[str, Any] | None
    snapshots: list[SnapshotReport]
    changes: ChangesReport
    left_out: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and for templates."""
        return asdict(self)
