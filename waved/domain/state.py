"""The state of one session: what the events so far add up to. Changed only by `waved.domain.fold`.

Besides the plain facts, a session carries small ordered sets (`ready`, `idle`, `judged`, …) of what a decision is due
on, so that `decide` costs the same with ten agents and with ten thousand.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from waved.domain.state_guards import Guards, Patrol, PreviewState
from waved.domain.usage import ActingState, Usage
from waved.plan import graph
from waved.plan.models import Agent, Check, Output, Plan, Task, Wave

NodeState = Literal["waiting", "ready", "starting", "running", "checking", "backing-off", "ended"]
RunState = Literal["starting", "running", "stopping", "ended"]
SessionPhase = Literal["checking", "running", "stopping", "ended"]
WavePhase = Literal["waiting", "running", "gate", "judged", "ended"]
OrderedSet = dict[str, None]
"""Insertion-ordered set of keys. Those that are gone through while they shrink are `OrderedDict`s: a plain dict keeps
the places of what was taken out, and going through it would cost what it once held."""
Later = list[tuple[float, str]]
"""Heap of (when, key)."""


@dataclass(slots=True)
class Run:
    """One deployment: of an assignment (`purpose` agent), a gate's command (check), a responder, the preview or a
    monitor's command (monitor).
    """

    id: str
    wave: int
    purpose: str
    assignment: str = ""
    attempt: int = 1
    gate: str = ""
    index: int = 0
    timeout: float | None = None
    timeout_of: str = "agent"
    failure: str = ""
    agent: str = ""
    """Of a responder or a monitor's command: its name."""
    reaction: str = ""
    """Of a responder: what started it."""
    resume: str = ""
    """The program's own session it was to go on with."""
    state: RunState = "starting"
    decided: float = 0.0
    """When the start was decided."""
    started: float | None = None
    """When the program was exec'ed."""
    ended: float | None = None
    pid: int | None = None
    worker: int = 0
    command: list[str] = field(default_factory=list)
    stop_reason: str = ""
    stopped_for: str = ""
    """The reaction that ends it, if it is one."""
    base: str = ""
    """The newest snapshot taken before its start was decided."""
    outcome: str = ""
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    output_bytes: int = 0
    dropped_bytes: int = 0
    rotated_bytes: int = 0
    tail: str = ""
    leftovers: list[str] = field(default_factory=list)
    cpu_seconds: float | None = None
    max_rss: int | None = None
    memory_peak: int | None = None
    judged: bool | None = None
    """What the program's own last word amounts to; None: it has none."""
    cause: str = ""
    reset_at: float | None = None
    last_words: str = ""
    acting: ActingState = ""
    """What the program is at."""
    acting_since: float = 0.0
    tool: str = ""
    acting_detail: str = ""
    behind: int = 0
    """Bytes it has printed that nobody has read yet."""
    program_session: str = ""
    provider: str = ""
    model: str = ""
    version: str = ""
    usage: Usage = field(default_factory=Usage)
    forbidden: OrderedSet = field(default_factory=dict)
    """Tools it used that the plan forbids."""
    stood: list[tuple[float, float]] = field(default_factory=list)
    """From when to when it stood still, frozen."""

    @property
    def succeeded(self) -> bool:
        """The program says so; of one that says nothing: it ended by itself with exit code 0."""
        if self.outcome != "exited":
            return False
        return self.exit_code == 0 if self.judged is None else self.judged

    @property
    def explanation(self) -> str:
        """Why it did not succeed, with the last lines it printed, for a person and for the next attempt."""
        return f"{self.reason}\n{self.tail}" if self.tail else self.reason


@dataclass(slots=True)
class CheckState:
    """One check of a gate: what the guards have found, the outputs, or one command."""

    name: str
    guards: bool = False
    caught_up: bool = False
    """Of `guards`: all changes made before are judged."""
    outputs: list[Output] = field(default_factory=list)
    command: Check | None = None
    state: Literal["waiting", "running", "ended"] = "waiting"
    ok: bool | None = None
    detail: str = ""
    tests: dict[str, int] | None = None
    run: str = ""
    tries: int = 0
    """Runs of the command that never began (withdrawn): the next one has another name."""
    retry_at: float = 0.0
    """Not before this, after a run that never began."""


