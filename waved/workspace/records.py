"""What the snapshots room takes and gives back: limits, labels, snapshots, changes, results.

Paths are relative to the workspace, with "/", as text; bytes of a name that are no UTF-8 are kept as surrogates
(`os.fsdecode`), so that every name there can be has exactly one text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from waved.errors import ConflictError, ResourceError, WavedError

MB = 1024 * 1024


class SnapshotError(WavedError):
    """A snapshot could not be taken, read or brought back; says which, and what to do."""

    code = "snapshot"


class WorkspaceChangedError(ConflictError):
    """The workspace is not the folder the snapshots are of: gone, replaced, or a symbolic link now."""


class StoreFullError(ResourceError):
    """There is no room for a snapshot: the disk is full, or the store would grow beyond its limit."""


@dataclass(frozen=True, slots=True)
class SnapshotLimits:
    """What one store may take."""

    max_file: int = 50 * MB
    """Bytes; larger files are not kept, and named in `Snapshot.skipped`."""
    max_store: int = 20 * 1024 * MB
    """Bytes of the whole store; a snapshot that would exceed it is refused (`StoreFullError`)."""
    min_free: int = 64 * MB
    """Bytes that stay free on the store's disk."""
    include: tuple[str, ...] = ()
    """Patterns of ignored files that are kept all the same (the plan's `snapshots.include`)."""
    max_include: int = 10_000
    """Most files the patterns of `include` may find."""
    git_timeout: float = 120.0
    """Seconds for one git process."""
    lock_timeout: float = 60.0
    """Seconds to wait for another session that uses the same store."""


@dataclass(frozen=True, slots=True)
class Label:
    """Why a snapshot was taken, and for whom; all of it ends up in the commit message."""

    reason: str
    session: str = ""
    wave: str = ""
    agent: str = ""
    name: str = ""
    """The name the session gave it: `s1`, `s2`, …"""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that a snapshot does not hold although the workspace does."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The workspace's files at one instant."""

    id: str
    """The commit's hash: what `wavectl` and plain git know it by."""
    tree: str
    time: float
    """Seconds since the epoch."""
    label: Label
    files: int = 0
    changed: int = 0
    """Paths that differ from the snapshot before it."""
    skipped: tuple[Skipped, ...] = ()
    unsettled: tuple[str, ...] = ()
    """Files that were written to each time they were read: kept as read last."""
    seconds: float = 0.0
    """What taking it took; 0 for one that was read from the store."""
    new: bool = True
    """False: nothing had changed, this is the one before."""
    about: str = ""
    """The commit that says what a tree cannot: unusual modes, skipped paths. "" for none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs. `kind`: added, modified, deleted, typechange, mode."""

    path: str
    kind: str
    old_mode: int
    new_mode: int
    old_blob: str
    new_blob: str


@dataclass(frozen=True, slots=True)
class Diff:
    """A unified diff, cut off at a limit."""

    text: str
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class FileStat:
    """How much of a path differs; None of a binary file."""

    path: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class Version:
    """A snapshot in which a path's content is another one than in the snapshot before. `blob` "": not there."""

    snapshot: Snapshot
    blob: str
    mode: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that was left as it is, and why."""

    path: str
    why: str


@dataclass(slots=True)
class Restored:
    """What a restore did. All that it overwrote or removed is in `present`."""

    to: Snapshot
    present: Snapshot
    restored: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every path is as it was in the snapshot."""
        return not self.failed


@dataclass(frozen=True, slots=True)
class Size:
    """What a store takes on disk, in bytes."""

    bytes: int
    snapshots: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What `expire` removed."""

    removed: tuple[str, ...]
    before: Size
    after: Size
    over: bool
    """The store is still above its cap: what is left is protected."""
