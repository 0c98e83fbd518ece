"""What the inspector looks for in one file's content. Pure but for the clock; runs in the inspector's process.

Patterns are somebody's own regular expressions: each may take so much processor time and no more, and one that takes
longer is named in the answer, the others are searched for all the same.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from waved.monitors import markers, syntax

MOST_SECONDS = 1.0
"""Processor time one pattern may take on one file; parsing it may take as much."""
LONGEST_LINE = 300
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What is looked for."""

    patterns: tuple[str, ...] = ()
    markers: bool = False
    parse: bool = False

    def __or__(self, other: Checks) -> Checks:
        patterns = tuple(dict.fromkeys(self.patterns + other.patterns))
        return Checks(patterns, self.markers or other.markers, self.parse or other.parse)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that was found. `check`: "pattern REGEX", "markers" or "parse"."""

    check: str
    line: int
    text: str
    """The line as it stands there."""
    detail: str = ""
    count: int = 1
    """Lines that match."""
    whole: bool = True
    """False: in a last line without its end, which may be still in writing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the inspector says of a file."""

    state: str
    """"read"; "gone"; "link" (symbolic, or below one); "large"; "special" (no regular file); "unreadable"; "died"
    (the inspector did not survive it)."""
    size: int = 0
    digest: bytes = b""
    """Names the content."""
    lines: int = 0
    blank: bool = False
    """Nothing but white space."""
    troubles: tuple[Trouble, ...] = ()
    slow: tuple[str, ...] = ()
    """Patterns that took too long."""
    notes: tuple[str, ...] = ()
    """What could not be looked at, and why."""

    def packed(self) -> dict[str, Any]:
        """For the wire."""
        return asdict(self)

    @classmethod
    def unpacked(cls, values: dict[str, Any]) -> Answer:
        """From the wire."""
        troubles = tuple(Trouble(**trouble) for trouble in values.pop("troubles"))
        return cls(**{**values, "slow": tuple(values["slow"]), "notes": tuple(values["notes"])}, troubles=troubles)


class _TooLongError(Exception):
    pass


@dataclass
class _Found:
    troubles: list[Trouble] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(path: str, data: bytes, checks: Checks, seconds: float = MOST_SECONDS) -> Answer:
    """Look for all of `checks` in `data`, which is the content of the file `path`."""
    found = _Found()
    broken = _parse(path, data, found, seconds) if checks.parse or checks.markers else None
    if checks.patterns:
        _search(data, checks.patterns, found, seconds)
    if checks.markers:
        line = markers.find(path, data, parses=broken is None)
        if line:
            found.troubles.append(Trouble("markers", line, _line(data, line), "unresolved merge marker"))
    if checks.parse and broken is not None:
        found.troubles.append(Trouble("parse", broken.line, _line(data, broken.line), broken.reason, whole=False))
    lines = data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)
    return Answer(
        "read",
        size=len(data),
        digest=blake2b(data, digest_size=16).digest(),
        lines=lines,
        blank=not data.strip(),
        troubles=tuple(found.troubles),
        slow=tuple(found.slow),
        notes=tuple(found.notes),
    )


def matches(pattern: str, data: bytes, seconds: float = MOST_SECONDS) -> bool | None:
    """Whether the pattern is found anywhere in `data`, over lines too; None when that takes too long."""
    expression = re.compile(pattern, re.MULTILINE)
    try:
        with _at_most(seconds):
            return expression.search(data.decode("utf-8", "replace")) is not None
    except _TooLongError:
        return None


def _parse(path: str, data: bytes, found: _Found, seconds: float) -> syntax.Broken | None:
    try:
        with _at_most(seconds):
            return syntax.broken(path, data)
    except _TooLongError:
        found.notes.append("parsing takes too long")
    except syntax.NotJudgedError as error:
        found.notes.append(str(error))
    return None


def _search(data: bytes, patterns: Sequence[str], found: _Found, seconds: float) -> None:
    lines = data.decode("utf-8", "replace").split("\n")
    for pattern in patterns:
        first, count = 0, 0
        try:
            with _at_most(seconds):
                search = re.compile(pattern).search
                for number, line in enumerate(lines, 1):
                    if search(line.removesuffix("\r")):
                        count += 1
                        first = first or number
        except _TooLongError:
            found.slow.append(pattern)
        if count:
            text = lines[first - 1].strip("\r")[:LONGEST_LINE]
            found.troubles.append(Trouble(f"pattern {pattern}", first, text, count=count, whole=first < len(lines)))


def _line(data: bytes, number: int) -> str:
    lines = data.split(b"\n", number)
    line = lines[number - 1] if 0 < number <= len(lines) else b""
    return line[: LONGEST_LINE * 4].decode("utf-8", "replace").strip("\r")[:LONGEST_LINE]


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends what runs inside after so much processor time: the `re` module looks for signals now and then."""

    def too_long(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGPROF, too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
