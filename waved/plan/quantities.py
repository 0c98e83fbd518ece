"""Quantities a plan is written in: durations ("10m"), sizes ("2KB"), names and globs, as pydantic types."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from waved.plan import globs

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|TB)?", re.IGNORECASE)
_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
LONGEST = 366 * 86400.0
"""Seconds; no duration in a plan is longer. Keeps deadlines far from what clocks and poll(2) can count."""
LARGEST = 2**63 - 1
"""Bytes; no size in a plan is larger. What the wire format can carry."""


def parse_duration(value: object) -> object:
    """Seconds of "1h30m", "90s", "1.5m", "250ms" or a plain number; raises ValueError saying what is allowed."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError('must be a duration such as "90s", "10m" or "1h30m"')  # noqa: TRY004 — pydantic wants ValueError
    if isinstance(value, str):
        text = value.strip()
        parts = _DURATION_PART.findall(text)
        if not parts or _DURATION_PART.sub("", text).strip():
            shown = value if len(value) <= 60 else value[:60] + "…"
            raise ValueError(
                f'"{shown}" is not a duration; write it as "90s", "10m" or "1h30m" (units: ms, s, m, h, d)'
            )
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    else:
        # An integer of thousands of digits does not fit a float; any number that large is refused below anyway.
        seconds = float(min(value, LONGEST * 2))
    if math.isnan(seconds) or seconds > LONGEST:
        raise ValueError("is longer than a year; leave the key out for no limit")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest reading of a duration in seconds a person likes: "250ms", "4.2s", "1m30s", "2h05m"."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    seconds = round(seconds, 3)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s".replace(".0s", "s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" + (f"{whole % 60:02d}s" if whole % 60 else "")
    return f"{whole // 3600}h" + (f"{whole % 3600 // 60:02d}m" if whole % 3600 // 60 else "")


def parse_size(value: object) -> object:
    """Bytes of "2KB", "1.5MB" or a plain number; raises ValueError saying what is allowed."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError('must be a size such as 100, "2KB" or "1MB"')  # noqa: TRY004 — pydantic wants ValueError
    if isinstance(value, int):
        size: float = value
    else:
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            shown = value if len(value) <= 60 else value[:60] + "…"
            raise ValueError(f'"{shown}" is not a size; write 100, "2KB" or "1MB"')
        size = float(match[1]) * _BYTES[(match[2] or "B").upper()]
    if size > LARGEST:
        raise ValueError("is larger than any file can be")
    return int(size)


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character, which no program can be given")
    return value


def _relative_glob(value: str) -> str:
    found = globs.problem(value)
    if found is not None:
        raise ValueError(found)
    return value


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return value


def _enough_to_live(value: int) -> int:
    if value < 16 * 1024**2:
        raise ValueError('is less than a program can live in; give at least "16MB"')
    return value


Pattern = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_regular_expression)]
"""A regular expression in Python's syntax, searched for in each line."""

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"}, {"type": "number"}],
            "description": 'a duration such as "90s", "10m" or "1h30m"',
        }
    ),
]
"""A length of time in seconds, greater than 0."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(ge=0),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}], "description": 'a size such as 100 or "2KB"'}),
]
"""A size in bytes."""

MemorySize = Annotated[
    int,
    BeforeValidator(parse_size),
    AfterValidator(_enough_to_live),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}], "description": 'a size of at least "16MB"'}),
]
"""A size in bytes that a program can live in."""

OutputLimit = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(ge=64 * 1024),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}], "description": 'a size of at least "64KB"'}),
]
"""A size in bytes that leaves room for a few segments of output."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name of letters, digits, dot, dash and underscore, at most 64 characters."""

Word = Annotated[str, AfterValidator(_without_nul)]
"""Text that is given to a program: any but with NUL characters."""

VariableName = Annotated[str, Field(pattern=r"^[^=\x00]+$")]
"""The name of an environment variable."""

Glob = Annotated[
    str,
    Field(min_length=1),
    AfterValidator(_relative_glob),
]
"""A path pattern relative to the workspace: `*`, `**`, `?`, `[a-z]`, `{a,b}`; it cannot lead outside."""
