"""The plan as pydantic models: the shape of what a user writes (requirements O2, O4, O6, O8, O9, G1–G4, M4, M5, S2).

Only shape and single values are judged here. What spans several tables (unknown names, cycles, tasks no agent can
take) is judged by `waved.plan.graph`; advice by `waved.plan.lint`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from waved.plan.base import CommandLine, Environment, Model
from waved.plan.goals import Goals
from waved.plan.guards import MonitorSpec, Notify, Preview, Snapshots
from waved.plan.limits import Budget, Documentation, Patience, Resources, SandboxSpec
from waved.plan.quantities import Duration, Glob, Name, OutputLimit, Size, Word
from waved.plan.reporting import ReportSettings

OnFailure = Literal["retry", "rollback", "continue", "stop"]
OnLost = Literal["hold", "retry", "fail"]
Control = Literal["none", "view", "own"]


def _output_from_text(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _check_from_command(value: object) -> object:
    return {"run": value} if isinstance(value, (str, list)) else value


class Output(Model):
    """A file (or files) that must exist (requirement G1)."""

    path: Glob
    """Glob relative to the workspace; at least one file must match."""
    min_size: Size = 1
    """Every matching file must have at least this many bytes."""
    min_files: int = Field(default=1, ge=1, le=1_000_000)
    """At least this many files must match."""


class Check(Model):
    """A verification command of a gate (requirement G2)."""

    run: CommandLine
    """A list is executed as it is; a string is run by the shell."""
    name: str = ""
    """How the check is called in views; the command line if empty."""
    timeout: Duration = 600.0
    """The command is ended after this time, and the check fails."""
    junit: Glob | None = None
    """JUnit XML files the command writes: their tests are counted, a failing test fails the check."""
    min_pass_rate: float = Field(default=1.0, ge=0, le=1)
    """With `junit`: the share of tests that must pass."""
    agents: list[Name] = Field(default_factory=list)
    """Whom to retry when this check fails; every agent of the wave if empty."""

    @property
    def label(self) -> str:
        """The check's name as shown."""
        return self.name or (self.run if isinstance(self.run, str) else " ".join(self.run))


OutputSpec = Annotated[Output, BeforeValidator(_output_from_text, json_schema_input_type=Glob | Output)]
"""An output, or only its path."""
CheckSpec = Annotated[Check, BeforeValidator(_check_from_command, json_schema_input_type=CommandLine | Check)]
"""A check, or only its command line."""


class Gate(Model):
    """What must hold before the next wave (requirements G1–G3)."""

    outputs: list[OutputSpec] = Field(default_factory=list)
    """Files that must exist."""
    commands: list[CheckSpec] = Field(default_factory=list)
    """Commands that must succeed, run one after another."""
    on_failure: OnFailure = "stop"
    """retry: the failed agents again, told what failed; rollback: put away all the wave changed, and end the session;
    continue: go on all the same; stop: end the session."""
    retries: int = Field(default=1, ge=0, le=100)
    """With `on_failure = "retry"`: how often, before the session is stopped."""


class Task(Model):
    """A piece of work with a domain and requirements, assigned to an agent (requirement O4)."""

    name: Name
    """What `requires` and views call it."""
    domain: Name | None = None
    """An agent of this domain takes the task."""
    agent: Name | None = None
    """The agent that takes it, by name, instead of by domain."""
    requires: list[Name] = Field(default_factory=list)
    """Tasks (of this wave or an earlier one) that must have succeeded."""
    prompt: Word = ""
    """What to do: a template."""
    prompt_file: Word | None = None
    """A file that holds the prompt, relative to the plan."""
    expect: Duration | None = None
    """How long it is expected to take; only for the timeline of `wavectl plan show`."""

    @model_validator(mode="after")
    def _one_prompt(self) -> Task:
        if self.prompt and self.prompt_file:
            raise ValueError("give either `prompt` or `prompt_file`, not both")
        return self


