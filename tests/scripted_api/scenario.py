"""What a model is to answer: a list of turns for each script. A script's last turn is repeated for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Usage:
    """Tokens that a turn is said to cost. `input` are those that no cache had a part in."""

    input: int = 100
    output: int = 10
    cached: int = 0
    cache_write: int = 0

    @property
    def prompt(self) -> int:
        """All tokens sent."""
        return self.input + self.cached + self.cache_write

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
        )


@dataclass(frozen=True)
class Call:
    """A tool call in no program's own words: `tools.py` translates it into what the request offers."""

    do: Literal["read", "write", "edit", "shell", "raw"]
    path: str = ""
    """Relative to the script's folder."""
    old: str = ""
    new: str = ""
    command: str = ""
    tool: str = ""
    """For "raw": the program's own tool, with `arguments`."""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One answer of the model."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    usage: Usage = Usage()
    pieces: int = 3
    """In how many pieces text is streamed."""
    delay: float = 0.0
    """Seconds before the answer begins."""
    hang: bool = False
    """Never answer: until the client goes away or the server is closed."""
    status: int = 200
    """From 400 on: an error."""
    error: str = ""
    """The error's type, as the API would call it."""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    """More members of the error."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """One request that was answered, or would have been."""

    api: str
    turn: int
    """-1: a side request (a title, a probe) that uses up no turn."""
    status: int
    usage: Usage


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
ERROR_MESSAGES = {401: "invalid x-api-key", 429: "This request would exceed your rate limit", 529: "Overloaded"}


def parts_of(text: str, count: int) -> list[str]:
    """`text` in at most so many pieces."""
    size = -(-len(text) // max(1, count)) or 1
    return [text[start : start + size] for start in range(0, len(text), size)]
