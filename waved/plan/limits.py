"""What a plan allows agents: money, tokens, memory, processors, silence, documentation (requirements S2, M4, C4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from waved.plan.base import Model
from waved.plan.quantities import Duration, Glob, MemorySize, Word


def _money(value: object) -> object:
    """Dollars of 5, 2.5, "5.00" or "$5"; raises ValueError saying what is allowed."""
    if isinstance(value, str):
        try:
            return float(value.strip().removeprefix("$"))
        except ValueError:
            raise ValueError(f'"{value[:60]}" is not an amount of money; write 5, 2.5 or "$5.00"') from None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _finite(value: float) -> float:
    if not value <= 1e9:
        raise ValueError("is more than any budget")
    return value


Money = Annotated[
    float,
    BeforeValidator(_money),
    Field(gt=0),
    AfterValidator(_finite),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "description": 'US dollars: 5 or "$2.50"'}),
]
"""US dollars."""


class Budget(Model):
    """How much may be used: in all attempts together."""

    tokens: int | None = Field(default=None, ge=1)
    """Tokens sent to models and written by them."""
    cost: Money | None = None
    """US dollars, as far as the programs tell their cost."""
    soft: float = Field(default=0.8, gt=0, le=1)
    """When this share is used up, that is a finding (monitor `budget`); when all is, its agents are stopped."""


class Resources(Model):
    """What of the machine each run of an agent may use; [operations](operations.md#limits) says how that is kept."""

    memory: MemorySize | None = None
    """Memory of all its processes together, at least "16MB". A run that needs more is ended, and reported as `oom`."""
    cpu: float | None = Field(default=None, ge=0.01, le=100_000)
    """Processors it may keep busy: 1.5 is one and a half. More only makes it slower."""
    processes: int | None = Field(default=None, ge=1, le=4_000_000)
    """Processes and threads it may have at once; beyond, it can start no more."""


class Sandbox(Model):
    """What an agent can reach at all, kept by bubblewrap; [security](security.md#sandbox) says what is inside."""

    mode: Literal["workspace", "none"] = "workspace"
    """workspace: it may write in the workspace and what is named here; none: no sandbox, whatever the session says."""
    network: bool = True
    """false: no network at all, and so no model either: for plain commands."""
    home: Literal["read", "hide"] = "read"
    """hide: nothing of the home folder is there but what it may write."""
    write: list[Word] = Field(default_factory=list)
    """Further files and folders it may write: absolute, "~/…", or relative to the workspace."""
    hide: list[Word] = Field(default_factory=list)
    """Files and folders that are not to be seen, beside those where secrets usually are."""


def _sandbox_from_mode(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


SandboxSpec = Annotated[
    Sandbox, BeforeValidator(_sandbox_from_mode, json_schema_input_type=Literal["workspace", "none"] | Sandbox)
]
"""A sandbox, or only its mode."""


def sandbox_of(default: Sandbox | None, own: Sandbox | None) -> dict[str, Any] | None:
    """The sandbox of an agent: its `own`, else the session's; None: none."""
    found = default if own is None else own
    return None if found is None or found.mode == "none" else found.model_dump(exclude={"mode"})


def resources_of(default: Resources | None, own: Resources | None) -> dict[str, Any]:
    """What holds for an agent: its `own` limits, and the session's where it says nothing; only those that are set."""
    given: dict[str, Any] = {}
    for each in (default, own):
        if each is not None:
            given |= each.model_dump(exclude_none=True)
    return given


class Patience(Model):
    """How long an agent may show no sign of life in each state, before that is a finding of a monitor `progress` (M4).

    The monitor's `after` goes before: it takes the place of `other` and of each shorter one but `waiting`. Without
    such a monitor nobody looks.
    """

    starting: Duration | None = 120.0
    """The program has printed nothing yet."""
    thinking: Duration | None = 600.0
    """Its model is at work."""
    tool: Duration | None = 1800.0
    """It runs a tool."""
    retrying: Duration | None = 1800.0
    """It repeats a failed call to its model."""
    waiting: Duration | None = 30.0
    """It waits for a person, who will not come."""
    other: Duration | None = 120.0
    """Nobody can tell what it is at, as of a plain command."""


class Documentation(Model):
    """Which tool calls look up documentation: their share of the context is measured (requirement S2)."""

    tools: list[str] = Field(
        default_factory=lambda: ["mcp__context7__*", "WebFetch", "WebSearch", "web_fetch", "web_search*", "webfetch"]
    )
    """Tools, as the programs name them; `*` stands for anything."""
    paths: list[Glob] = Field(default_factory=lambda: ["docs/**", "**/*.md", "**/*.rst"])
    """Files."""
