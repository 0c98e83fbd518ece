"""`Shadow`: the snapshots of one workspace (requirements R1–R5; docs/snapshots.md).

A store lies in a folder of its own under waved's state folder:

    snapshots/NAME-HASH/
        workspace.json     which folder it is of
        lock               held while a snapshot is taken, restored or expired
        git/               a bare git repository
        manifest.sqlite    what the files of the newest snapshot looked like (a cache)
        restoring          there while a restore is under way

A `Shadow` holds nothing open between calls and may be used from several threads; calls on one store take turns. Every
call may raise WorkspaceChangedError, SnapshotError, StoreFullError, and ConflictError when it had to wait too long.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from waved.config import make_private
from waved.errors import NotFoundError
from waved.workspace import expiry, identity, lock
from waved.workspace.listing import Listing
from waved.workspace.manifest import FILE as MANIFEST
from waved.workspace.manifest import Manifest
from waved.workspace.records import (
    Change,
    Diff,
    Expired,
    FileStat,
    Label,
    Restored,
    Size,
    Snapshot,
    SnapshotError,
    SnapshotLimits,
    StoreFullError,
    Version,
)
from waved.workspace.restore import MARK, TEMPORARY, Restorer
from waved.workspace.store import Store
from waved.workspace.take import Taker
from waved.workspace.writer import sweep

FOLDER = "snapshots"
"""Where the stores are, in the state folder."""
REMOVED = ".removed"
"""Suffix of a store that is being removed."""
DIFF_LIMIT = 1024 * 1024
"""Bytes of a diff that are returned."""
ALMOST_FULL = 64 * 1024
"""Free bytes below which a refusal is put down to the full disk: SQLite says no more than "I/O error"."""
INTERRUPTED = "after a restore that was interrupted"
_STAT = re.compile(rb"(\d+|-)\t(\d+|-)\t(.*)", re.DOTALL)


class _Here(NamedTuple):
    """Where work is done."""

    root: int
    """Descriptor of the workspace's folder."""
    store: Store
    """Locked."""


