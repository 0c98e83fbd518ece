"""Which past sessions are meant (`wavectl list`), and which of them go (`wavectl prune`, `[retention]`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


def is_named(pattern: str, name: str) -> bool:
    """Whether a name is meant by a pattern: the name itself, or a glob."""
    return pattern == name or fnmatchcase(name, pattern)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed down to; what is empty narrows nothing."""

    state: str = ""
    outcome: str = ""
    name: str = ""
    """The name or the id, or a glob of either."""
    workspace: str = ""
    since: float | None = None
    """Submitted at this time or later (unix seconds)."""
    until: float | None = None
    """Submitted before this time."""

    def admits(self, summary: Mapping[str, Any]) -> bool:
        """Whether a session is meant, by what a list shows of it."""
        named = not self.name or is_named(self.name, summary["name"]) or is_named(self.name, summary["session"])
        return (
            named
            and self.state in ("", summary["state"])
            and self.outcome in ("", summary["outcome"])
            and self.workspace in ("", summary["workspace"])
            and (self.since is None or summary["submitted"] >= self.since)
            and (self.until is None or summary["submitted"] < self.until)
        )

    def sql(self) -> tuple[str, list[str | float]]:
        """The same of ended sessions, as conditions on the journal's index, and their values."""
        asked: list[tuple[str, list[str | float]]] = [
            ("outcome = ?", [self.outcome] if self.outcome else []),
            ("workspace = ?", [self.workspace] if self.workspace else []),
            ("began >= ?", [self.since] if self.since is not None else []),
            ("began < ?", [self.until] if self.until is not None else []),
            ("(named(?, name) OR named(?, session))", [self.name, self.name] if self.name else []),
        ]
        if self.state not in ("", "ended"):
            return " AND 0", []
        chosen = [(text, values) for text, values in asked if values]
        return "".join(f" AND {text}" for text, _ in chosen), [value for _, values in chosen for value in values]


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that has ended, as retention sees it."""

    session: str
    finished: float
    """When it ended (unix seconds)."""
    bytes: int = 0
    """What it takes: its folder and its events."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long past sessions are kept. Each rule by itself has sessions go; None: no such rule."""

    max_age: float | None = None
    """Seconds since its end."""
    max_sessions: int | None = None
    """So many that have ended, the newest, are kept."""
    max_size: int | None = None
    """Bytes that those which have ended may take together."""

    @property
    def any(self) -> bool:
        """Whether there is a rule."""
        return self.max_age is not None or self.max_sessions is not None or self.max_size is not None

    def going(self, kept: Sequence[Kept], now: float) -> list[tuple[Kept, str]]:
        """Who goes, and why; those that ended first go first."""
        newest_first = sorted(kept, key=lambda each: (each.finished, each.session), reverse=True)
        total = 0
        found: list[tuple[Kept, str]] = []
        full = False
        for place, each in enumerate(newest_first):
            full = full or (self.max_size is not None and total + each.bytes > self.max_size)
            why = self._why(each, place, now, full=full)
            if why:
                found.append((each, why))
            else:
                total += each.bytes
        return found[::-1]

    def _why(self, each: Kept, place: int, now: float, *, full: bool) -> str:
        if self.max_age is not None and now - each.finished > self.max_age:
            return "age"
        if self.max_sessions is not None and place >= self.max_sessions:
            return "number"
        return "size" if full else ""