@dataclass(slots=True)
class Gate:
    """The checks of a wave or of an assignment, gone through in order."""

    id: str
    wave: int
    assignment: str
    checks: list[CheckState]
    state: Literal["running", "ended"] = "running"
    verdict: str = ""
    reason: str = ""
    reaction: str = ""
    """What put an end to it before it had spoken."""
    next: int = 0
    """The check that is running, or is to be started."""


@dataclass(slots=True)
class Node:
    """An assignment in execution."""

    key: str
    order: int
    wave: int
    agent: Agent
    tasks: list[Task]
    requires: tuple[str, ...]
    dependents: list[str] = field(default_factory=list)
    state: NodeState = "waiting"
    waiting_for: int = 0
    """Requirements that have not succeeded yet."""
    attempt: int = 0
    base: int = 0
    """Attempts made before a wave or a person had it run again: they do not count against `retries`."""
    withdrawn: int = 0
    """Runs in a row, the last included, that never began."""
    refused: int = 0
    """Runs in a row, the last included, that ended because the provider refused calls."""
    retry_at: float | None = None
    failure: str = ""
    """What failed in the attempt before, told to the next."""
    outcome: str = ""
    reason: str = ""
    verified: bool = False
    ended: float | None = None
    """When it was decided; None: it is not, or begins anew."""
    gate: Gate | None = None
    runs: list[Run] = field(default_factory=list)
    produced: list[str] = field(default_factory=list)
    """Files that its own gate has found, of those it was to leave behind."""
    wrote: OrderedSet = field(default_factory=dict)
    """Files its program says it wrote: the first of them."""


@dataclass(slots=True)
class WaveState:
    """A wave in execution."""

    index: int
    plan: Wave
    keys: list[str]
    limit: int | None
    """How many agents may run at once; None: any number."""
    phase: WavePhase = "waiting"
    started: float | None = None
    ended: float | None = None
    deadline: float | None = None
    outcome: str = ""
    reason: str = ""
    gate: Gate | None = None
    gate_attempt: int = 1
    gate_base: int = 0
    """Attempts made before a person had the wave run again: they do not count against the gate's `retries`."""
    unended: int = 0
    """Assignments that have not ended."""
    failed: OrderedSet = field(default_factory=dict)
    """Assignments that ended otherwise than succeeded."""
    base: str = ""
    """The snapshot it began from."""
    undone: str = ""
    """The reaction that put away all it changed, because its gate failed (`on_failure = "rollback"`)."""
    idle: OrderedSet = field(default_factory=dict)
    """Assignments not ended and with nothing running: waiting, ready, backing off."""


@dataclass(slots=True)
class ChecklistItem:
    """One item of the pre-deployment checklist as it was seen (C1)."""

    item: str
    ok: bool
    detail: str
    hint: str
    waived: bool


@dataclass(slots=True)
class Spending:
    """What was used of a budget."""

    tokens: int = 0
    cost: float | None = None
    """US dollars; None: no run has told."""
    told: int = 0
    """What was made a finding of: 0 nothing, 1 the soft limit, 2 the hard one."""


@dataclass(slots=True)
class ProviderLimit:
    """A provider that refused calls."""

    provider: str
    until: float
    """When it takes calls again."""
    room: int
    """How many agents may call it at once from then on."""
    refusals: int = 0
    """How often it has put its agents off to a later time, since one of them last succeeded."""
    reason: str = ""
    told: list[str] = field(default_factory=list)
    """Runs whose refusal is taken in."""