class Shadow:
    """The snapshots of one workspace. `folder` is its store, made when it is not there."""

    def __init__(self, folder: Path, workspace: Path, limits: SnapshotLimits | None = None) -> None:
        self.workspace = identity.real(workspace)
        self.limits = limits or SnapshotLimits()
        self._folder = folder
        self._store = Store(folder / "git", self.limits.git_timeout)
        make_private(folder)
        with lock.held(folder / "lock", self.limits.lock_timeout) as fd:
            store = self._store.locked(fd)
            store.make()
            if not (folder / identity.FILE).exists() and store.newest_ref() is None:
                identity.write(folder, self.workspace)
            identity.check(folder, self.workspace)
            status = self.workspace.lstat()
        self._known = (status.st_dev, status.st_ino)

    @classmethod
    def open(cls, state: Path, workspace: Path, limits: SnapshotLimits | None = None) -> Shadow:
        """The snapshots of `workspace` in the state folder `state`."""
        path = identity.real(workspace)
        make_private(state / FOLDER)
        return cls(state / FOLDER / identity.folder_name(path), path, limits)

    @classmethod
    def adopt(cls, state: Path, workspace: Path, limits: SnapshotLimits | None = None) -> Shadow:
        """Like `open`, for a folder that took the place of the one the snapshots are of: a person says it is the same.

        Needed after the workspace was deleted and made anew, to restore its files there.
        """
        path = identity.real(workspace)
        folder = state / FOLDER / identity.folder_name(path)
        if folder.is_dir():
            identity.write(folder, path)
        return cls.open(state, path, limits)

    def take(self, label: str | Label, changed: Iterable[str] | None = None) -> Snapshot:
        """Take a snapshot; the newest one with `new` False when nothing has changed since.

        `changed`: the files and folders that may have changed, when the caller knows; the rest is taken to be as it
        was. None: everything is looked at.
        """
        reason = Label(label) if isinstance(label, str) else label
        with self._at_work() as here:
            return self._take(here, reason, changed)

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, oldest first. What they skipped is told by `find`."""
        return [snapshot for _, snapshot in self._store.snapshots()]

    def find(self, name: str) -> Snapshot:
        """A snapshot by its hash, the beginning of it, or its session's name for it. Raises NotFoundError."""
        snapshot = self._store.find(name)
        about = self._store.about(snapshot)
        return replace(snapshot, skipped=about.skipped, unsettled=about.unsettled)

    def changed(self, since: Snapshot, until: Snapshot | None = None) -> list[Change]:
        """The paths that differ between two snapshots, or a snapshot and now."""
        return self._store.changes(since.tree, self._tree(until))

    def diff(
        self,
        since: Snapshot,
        until: Snapshot | None = None,
        paths: Collection[str] | None = None,
        limit: int = DIFF_LIMIT,
    ) -> Diff:
        """A unified diff of all paths or some; binary files are named only. Bytes that are no UTF-8 are replaced."""
        arguments = ("diff-tree", "-r", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        found, more = self._store.git.bounded(
            limit, *arguments, since.tree, self._tree(until), *(["--", *paths] if paths else [])
        )
        return Diff(found.decode(errors="replace"), more)

    def stat(self, since: Snapshot, until: Snapshot | None = None) -> list[FileStat]:
        """How many lines of which paths differ."""
        out = self._store.git.run("diff-tree", "-r", "-z", "--numstat", "--no-renames", since.tree, self._tree(until))
        found = []
        for line in out.split(b"\0")[:-1]:
            if (parts := _STAT.fullmatch(line)) is not None:
                added, removed = (None if count == b"-" else int(count) for count in parts.groups()[:2])
                found.append(FileStat(os.fsdecode(parts[3]), added, removed))
        return found

    def versions(self, path: str) -> list[Version]:
        """The snapshots in which the content of `path` is another one than in the snapshot before, newest first."""
        snapshots = self.snapshots()
        blobs = self._store.blobs([snapshot.tree for snapshot in snapshots], path)
        found = []
        before = ""
        for snapshot, blob in zip(snapshots, blobs, strict=True):
            if blob != before:
                mode = self._store.entry(snapshot.tree, path)[1] if blob else 0
                found.append(Version(snapshot, blob, mode))
            before = blob
        return found[::-1]

    def read(self, snapshot: Snapshot, path: str, limit: int | None = None) -> bytes:
        """The content of a file (of a link: where it leads), at most `limit` bytes. Raises NotFoundError."""
        blob, _ = self._store.entry(snapshot.tree, path)
        if not blob:
            raise NotFoundError(f"{path} is not in snapshot {snapshot.id[:12]}")
        return self.blob(blob, limit)

    def blob(self, blob: str, limit: int | None = None) -> bytes:
        """The content a `Version` or `Change` names, at most `limit` bytes. Raises NotFoundError."""
        (data,) = self._store.read_objects([blob])
        if data is None:
            raise NotFoundError(f"no content {blob} in the store of {self.workspace}")
        return data if limit is None else data[:limit]

    def restore(self, to: Snapshot, paths: Iterable[str] | None, label: str | Label = "before a restore") -> Restored:
        """Bring files back to what they were in `to`: `paths` (files, or folders with all below), or everything.

        The present state is taken first, under `label`; every file that gives way is in it (`Restored.present`), so
        that restoring to that snapshot undoes this. Files that are not in `to` are removed, and folders that become
        empty by that. What could not be done is in `Restored.failed`.
        """
        only = None if paths is None else [_plain(path) for path in paths]
        reason = Label(label) if isinstance(label, str) else label
        with self._at_work() as here:
            return self._restorer(here).restore(to, only, lambda some: self._take(here, reason, some))

    def expire(
        self,
        *,
        max_age: float | None = None,
        max_count: int | None = None,
        max_bytes: int | None = None,
        sessions: Collection[str] = (),
        keep: Collection[str] = (),
    ) -> Expired:
        """Drop old snapshots and give their room back; the newest one and those in `keep` (hashes) stay.

        Dropped are those older than `max_age` seconds, those of `sessions`, the oldest beyond `max_count`, and then as
        many of the oldest as it takes to come below `max_bytes`. Packs the store: seconds to minutes, during which no
        snapshot can be taken.
        """
        with self._locked() as store:
            sweep(store.git_dir)
            done = expiry.expire(
                store, max_age=max_age, max_count=max_count, max_bytes=max_bytes, sessions=sessions, keep=keep
            )
            with Manifest(self._folder / MANIFEST) as manifest:
                manifest.remember(grown=str(done.after.bytes))
            return done

    def size(self) -> Size:
        """What the store takes on disk, and how many snapshots it holds."""
        return self._store.size()

    @contextmanager
    def _at_work(self) -> Iterator[_Here]:
        """The workspace's folder and the locked store, with what a killed process left put right."""
        with self._locked() as store, identity.Root(self.workspace, self._known) as root:
            here = _Here(root.fd, store)
            sweep(store.git_dir)
            if (self._folder / MARK).exists():
                self._recover(here)
            yield here

    @contextmanager
    def _locked(self) -> Iterator[Store]:
        """The store, locked; what its disk refuses meanwhile is said for a person."""
        try:
            with lock.held(self._folder / "lock", self.limits.lock_timeout) as fd:
                yield self._store.locked(fd)
        except (OSError, sqlite3.Error) as error:
            what = getattr(error, "strerror", None) or str(error)
            if shutil.disk_usage(self._folder).free < ALMOST_FULL:
                raise StoreFullError(f"the disk of {self._folder} is full: {what}", "make room there") from None
            raise SnapshotError(
                f"the store in {self._folder} cannot be used: {what}", "see docs/snapshots.md"
            ) from None

    def _take(self, here: _Here, label: Label, changed: Iterable[str] | None, *, keep: bool = True) -> Snapshot:
        only = None if changed is None else [_plain(path) for path in changed]
        return self._taker(here, self.limits).take(label, only, keep=keep)

    def _taker(self, here: _Here, limits: SnapshotLimits) -> Taker:
        return Taker(here.root, self.workspace, self._folder, here.store, limits)

    def _restorer(self, here: _Here) -> Restorer:
        listing = Listing(self.workspace, self._folder, self.limits)
        return Restorer(here.root, here.store, listing, self.limits)

    def _tree(self, until: Snapshot | None) -> str:
        if until is not None:
            return until.tree
        with self._at_work() as here:
            return self._take(here, Label("now"), None, keep=False).tree

    def _recover(self, here: _Here) -> None:
        """A restore was killed: what it left beside the files is kept in a snapshot, then removed."""
        pattern = f"**/{TEMPORARY.decode()}*"
        limits = replace(self.limits, include=(*self.limits.include, pattern))
        snapshot = self._taker(here, limits).take(Label(INTERRUPTED), None)
        self._restorer(here).remove_temporary(snapshot)
        (self._folder / MARK).unlink(missing_ok=True)


def remove_store(state: Path, workspace: Path) -> None:
    """Remove all snapshots of a workspace, which need not be there any more. Begun anew where it was interrupted.

    Raises ConflictError when somebody uses them, and SnapshotError.
    """
    folder = state / FOLDER / identity.folder_name(workspace)
    doomed = folder.with_name(folder.name + REMOVED)
    try:
        if doomed.is_dir():
            shutil.rmtree(doomed)
        if folder.is_dir() and not folder.is_symlink():
            with lock.held(folder / "lock", SnapshotLimits().lock_timeout):
                folder.rename(doomed)
            shutil.rmtree(doomed)
    except OSError as error:
        raise SnapshotError(f"{error.filename or folder} cannot be removed: {error.strerror}") from None


def _plain(path: str) -> str:
    """A path as the store has it: relative, without "." or a slash at its end. Raises SnapshotError for others."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or not parts or "\0" in path:
        raise SnapshotError(f"{path!r} is no path within the workspace", "give it relative to the workspace")
    return "/".join(parts)