class Agent(Model):
    """A role in a wave: which program, prompt, domain, what it owns, needs and produces."""

    name: Name
    """What `needs`, logs and views call it."""
    use: Name | None = None
    """The agent program: claude, codex, opencode, gemini, aider, qwen, mini, goose, command, or one a plugin adds."""
    command: CommandLine | None = None
    """For `use = "command"`: a list is executed as it is (each word a template); a string is run by the shell."""
    args: list[Word] = Field(default_factory=list)
    """More arguments for the agent program: each a template."""
    model: Word | None = None
    """The model the program is to use, in the program's own spelling."""
    permissions: Literal["read", "edit", "all"] = "edit"
    """What it may do unasked: only look, also edit files of the workspace, or anything; see [agents](agents.md)."""
    control: Control = "none"
    """What it may ask waved itself (`wavectl` in its own shell): nothing, to look at everything, or to look at its own
    session."""
    prompt: Word = ""
    """What to do: a template."""
    prompt_file: Word | None = None
    """A file that holds the prompt, relative to the plan."""
    domain: Name | None = None
    """Tasks of this domain are given to this agent."""
    owns: list[Glob] = Field(default_factory=list)
    """The paths this agent may change."""
    needs: list[Name] = Field(default_factory=list)
    """Agents (of this wave or an earlier one) that must have succeeded before this one starts."""
    produces: list[OutputSpec] = Field(default_factory=list)
    """Files it must leave behind; missing or empty ones fail the agent."""
    gate: Gate | None = None
    """Checks of this agent alone, run the moment it ends."""
    critical: bool = False
    """Run the wave's gate commands the moment this agent ends as well (requirement O9)."""
    timeout: Duration | None = None
    """Each attempt is ended after this time."""
    retries: int = Field(default=0, ge=0, le=100)
    """How often a failed attempt is repeated."""
    backoff: Duration = 1.0
    """Wait before the first repetition; doubled each time, five minutes at most."""
    resume: bool = True
    """A further attempt goes on with the program's own session, where the program can; false: it begins anew."""
    budget: Budget | None = None
    """What all its attempts together may use."""
    resources: Resources | None = None
    """What of the machine it may use; the session's where it says nothing."""
    sandbox: SandboxSpec | None = None
    """What it can reach: "workspace", "none", or a table; the session's if it says nothing."""
    forbid_tools: list[Word] = Field(default_factory=list)
    """Tools it is not to use, as its program names them (`*` stands for anything): use of one is a finding."""
    linger: Duration = 20.0
    """A program that has given its result is ended when it lives on for this long; it has finished all the same."""
    rollback: Literal["never", "on-failure"] = "never"
    """on-failure: what a failed attempt changed is put away (into a snapshot), as if it had never run."""
    stop_grace: Duration | None = None
    """Time between the request to end (SIGTERM) and SIGKILL; the session's if not given."""
    env: Environment = Field(default_factory=Environment)
    """Added to the session's environment."""
    cwd: Word = "."
    """Working folder, relative to the workspace."""
    expect: Duration | None = None
    """How long it is expected to take; only for the timeline of `wavectl plan show`."""

    @model_validator(mode="after")
    def _consistent(self) -> Agent:
        if self.prompt and self.prompt_file:
            raise ValueError("give either `prompt` or `prompt_file`, not both")
        if self.command is not None and self.use not in (None, "command"):
            raise ValueError(f'`command` belongs to `use = "command"`, not to `use = "{self.use}"`')
        if self.command is None and self.use in (None, "command"):
            raise ValueError('say which program runs: `use = "claude"` (or another program) or `command = [...]`')
        return self

    @property
    def program(self) -> str:
        """The agent program's name; "command" when a command line is given."""
        return self.use or "command"