@dataclass(slots=True)
class ReportState:
    """What became of the session's report and change log (requirement C3)."""

    since: float
    """When it was to be written."""
    state: Literal["writing", "written", "failed"] = "writing"
    files: list[str] = field(default_factory=list)
    """In the workspace, relative to it."""
    change_log: str = ""
    snapshot: str = ""
    """The commit of the snapshot of its end."""
    error: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Session:
    """One execution of a plan on one workspace."""

    id: str
    plan: Plan
    workspace: str
    submitted: float
    plan_path: str = ""
    submitted_by: str = ""
    waived: list[str] = field(default_factory=list)
    phase: SessionPhase = "checking"
    held: str = ""
    """Why nothing more is started until a person decides; "" when not held."""
    outcome: str = ""
    reason: str = ""
    stop_outcome: str = "stopped"
    started: float | None = None
    ended: float | None = None
    deadline: float | None = None
    last_seq: int = 0
    checklist: list[ChecklistItem] = field(default_factory=list)
    checklist_ok: bool | None = None
    wave: int = -1
    """Index of the present wave; -1 before the first."""
    current: WaveState | None = None
    """The present wave, if it has begun and not ended."""
    waves: list[WaveState] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    """Gates being gone through."""
    unchecked_of_agent: dict[str, int] = field(default_factory=dict)
    """By agent: its assignments that neither have ended nor are at their gate. The last one looks at `produces`."""
    active: dict[str, Run] = field(default_factory=dict)
    """Runs that have not ended."""
    active_agents: int = 0
    """Active runs of purpose agent."""
    unstopped: OrderedSet = field(default_factory=dict)
    """Active runs nobody has asked to stop."""
    ready: OrderedSet = field(default_factory=OrderedDict)
    queue: list[tuple[int, str]] = field(default_factory=list)
    """In a wave that runs one agent at a time: heap of (order, ready assignment). Its first entry is never stale."""
    doomed: dict[str, str] = field(default_factory=OrderedDict)
    """Waiting assignments that can never start, and why."""
    judged: OrderedSet = field(default_factory=OrderedDict)
    """Assignments whose run or gate has ended and that await a verdict."""
    gates_due: OrderedSet = field(default_factory=OrderedDict)
    """Gates whose next step is due."""
    retries: Later = field(default_factory=list)
    """Heap of (when, assignment backing off). Its first entry is never stale."""
    providers: dict[str, ProviderLimit] = field(default_factory=dict)
    """Providers that refused calls."""
    callers: dict[tuple[str, str], str] = field(default_factory=dict)
    """Which provider agents of a (program, model) call, as far as their program says so or it was seen."""
    refusals: OrderedSet = field(default_factory=dict)
    """Runs that were refused and whose provider is to be limited."""
    spent: dict[str, Spending] = field(default_factory=dict)
    """By scope ("agent NAME", "wave NAME", "session"), where the plan has a budget."""
    overspent: dict[str, str] = field(default_factory=OrderedDict)
    """Scopes whose budget is used up, or nearly so, and the run that did it."""
    forbidden: dict[str, list[str]] = field(default_factory=OrderedDict)
    """By run: tools it used although the plan forbids them, and of which no finding was made yet."""
    held_at: float = 0.0
    """Since when it is held: as long, its deadlines stand still."""
    guards: Guards | None = None
    """What watches its files; None: nothing does."""
    reported: bool = False
    """Its report is written when it has ended."""
    report: ReportState | None = None
    """None: it has not ended, or none is written."""


def new_session(
    session_id: str,
    plan: Plan,
    workspace: str,
    submitted: float,
    *,
    plan_path: str,
    submitted_by: str,
    waived: list[str],
    guarded: bool = False,
    reported: bool = False,
) -> Session:
    """The state right after submission: all assignments waiting, nothing started."""
    session = Session(session_id, plan, workspace, submitted, plan_path, submitted_by, waived, reported=reported)
    plan_graph = graph.build(plan)
    agents = {agent.name: agent for wave in plan.waves for agent in wave.agents}
    tasks = {task.name: task for wave in plan.waves for task in wave.tasks}
    for order, assignment in enumerate(plan_graph.assignments.values()):
        node = Node(
            assignment.key, order, assignment.wave, agents[assignment.agent],
            [tasks[name] for name in assignment.tasks], assignment.requires,
        )  # fmt: skip
        session.nodes[node.key] = node
        session.unchecked_of_agent[assignment.agent] = session.unchecked_of_agent.get(assignment.agent, 0) + 1
    for node in session.nodes.values():
        node.waiting_for = len(node.requires)
        for key in node.requires:
            session.nodes[key].dependents.append(node.key)
    for index, (wave, keys) in enumerate(zip(plan.waves, plan_graph.waves, strict=True)):
        limit = plan.session.max_parallel or None if plan.session.parallel and wave.parallel else 1
        session.waves.append(WaveState(index, wave, keys, limit, unended=len(keys), idle=dict.fromkeys(keys)))
    if guarded:
        session.guards = Guards(preview=PreviewState() if plan.preview is not None else None)
        by_clock = ("file-changes", "command")
        session.guards.timed = [place for place, each in enumerate(plan.monitors) if each.kind in by_clock]
        session.guards.patrols = {each.label: Patrol() for each in plan.monitors if each.kind == "command"}
    return session
