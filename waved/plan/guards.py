"""What a plan says of guards: snapshots, preview, monitors, reactions, notifications (requirements M1–M8, R1–R5).

A monitor's table is exact for the kinds that ship with waved; a kind that a plug-in adds takes its settings in
`[monitor.options]`, which the plug-in judges.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from waved.plan.base import CommandLine, Environment, Model
from waved.plan.quantities import Duration, Glob, Name, Pattern, Size, Word

Action = Literal[
    "alert",
    "restart-agent",
    "rollback-file",
    "rollback-agent",
    "rollback-wave",
    "stop-all",
    "start-agent",
    "hold",
]
"""What a reaction does. `alert` only tells; every action tells as well."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _step(value: object) -> object:
    return {"do": value} if isinstance(value, (str, list)) else value


class Step(Model):
    """One rung of a ladder: what is done together, and how often before the next rung."""

    do: Annotated[list[Action], BeforeValidator(_listed, json_schema_input_type=Action | list[Action])] = Field(
        min_length=1
    )
    """What is done, all of it: "rollback-file", or ["rollback-file", "restart-agent"]."""
    times: int = Field(default=1, ge=1, le=100)
    """How often, for one subject (a file, an agent), before the next step is taken."""
    agent: Name | None = None
    """With `start-agent`: which `[[responder]]`."""


StepSpec = Annotated[Step, BeforeValidator(_step, json_schema_input_type=Action | list[Action] | Step)]
"""A step, or only what it does."""


class Snapshots(Model):
    """The `[snapshots]` table: how the workspace's files are kept (requirements R1, R4)."""

    enabled: bool = True
    """false: no snapshots are taken, and nothing can be rolled back."""
    include: list[Glob] = Field(default_factory=list)
    """Files that git ignores and that are kept all the same (".env")."""
    max_file: Size = 50 * 1024 * 1024
    """Larger files are not kept; a warning names them."""
    interval: Duration = 5.0
    """While agents change files, a snapshot is taken at most this often, of what the monitors found good."""


class Preview(Model):
    """The `[preview]` table: a server that shows the work, kept up by waved (requirement M3)."""

    command: CommandLine | None = None
    """Starts it; waved keeps it running. Without a command somebody else runs it, and it is only probed."""
    url: Word
    """What is probed: "http://localhost:5000/". "{port}" stands for a free port that waved leases ($PORT)."""
    cwd: Word = "."
    """Working folder of the command, relative to the workspace."""
    env: Environment = Field(default_factory=Environment)
    """Added to the session's environment."""
    status: list[int] = Field(default_factory=list)
    """HTTP statuses that mean well; any below 400 if empty."""
    match: Pattern | None = None
    """Regular expression that the first 64 KB of the body must match."""
    timeout: Duration = 5.0
    """A probe that has no whole answer after this time has failed."""
    start_timeout: Duration = 60.0
    """It must answer within this time after its start."""
    interval: Duration = 15.0
    """Time between two probes."""
    failures: int = Field(default=2, ge=1, le=100)
    """So many probes in a row must fail (the second follows at once) before it counts as down."""


class MonitorBase(Model):
    """What all monitors have in common."""

    name: Name | None = None
    """What findings and views call it; its kind if not given (a second one of a kind needs a name)."""
    waves: list[Name] = Field(default_factory=list)
    """Only while these waves run; all if empty."""
    reactions: list[StepSpec] | None = None
    """What is done about a finding: a ladder, climbed step by step for each file or agent; if not given, the kind's."""

    @property
    def label(self) -> str:
        """The monitor's name as shown."""
        return self.name or str(getattr(self, "kind", ""))


class FileChangesMonitor(MonitorBase):
    """M1: nothing changes in the workspace although agents run."""

    kind: Literal["file-changes"]
    """"file-changes"."""
    interval: Duration = 30.0
    """No change for this long is a finding."""


class CorruptionMonitor(MonitorBase):
    """M2: files that are broken."""

    kind: Literal["corruption"]
    """"corruption"."""
    paths: list[Glob] = Field(default_factory=lambda: ["**"])
    """Which files are looked at."""
    exclude: list[Glob] = Field(default_factory=list)
    """Which of them are not."""
    patterns: list[Pattern] = Field(default_factory=list)
    """Regular expressions that no line of them may match."""
    markers: bool = True
    """Unresolved merge markers are corruption."""
    parse: bool = True
    """Files that no longer parse are: Python, JSON, TOML, YAML, TypeScript, JavaScript, Go, Rust."""
    emptied: bool = True
    """Files that had content and are empty are."""
    settle: Duration = 0.05
    """A file is looked at when it has not been written for this long."""
    interval: Duration = 60.0
    """All of them are looked at this often as well."""


class PreviewMonitor(MonitorBase):
    """M3: the preview is down. How it is probed stands in `[preview]`."""

    kind: Literal["preview"]
    """"preview"."""