class Wave(Model):
    """A phase: its agents start together; it ends at its gate (requirement O2)."""

    name: Name
    """How views call it."""
    timeout: Duration | None = None
    """All agents of the wave are ended after this time."""
    parallel: bool = True
    """false: one agent at a time, in the order written."""
    budget: Budget | None = None
    """What all its agents together may use."""
    forbid_tools: list[Word] = Field(default_factory=list)
    """Tools none of its agents is to use ("mcp__context7__*"): use of one is a finding (requirement C4)."""
    instructions: Word = ""
    """Put before the prompt of each agent of this wave: a template."""
    gate: Gate = Field(default_factory=Gate)
    """What must hold before the next wave starts."""
    agents: list[Agent] = Field(alias="agent", min_length=1)
    """Its agents: all that are ready start at the same instant."""
    tasks: list[Task] = Field(default_factory=list, alias="task")
    """Work that is given to agents by domain or name."""


class SessionSettings(Model):
    """The `[session]` table: what holds for the whole plan."""

    name: Name
    """How `wavectl list` and other commands call its sessions."""
    instructions: Word = ""
    """Put before every agent's prompt: a template."""
    instructions_file: Word | None = None
    """A file that holds the instructions, relative to the plan."""
    workspace: Word | None = None
    """The folder agents change, relative to the plan; the current folder if not given."""
    folder: Word | None = None
    """A folder in the workspace for the session's documents, made before the first wave ("docs/session")."""
    timeout: Duration | None = None
    """All agents are ended after this time, and the session fails."""
    parallel: bool = True
    """false: the whole session strictly one agent at a time."""
    max_parallel: int = Field(default=0, ge=0, le=100_000)
    """At most this many agents at once; 0: no limit."""
    budget: Budget | None = None
    """What all its agents together may use."""
    resources: Resources | None = None
    """What of the machine each agent may use, unless it says otherwise itself."""
    sandbox: SandboxSpec | None = None
    """What each agent can reach, unless it says otherwise itself."""
    rate_limits: Literal["agent", "provider"] = "provider"
    """When a provider refuses calls until later, who waits: the agent, or all that would use the same provider."""
    patience: Patience = Field(default_factory=Patience)
    """How long agents may show no sign of life."""
    documentation: Documentation = Field(default_factory=Documentation)
    """What counts as looking up documentation."""
    stop_grace: Duration = 10.0
    """Time between the request to end (SIGTERM) and SIGKILL."""
    leftover_grace: Duration = 1.0
    """Time that processes an agent left behind get to end by themselves."""
    min_free_disk: Size = 100 * 1024 * 1024
    """The checklist fails with less free space than this."""
    output_limit: OutputLimit = 1024**3
    """Of a run that prints more than this, the oldest output is removed; it is never blocked. At least "64KB"."""
    on_lost: OnLost = "hold"
    """What follows when nobody can say how an agent ended: hold for a person, retry it, or count it as failed."""
    vars: dict[str, Word] = Field(default_factory=dict)
    """Your own values for templates: `{{ vars.name }}`."""
    env: Environment = Field(default_factory=Environment)
    """What of the environment every agent sees."""

    @model_validator(mode="after")
    def _one_text(self) -> SessionSettings:
        if self.instructions and self.instructions_file:
            raise ValueError("give either `instructions` or `instructions_file`, not both")
        return self


class Plan(Model):
    """A whole plan file."""

    session: SessionSettings
    """What holds for the whole plan."""
    snapshots: Snapshots = Field(default_factory=Snapshots)
    """How the workspace's files are kept."""
    preview: Preview | None = None
    """A server that shows the work."""
    monitors: list[MonitorSpec] = Field(default_factory=list, alias="monitor")
    """What is watched while agents run, and what is done about what is found."""
    responders: list[Agent] = Field(default_factory=list, alias="responder")
    """Agents that reactions start (`do = "start-agent"`): extractors, investigators. Prompts may speak of `finding`."""
    goals: Goals = Field(default_factory=Goals)
    """What the metrics are to reach."""
    notify: list[Notify] = Field(default_factory=list)
    """Where alerts go."""
    report: ReportSettings = Field(default_factory=ReportSettings)
    """What is written down at the end."""
    waves: list[Wave] = Field(alias="wave", min_length=1)
    """The phases, in order: each starts when the gate of the one before it has passed."""
