"""What an agent program is seen to do: the facts a `Reader` finds in its output (requirements O8, S2, S3, M4).

Small values that travel from the worker to the daemon as msgpack. A field that equals its default is not sent, and a
field or kind that the other side does not know is left out, so that two versions of waved understand each other: new
fields have defaults, nothing is renamed.

Times are seconds; moments are seconds since the epoch; sizes are bytes; costs are US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal

LONGEST_TEXT = 8_000
"""Characters kept of what an agent says. All of it stands in the log."""
LONGEST_DETAIL = 500
"""Characters kept of a command, a path or a message."""
MOST_PATHS = 100
"""Paths kept of one tool call."""


@dataclass(frozen=True, slots=True)
class SessionNamed:
    """The program says what it calls its own session: what `Deployment.resume` takes to go on with it."""

    kind: ClassVar[str] = "session-named"
    program_session: str
    model: str = ""
    version: str = ""
    """The program's own version, where its output tells."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model is at work and has said nothing yet."""

    kind: ClassVar[str] = "thinking"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """Text for a person. Pieces of one message are put together before they are reported."""

    kind: ClassVar[str] = "said"
    text: str
    inner: bool = False
    """Said by an agent that the program itself started (a subagent)."""


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A tool begins. Some programs report it only when it has ended; `ToolEnded` then follows at once."""

    kind: ClassVar[str] = "tool-called"
    tool: str
    """The program's own name of it: "Read", "command_execution", "mcp__context7__get-library-docs"."""
    id: str
    """Names the call; `ToolEnded` has the same."""
    paths_read: tuple[str, ...] = ()
    """As the program writes them: absolute, or relative to the folder the run was started in."""
    paths_written: tuple[str, ...] = ()
    command: str = ""
    """What a shell is told to run."""
    detail: str = ""
    """Address, search term or pattern: what else tells a person what it is about."""
    inner: bool = False
    """Called by a subagent."""


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A tool has ended."""

    kind: ClassVar[str] = "tool-ended"
    id: str
    ok: bool | None = None
    """None: the program does not say."""
    size: int = 0
    """Bytes of the result that went to the model, as they stand in the program's output (escapes included)."""
    exit_code: int | None = None
    detail: str = ""
    """Why it failed."""
    denied: bool = False
    """It was not run at all: not permitted."""


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens and money used since the last `Used`; never a running total. Add them up.

    No figure is negative. What a program does not tell is 0 (tokens) or None (cost).
    """

    kind: ClassVar[str] = "used"
    input: int = 0
    """Tokens sent to the model, all of them: those read from and written to a cache are included."""
    output: int = 0
    """Tokens the model wrote, thinking included."""
    cached: int = 0
    """Of `input`: read from the provider's cache."""
    cache_write: int = 0
    """Of `input`: written to the provider's cache."""
    cost: float | None = None
    """US dollars, by the program's own prices; None: not said (yet), which is not 0."""
    context: int = 0
    """Tokens in the context of the call to the model just made; 0: not known, or a subagent's."""


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """How many tokens the model's context can hold."""

    kind: ClassVar[str] = "context-window"
    size: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """The program tries a failed call to the model again, by itself."""

    kind: ClassVar[str] = "retrying"
    attempt: int
    limit: int = 0
    """After how many attempts it gives up; 0: not known."""
    delay: float | None = None
    """Seconds until it does."""
    error: str = ""
    status: int = 0
    """HTTP status; 0: none or not known."""


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The provider says: too much for now."""

    kind: ClassVar[str] = "rate-limited"
    provider: str = ""
    reset_at: float | None = None
    """When it will take calls again; None: not said."""
    detail: str = ""
    refused: bool = True
    """False: a warning that the limit is near; calls are still answered."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The program waits for a person, or has been refused what it would have asked a person for."""

    kind: ClassVar[str] = "waiting"
    what: Literal["permission", "input"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The program says it is done. It may live on, and even begin anew: a further `Result` then follows."""

    kind: ClassVar[str] = "result"
    ok: bool | None
    """What the program's own words amount to; None: they do not tell."""
    subtype: str = ""
    """The program's word for how it ended: "success", "error_max_turns", "turn.failed"."""
    text: str = ""
    """The agent's last words."""
    error: str = ""
    turns: int = 0
    """Calls to the model, as the program counts them; 0: not said."""
    denied: int = 0
    """Tool calls that were not permitted."""


Activity = (
    SessionNamed
    | Thinking
    | Said
    | ToolCalled
    | ToolEnded
    | Used
    | ContextWindow
    | Retrying
    | RateLimited
    | Waiting
    | Result
)

KINDS: dict[str, type[Activity]] = {
    cls.kind: cls
    for cls in (
        SessionNamed,
        Thinking,
        Said,
        ToolCalled,
        ToolEnded,
        Used,
        ContextWindow,
        Retrying,
        RateLimited,
        Waiting,
        Result,
    )
}


def to_wire(activity: Activity) -> dict[str, Any]:
    """`{"kind": …, field: value}` of strings, numbers, booleans and lists; fields that equal their default left out."""
    wire: dict[str, Any] = {"kind": activity.kind}
    for field in fields(activity):
        value = getattr(activity, field.name)
        if field.default is MISSING or value != field.default:
            wire[field.name] = list(value) if isinstance(value, tuple) else value
    return wire


def from_wire(wire: Mapping[str, Any]) -> Activity | None:
    """The activity; None when this version does not know its kind, or it lacks what that kind needs."""
    cls: Any = KINDS.get(wire.get("kind", ""))
    if cls is None:
        return None
    given = {field.name: wire[field.name] for field in fields(cls) if field.name in wire}
    if any(field.default is MISSING and field.name not in given for field in fields(cls)):
        return None
    made: Activity = cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
    return made


def clip(value: object, most: int = LONGEST_DETAIL) -> str:
    """Text from the program, made safe to keep: a string of at most `most` characters; anything else is "".

    Half characters (lone surrogates, which JSON can spell) become "?": neither msgpack nor a terminal takes them.
    """
    if not isinstance(value, str):
        return ""
    text = value if len(value) <= most else value[: most - 1] + "…"
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def count(value: object) -> int:
    """A number of tokens, bytes or turns from the program: what is no such number is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_COUNT:
        return 0
    return int(value)


_LARGEST_COUNT = 2**53
"""Whatever is larger is nonsense, and more than some readers of JSON hold exactly."""
