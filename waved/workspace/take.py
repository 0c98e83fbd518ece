"""Taking a snapshot: scan, read what may have changed, write it, remember what it looked like."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from waved.workspace import folders
from waved.workspace.folders import Folders, TooLargeError
from waved.workspace.listing import Listing
from waved.workspace.manifest import FILE as MANIFEST
from waved.workspace.manifest import UNKNOWN, Manifest, Row
from waved.workspace.manifest import remove as remove_manifest
from waved.workspace.records import Label, Skipped, Snapshot, SnapshotError, SnapshotLimits, StoreFullError
from waved.workspace.scan import Scan, Scanner, too_large
from waved.workspace.store import NOW, REFS, About, Store, message
from waved.workspace.writer import Writer

TRIES = 3
"""Attempts at writing one snapshot: a git process may be killed by somebody, the last attempt starts from nothing."""


@dataclass(slots=True)
class _Found:
    """What reading the suspects showed."""

    rows: list[Row] = field(default_factory=list)
    """Files as they are now, changed or only looked at again."""
    changes: list[tuple[bytes, int, str]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    skipped: dict[bytes, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)
    added: int = 0
    bytes: int = 0
    modes: bool = False
    """Whether permissions changed in a way a tree cannot say."""


class Taker:
    """Takes snapshots of what is below the descriptor `root`. Whoever uses it holds the store's lock."""

    def __init__(self, root: int, workspace: Path, folder: Path, store: Store, limits: SnapshotLimits) -> None:
        self._root = root
        self._workspace = workspace
        self._path = folder
        self._store = store
        self._limits = limits

    def take(self, label: Label, changed: Iterable[str] | None, *, keep: bool = True) -> Snapshot:
        """Take one; with `keep` False it is no snapshot: only its tree can be compared. See `Shadow.take`."""
        began = time.monotonic()
        only = None if changed is None else list(changed)
        for attempt in range(1, TRIES + 1):
            with Manifest(self._path / MANIFEST) as manifest:
                last = self._synchronise(manifest, afresh=attempt == TRIES)
                manifest.begin()
                try:
                    snapshot = self._once(manifest, last, label, only, keep=keep)
                except SnapshotError:
                    manifest.rollback()
                    if attempt == TRIES:
                        raise
                    continue
                except sqlite3.DatabaseError as error:
                    manifest.rollback()
                    if isinstance(error, sqlite3.OperationalError) or attempt == TRIES:
                        raise
                    # Damaged: it is only a cache.
                    remove_manifest(self._path / MANIFEST)
                    continue
                except BaseException:
                    manifest.rollback()
                    raise
                if keep:
                    _settle(manifest)
                else:
                    manifest.rollback()
                return replace(snapshot, seconds=time.monotonic() - began)
        raise AssertionError("not reached")

    def _synchronise(self, manifest: Manifest, *, afresh: bool) -> Snapshot | None:
        """The newest snapshot, with the manifest made to match it. `afresh`: as if there were none."""
        newest = self._store.newest_ref()
        if afresh or newest is None:
            if afresh or manifest.meta("last"):
                manifest.rebuild(self._store.git, "", About().permissions)
                manifest.skip({})
            return None
        commit = newest[1]
        if manifest.meta("last") == commit:
            meta = manifest.meta
            return Snapshot(commit, meta("tree"), 0.0, Label(""), int(meta("files")), about=meta("about"))
        snapshot = self._store.find(commit)
        about = self._store.about(snapshot)
        manifest.rebuild(self._store.git, commit, about.permissions)
        manifest.skip({os.fsencode(item.path): item.why for item in about.skipped})
        manifest.remember(tree=snapshot.tree, about=snapshot.about)
        return snapshot

    def _once(
        self, manifest: Manifest, last: Snapshot | None, label: Label, only: list[str] | None, *, keep: bool
    ) -> Snapshot:
        listing = Listing(self._workspace, self._path, self._limits)
        with Folders(self._root) as folder, Writer(self._store.git, first=last is None) as writer:
            if last is None:
                writer.begin()  # it will be needed, and gets ready while the workspace is listed
            scanner = Scanner(folder, listing, manifest, self._limits)
            scan = None if only is None or last is None else scanner.some(only)
            if scan is None:
                scan = scanner.everything()
            grown = self._room(manifest, scan)
            found = self._read(scan, folder, writer)
            before = manifest.skipped()
            if last is not None and not (found.changes or found.gone or found.modes or found.skipped != before):
                if keep:
                    manifest.put(found.rows)
                    return replace(self._store.newest(), new=False, skipped=_named(before))
                return last
            if last is not None and not keep and not (found.changes or found.gone or found.modes):
                return last
            return self._write(manifest, last, label, found, writer, grown, keep=keep)

    def _read(self, scan: Scan, folder: Folders, writer: Writer) -> _Found:
        found = _Found(gone=list(scan.gone), skipped=dict(scan.skipped))
        for path, row in scan.suspects:
            try:
                parent, name = folder.parent(path)
                content = folders.read(parent, name, self._limits.max_file)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                if row is not None:
                    found.gone.append(path)
                continue
            except TooLargeError:
                why = too_large(self._limits)
            except OSError as error:
                why = error.strerror or str(error)
            else:
                self._sort(found, path, row, content, writer)
                continue
            found.skipped[path] = why
            if row is not None:
                found.gone.append(path)
        return found

    @staticmethod
    def _sort(found: _Found, path: bytes, row: Row | None, content: folders.Content, writer: Writer) -> None:
        status, data = content.status, content.data
        link = stat.S_ISLNK(status.st_mode)
        mode = stat.S_IFLNK | 0o777 if link else stat.S_IFREG | (status.st_mode & 0o777)
        digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
        digest.update(data)
        blob = digest.digest()
        mtime, ctime = (status.st_mtime_ns, status.st_ctime_ns) if content.trusted else (UNKNOWN, UNKNOWN)
        found.rows.append((path, mode, status.st_size, mtime, ctime, status.st_ino, blob))
        if not content.settled:
            found.unsettled.append(os.fsdecode(path))
        if (row is None or row[1] != mode) and (_unusual(mode) or (row is not None and _unusual(row[1]))):
            found.modes = True
        if row is None or row[6] != blob:
            writer.blob(data)
            found.bytes += len(data)
        if row is None or row[6] != blob or git_mode(row[1]) != git_mode(mode):
            found.changes.append((path, git_mode(mode), blob.hex()))
            found.added += row is None
        elif row[1] != mode:
            found.modes = True

    def _write(
        self,
        manifest: Manifest,
        last: Snapshot | None,
        label: Label,
        found: _Found,
        writer: Writer,
        grown: int,
        *,
        keep: bool,
    ) -> Snapshot:
        manifest.drop(found.gone)
        manifest.put(found.rows)
        manifest.skip(found.skipped)
        about, new_about = (last.about if last else ""), None
        if last is None or last.about or found.modes or found.skipped or found.unsettled:
            new_about = self._about(manifest, found).to_json()
            if not new_about:
                about, new_about = "", None
        now = time.time_ns()
        newest = self._store.newest_ref()
        number = max(now, int(newest[0].rpartition("/")[2]) + 1 if newest else 0)
        snapshot = Snapshot(
            id="",
            tree="",
            time=now / 1e9,
            label=label,
            files=(last.files if last else 0) + found.added - len(found.gone),
            changed=len({path for path, _, _ in found.changes} | set(found.gone)),
            skipped=_named(found.skipped),
            unsettled=tuple(found.unsettled),
        )
        commit, tree, about = writer.commit(
            f"{REFS}{number:020d}" if keep else NOW,
            now // 1_000_000_000,
            message(snapshot),
            last.tree if last else "",
            found.changes,
            found.gone,
            about,
            new_about,
        )
        files = str(snapshot.files)
        manifest.remember(last=commit, tree=tree, about=about, files=files, grown=str(grown + found.bytes))
        return replace(snapshot, id=commit, tree=tree, about=about)

    @staticmethod
    def _about(manifest: Manifest, found: _Found) -> About:
        """The commonest permissions stand for all; the files that have others are named."""
        counts = {mode & 0o777: count for mode, count in manifest.modes().items() if stat.S_ISREG(mode)}
        kinds = []
        for executable, usual in ((0, 0o644), (0o100, 0o755)):
            of_kind = [mode for mode in counts if mode & 0o100 == executable]
            kinds.append(max(of_kind, key=lambda mode: (counts[mode], mode == usual), default=usual))
        named = manifest.with_modes_other_than([stat.S_IFREG | mode for mode in kinds] + [stat.S_IFLNK | 0o777])
        return About(
            plain=kinds[0],
            executable=kinds[1],
            modes={path: mode & 0o777 for path, mode in named},
            skipped=_named(found.skipped),
            unsettled=tuple(found.unsettled),
        )

    def _room(self, manifest: Manifest, scan: Scan) -> int:
        """An upper bound of the store's size now. Raises StoreFullError when the snapshot might not fit."""
        grown = int(manifest.meta("grown") or 0)
        if grown + scan.bytes > self._limits.max_store:
            grown = self._store.size().bytes
        if grown + scan.bytes > self._limits.max_store:
            raise StoreFullError(
                f"a snapshot of {scan.bytes} changed bytes could bring the store beyond its limit of "
                f"{self._limits.max_store} bytes (it has {grown})",
                "let old snapshots expire, or have git ignore what need not be kept",
            )
        free = shutil.disk_usage(self._path).free
        if free < scan.bytes + self._limits.min_free:
            raise StoreFullError(
                f"no room for a snapshot of {scan.bytes} changed bytes: {free} bytes are free in {self._path}",
                "make room on that disk, or let old snapshots expire",
            )
        return grown


def _settle(manifest: Manifest) -> None:
    try:
        manifest.commit()
    except sqlite3.Error:
        # The snapshot is in the store; a manifest that lags behind is made anew by the next.
        manifest.rollback()


def _named(skipped: dict[bytes, str]) -> tuple[Skipped, ...]:
    return tuple(Skipped(os.fsdecode(path), why) for path, why in sorted(skipped.items()))


def _unusual(mode: int) -> bool:
    return stat.S_ISREG(mode) and mode & 0o777 not in (0o644, 0o755)


def git_mode(mode: int) -> int:
    """git's mode of a file or link by its st_mode."""
    if stat.S_ISLNK(mode):
        return 0o120000
    return 0o100755 if mode & 0o100 else 0o100644