class ProgressMonitor(MonitorBase):
    """M4: an agent makes no progress: neither output, tool activity, file changes, nor CPU time or I/O of its tree."""

    kind: Literal["progress"]
    """"progress"."""
    after: Duration = 120.0
    """No progress for this long is a finding."""
    agents: list[Name] = Field(default_factory=list)
    """Only these agents; all if empty."""


class TimeoutsMonitor(MonitorBase):
    """M5: an agent nears its time limit, or was ended by it."""

    kind: Literal["timeouts"]
    """"timeouts"."""
    warn_at: float = Field(default=0.8, gt=0, le=1)
    """Share of the time limit after which an agent that still runs is a finding."""


class FileSizeMonitor(MonitorBase):
    """M6: source files that are or grow too long."""

    kind: Literal["file-size"]
    """"file-size"."""
    paths: list[Glob] = Field(min_length=1)
    """Which files are counted."""
    exclude: list[Glob] = Field(default_factory=list)
    """Which of them are not."""
    max_lines: int | None = Field(default=300, ge=1)
    """More lines than this are a finding."""
    max_growth: int | None = Field(default=500, ge=1)
    """More lines than this added since the session began are one, of severity critical."""
    existing: Literal["fail", "allow"] = "fail"
    """Files over the limit before the first wave: fail the checklist, or allow them as long as they do not grow."""
    settle: Duration = 0.5
    """A file is counted when it has not been written for this long."""
    interval: Duration = 60.0
    """All of them are counted this often as well."""


class OwnershipMonitor(MonitorBase):
    """P2: an agent writes what another owns."""

    kind: Literal["ownership"]
    """"ownership"."""


class CommandMonitor(MonitorBase):
    """M7: a command whose exit status says whether all is well; its output is the evidence."""

    kind: Literal["command"]
    """"command"."""
    run: CommandLine
    """A list is executed as it is; a string is run by the shell."""
    interval: Duration = 60.0
    """Time between the end of one run and the next."""
    timeout: Duration = 60.0
    """It is ended after this time, which is a finding."""
    cwd: Word = "."
    """Working folder, relative to the workspace."""


class PluginMonitor(MonitorBase):
    """A kind that a plug-in adds (entry points `waved.monitors`)."""

    kind: Name
    """The plug-in's name."""
    paths: list[Glob] = Field(default_factory=lambda: ["**"])
    """Which files it is told of."""
    interval: Duration = 60.0
    """How often it looks at all of them."""
    settle: Duration = 0.05
    """It is told of a file that has not been written for this long."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its own settings."""


_SHIPPED: dict[str, type[MonitorBase]] = {
    "file-changes": FileChangesMonitor,
    "corruption": CorruptionMonitor,
    "preview": PreviewMonitor,
    "progress": ProgressMonitor,
    "timeouts": TimeoutsMonitor,
    "file-size": FileSizeMonitor,
    "ownership": OwnershipMonitor,
    "command": CommandMonitor,
}
SHIPPED_KINDS = tuple(_SHIPPED)
PLUGIN = "plug-in"
"""The tag of a kind that does not ship with waved."""


def kind_of(value: object) -> str:
    """Which table a monitor's is: its kind, or `PLUGIN`."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in _SHIPPED else PLUGIN


Monitor = (
    FileChangesMonitor
    | CorruptionMonitor
    | PreviewMonitor
    | ProgressMonitor
    | TimeoutsMonitor
    | FileSizeMonitor
    | OwnershipMonitor
    | CommandMonitor
    | PluginMonitor
)
"""A monitor of any kind."""

MonitorSpec = Annotated[
    Annotated[FileChangesMonitor, Tag("file-changes")]
    | Annotated[CorruptionMonitor, Tag("corruption")]
    | Annotated[PreviewMonitor, Tag("preview")]
    | Annotated[ProgressMonitor, Tag("progress")]
    | Annotated[TimeoutsMonitor, Tag("timeouts")]
    | Annotated[FileSizeMonitor, Tag("file-size")]
    | Annotated[OwnershipMonitor, Tag("ownership")]
    | Annotated[CommandMonitor, Tag("command")]
    | Annotated[PluginMonitor, Tag(PLUGIN)],
    Discriminator(kind_of),
]
"""A monitor's table, read as what its `kind` says."""


def model_of(kind: str) -> type[MonitorBase]:
    """The table of a kind: what may stand in it."""
    return _SHIPPED.get(kind, PluginMonitor)


class Notify(Model):
    """Where alerts go besides the log and the event stream."""

    command: CommandLine | None = None
    """Run for each alert: the finding as JSON on its standard input, its main fields in $WAVED_FINDING_…."""
    url: Word | None = None
    """An address of any service apprise knows ("slack://…", "mailto://…"); "$NAME" is replaced from the environment."""
    severity: Literal["info", "warning", "critical"] = "warning"
    """Only findings of at least this severity."""
    monitors: list[Name] = Field(default_factory=list)
    """Only findings of these monitors; all if empty."""
