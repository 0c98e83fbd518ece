"""How much of a text a report holds: with many agents less of each, so that a page stays under a megabyte."""

from __future__ import annotations

from dataclasses import dataclass

from waved.report.model import Text

DIFF = 240_000
"""Characters of the diff."""
FILES = 400
"""Files that are named with their lines."""
FINDINGS = 200
"""Findings that are told in full; all are counted."""
REACTIONS = 200
MOMENTS = 400
SNAPSHOTS = 120
_PROMPTS, _SAID, _TAILS, _EVIDENCE = 150_000, 120_000, 60_000, 80_000
"""Characters of each kind that all agents (or findings) share."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Characters of one text of each kind."""

    prompt: int
    said: int
    tail: int
    evidence: int
    reason: int
    paths: int
    """Files named of one agent."""
    runs: int
    """Attempts told of one agent."""


def bounds_for(agents: int, findings: int) -> Bounds:
    """The bounds of a report with so many agents and findings."""
    agents, findings = max(1, agents), max(1, min(findings, FINDINGS))
    return Bounds(
        prompt=_share(_PROMPTS, agents, 200, 20_000),
        said=_share(_SAID, agents, 160, 4_000),
        tail=_share(_TAILS, agents, 120, 4_000),
        evidence=_share(_EVIDENCE, findings, 200, 4_000),
        reason=_share(_TAILS, agents, 160, 1_000),
        paths=_share(4_000, agents, 8, 100),
        runs=_share(1_200, agents, 3, 30),
    )


def _share(total: int, count: int, least: int, most: int) -> int:
    return max(least, min(most, total // count))


def head(text: str, limit: int) -> Text:
    """The beginning of a text."""
    return Text(text) if len(text) <= limit else Text(text[:limit], len(text) - limit)


def end(text: str, limit: int) -> Text:
    """The end of a text, from the beginning of a line where that is near."""
    if len(text) <= limit:
        return Text(text)
    kept = text[-limit:]
    first = kept.find("\n", 0, limit // 2)
    kept = kept[first + 1 :] if first >= 0 else kept
    return Text(kept, len(text) - len(kept))


def line(text: str, limit: int) -> str:
    """A text of at most so many characters; "…" says that something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
