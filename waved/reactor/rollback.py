"""What goes back to what: the files a restore touches, and to which version of each (requirements R2, R3, R5)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from waved.plan import globs
from waved.workspace.attribution import owns
from waved.workspace.records import Failure, Label, Restored, Snapshot, Version
from waved.workspace.shadow import Shadow

LARGEST_JUDGED = 4 * 1024 * 1024
"""Bytes of an old version that are read to have it judged."""


@dataclass(slots=True)
class Outcome:
    """What one or several restores did together."""

    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    present: list[Snapshot] = field(default_factory=list)
    """What was there before: all that gave way is in these."""
    to: list[Snapshot] = field(default_factory=list)

    def add(self, done: Restored) -> None:
        """Take in what another restore did."""
        self.restored += done.restored
        self.removed += done.removed
        self.failed += done.failed
        self.present.append(done.present)
        self.to.append(done.to)


def good_version(
    versions: Iterable[Version], first: Snapshot, read: Callable[[str], bytes], is_good: Callable[[bytes], bool]
) -> Snapshot:
    """The newest snapshot of the session in which a file is good.

    `versions` of the file, newest first; `first`: the session's first snapshot: what was before it is not the
    session's to bring back. A file that was never good goes back to what it was then, which is nowhere for one that
    was made since.
    """
    for version in versions:
        old = version.snapshot.time <= first.time
        if version.blob and is_good(read(version.blob)):
            return first if old else version.snapshot
        if old:
            break
    return first


def restore_files(
    shadow: Shadow, paths: Iterable[str], first: Snapshot, is_good: Callable[[str, bytes], bool], label: Label
) -> Outcome:
    """Bring each of these files back to its newest good version."""
    by_target: dict[str, tuple[Snapshot, list[str]]] = {}
    for path in paths:

        def judged(data: bytes, path: str = path) -> bool:
            return is_good(path, data)

        target = good_version(shadow.versions(path), first, lambda blob: shadow.blob(blob, LARGEST_JUDGED), judged)
        by_target.setdefault(target.id, (target, []))[1].append(path)
    outcome = Outcome()
    for target, files in by_target.values():
        outcome.add(shadow.restore(target, files, label))
    return outcome


def of_agent(
    changed: Iterable[str], owned: Sequence[str], written: Collection[str], last_writer: Callable[[str], str], who: str
) -> list[str]:
    """Which of the changed paths go back with an agent: what it owns (`owned`: patterns), and what it has written,
    unless somebody else is known to have written that since.

    `last_writer`: the assignment that wrote a path last; "" when nobody can say. `who`: the agent's own.
    """
    return [
        path
        for path in changed
        if owns(owned, path) or last_writer(path) == who or (path in written and not last_writer(path))
    ]


def chosen(changed: Iterable[str], wanted: Collection[str]) -> list[str]:
    """Which of the changed paths a person means: files, folders with all below, or patterns."""
    return [
        path
        for path in changed
        if any(path == one or path.startswith(f"{one.rstrip('/')}/") or globs.matches(one, path) for one in wanted)
    ]
