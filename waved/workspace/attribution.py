"""Whose doing a change of the workspace is (requirements M8, R2, P2). Pure.

The kernel says which file was written, not by whom. What is known is what each agent's own output says it wrote, which
paths each owns, and who runs. Nobody is accused where it cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waved.plan import globs

RECENT = 10.0
"""Seconds before or after a change within which an agent's own word that it wrote the path is about that change."""


@dataclass(frozen=True, slots=True)
class Running:
    """A run at work in the workspace."""

    assignment: str
    """Key of the assignment."""
    run: str
    owns: tuple[str, ...]
    """Path patterns; none: it may write anywhere."""
    wave: str
    since: float
    """Seconds on `time.monotonic`'s clock."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose doing a change is; `assignment` is "" where nobody can say."""

    assignment: str
    run: str
    how: str
    """How it is known, for a person."""


def owns(patterns: Sequence[str], path: str) -> bool:
    """Whether a path is among what the patterns say is owned; a pattern that names a folder means all below it."""
    return any(globs.matches(pattern, path) or globs.matches(globs.names_folder(pattern), path) for pattern in patterns)


def attribute(path: str, at: float, said: Mapping[str, float], running: Sequence[Running]) -> Writer:
    """Whose doing a change of `path` at the time `at` is.

    `said`: when which assignment's output said that it wrote this very path. `running`: who ran at that time. An
    agent's word counts for itself only, and only while it runs.
    """
    by_name = {run.assignment: run for run in running}
    recent = [(abs(at - when), name) for name, when in said.items() if name in by_name and abs(at - when) <= RECENT]
    if recent:
        run = by_name[min(recent)[1]]
        return Writer(run.assignment, run.run, "its own output says so")
    if not running:
        return Writer("", "", "no agent ran")
    owners = [run for run in running if run.owns and owns(run.owns, path)]
    if len(owners) == 1:
        return Writer(owners[0].assignment, owners[0].run, "it owns the path")
    if len(running) == 1:
        return Writer(running[0].assignment, running[0].run, "no other agent ran")
    if owners:
        return Writer("", "", "several running agents own the path")
    free = [run for run in running if not run.owns]
    if len(free) == 1:
        return Writer(free[0].assignment, free[0].run, "no other running agent may write there")
    return Writer("", "", "several agents ran")
