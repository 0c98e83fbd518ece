"""Bringing files back without losing any: each file that gives way is in a snapshot, byte for byte, or stays.

A file is replaced by swapping it at once with its successor, which lies beside it under a temporary name; then the one
that gave way is compared with the snapshot of the present. If it is not the same (somebody wrote in between), it goes
back, another snapshot is taken, and the restore begins again (invariant 4).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from waved.workspace import folders, renames
from waved.workspace.folders import Folders, TooLargeError
from waved.workspace.listing import Listing
from waved.workspace.records import Change, Failure, Restored, Snapshot, SnapshotLimits
from waved.workspace.store import About, Store
from waved.workspace.take import git_mode

ROUNDS = 5
"""Times a restore begins again because somebody wrote meanwhile."""
TEMPORARY = b".waved-restoring-"
MARK = "restoring"
"""Name of the file that says, beside the store, that a restore is under way."""


class MovedError(Exception):
    """The file is not what the snapshot of the present holds."""

    def __init__(self, why: str = "is written to again and again; end what writes it") -> None:
        super().__init__(why)


@dataclass(slots=True)
class _Work:
    """One path to be brought to what it was."""

    path: bytes
    change: Change
    """From present to what it was: `old` is what must be there, `new` what will be."""
    conflict: bool = False
    """It stands in the way of another path."""


class Restorer:
    """Restores below the descriptor `root`. Whoever uses it holds the store's lock."""

    def __init__(self, root: int, store: Store, listing: Listing, limits: SnapshotLimits) -> None:
        self._root = root
        self._store = store
        self._listing = listing
        self._limits = limits

    def restore(self, to: Snapshot, paths: list[str] | None, take: Callable[[list[str] | None], Snapshot]) -> Restored:
        """Bring `paths` (files, or folders with all below; None: everything) to what they were in `to`.

        `take` takes a snapshot of the present state of some paths, or of everything.
        """
        began = time.monotonic()
        about = self._store.about(to)
        self._mark().touch()
        try:
            result = Restored(to, take(paths))
            for round_ in range(1, ROUNDS + 1):
                moved = self._round(result, about, paths)
                if not moved:
                    break
                if round_ == ROUNDS:
                    result.failed += [Failure(os.fsdecode(path), why) for path, why in moved.items()]
                    break
                result.failed.clear()
                result.present = take(paths)
        finally:
            self._mark().unlink(missing_ok=True)
        for done in (result.restored, result.removed):
            done[:] = sorted(set(done))
        result.seconds = time.monotonic() - began
        return result

    def remove_temporary(self, present: Snapshot) -> None:
        """Remove what a killed restore left beside the files; all of it is in `present`."""
        empty = self._store.empty_tree()
        changes = self._store.changes(present.tree, empty)
        works = [_Work(os.fsencode(change.path), change) for change in changes]
        works = [work for work in works if work.path.rpartition(b"/")[2].startswith(TEMPORARY)]
        with Folders(self._root) as folder:
            self._remove(Restored(present, present), works, folder, {})

    def _round(self, result: Restored, about: About, paths: list[str] | None) -> dict[bytes, str]:
        """Do what has to be done; returns the paths that were not what the snapshot says, and why."""
        todo = self._plan(result, about, paths)
        moved: dict[bytes, str] = {}
        writes = [work for work in todo if work.change.new_blob]
        removals = [work for work in todo if not work.change.new_blob]
        with Folders(self._root) as folder:
            self._remove(result, [work for work in removals if work.conflict], folder, moved)
            self._write(result, about, writes, folder, moved)
            rest = [work for work in removals if not work.conflict]
            if any(work.path.rpartition(b"/")[2] == b".gitignore" for work in writes):
                # What the rules of that time ignored was there without being in the snapshot.
                ignored = self._listing.ignored([work.path for work in rest]) or set()
                rest = [work for work in rest if work.path not in ignored]
            self._remove(result, rest, folder, moved)
        return moved

    def _plan(self, result: Restored, about: About, paths: list[str] | None) -> list[_Work]:
        wanted = None if paths is None else [os.fsencode(path).strip(b"/") for path in paths]
        present = self._store.about(result.present)
        changes = self._store.changes(result.present.tree, result.to.tree)
        work = {os.fsencode(change.path): change for change in changes}
        for change in self._permissions(about, present, result.present.tree):
            work.setdefault(os.fsencode(change.path), change)
        not_kept = {os.fsencode(item.path): item.why for item in about.skipped}
        todo = []
        for path, change in sorted(work.items()):
            if wanted is not None and not any(path == one or path.startswith(one + b"/") for one in wanted):
                continue
            if path in not_kept:
                why = f"the snapshot does not hold it: {not_kept[path]}"
                result.failed.append(Failure(change.path, why))
                continue
            todo.append(_Work(path, change))
        places = {work.path for work in todo if work.change.new_blob}
        above = {path[: at.start()] for path in places for at in _slashes(path)}
        for item in todo:
            below = any(item.path[: at.start()] in places for at in _slashes(item.path))
            item.conflict = item.path in above or below
        return todo

    def _permissions(self, about: About, present: About, tree: str) -> Iterable[Change]:
        """Files that have other permissions, which git does not know."""
        if (about.plain, about.executable, about.modes) == (present.plain, present.executable, present.modes):
            return
        for line in self._store.git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
            words, _, path = line.partition(b"\t")
            number, _, blob = words.decode().split()
            mode = int(number, 8)
            if stat.S_ISREG(mode) and about.permissions(path, mode) != present.permissions(path, mode):
                yield Change(os.fsdecode(path), "mode", mode, mode, blob, blob)

    def _write(
        self, result: Restored, about: About, works: list[_Work], folder: Folders, moved: dict[bytes, str]
    ) -> None:
        contents = self._store.read_objects([work.change.new_blob for work in works])
        for work in works:
            data = next(contents)
            if data is None:
                result.failed.append(Failure(work.change.path, "its content is missing in the store"))
                continue
            try:
                parent, name = folder.make(work.path)
                self._put(parent, name, work, data, about)
            except MovedError as error:
                moved[work.path] = str(error)
            except NotADirectoryError as error:
                moved[work.path] = _why(error)
            except OSError as error:
                result.failed.append(Failure(work.change.path, _why(error)))
            else:
                result.restored.append(work.change.path)

    def _put(self, parent: int, name: bytes, work: _Work, data: bytes, about: About) -> None:
        change = work.change
        if not change.old_blob:
            self._clear(parent, name)
        else:
            # First without touching anything: most often it is what it should be.
            self._verify(parent, name, change)
        temporary = TEMPORARY + secrets.token_hex(8).encode()
        try:
            self._make(parent, temporary, name, data, about, work)
            if not change.old_blob:
                try:
                    renames.place(parent, temporary, name)
                except FileExistsError:
                    raise MovedError from None
            else:
                self._swap(parent, temporary, name, change)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)

    def _make(self, parent: int, temporary: bytes, name: bytes, data: bytes, about: About, work: _Work) -> None:
        owner = os.stat(name, dir_fd=parent, follow_symlinks=False) if work.change.old_blob else os.fstat(parent)
        if stat.S_ISLNK(work.change.new_mode):
            os.symlink(data, temporary, dir_fd=parent)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(temporary, flags, 0o600, dir_fd=parent)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
                os.fchmod(fd, about.permissions(work.path, work.change.new_mode))
            finally:
                os.close(fd)
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.chown(temporary, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)

    def _swap(self, parent: int, temporary: bytes, name: bytes, change: Change) -> None:
        """Put `temporary` in the place of `name`; what was there must be what the snapshot holds."""
        try:
            swapped = renames.exchange(parent, temporary, name)
        except FileNotFoundError:
            raise MovedError from None
        if not swapped:
            self._verify(parent, name, change)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            return
        try:
            self._verify(parent, temporary, change)
        except BaseException:
            # It was changed since: back with it, so that the next snapshot holds it.
            renames.exchange(parent, temporary, name)
            raise

    def _remove(self, result: Restored, works: list[_Work], folder: Folders, moved: dict[bytes, str]) -> None:
        known: set[bytes] | None = None
        for work in works:
            try:
                parent, name = folder.parent(work.path)
                self._take_away(parent, name, work.change)
            except (MovedError, FileNotFoundError, NotADirectoryError) as error:
                moved[work.path] = str(error)
                continue
            except OSError as error:
                result.failed.append(Failure(work.change.path, _why(error)))
                continue
            result.removed.append(work.change.path)
            if known is None:
                known = self._store.folders(result.to.tree)
            self._prune(work.path, folder, known)

    def _take_away(self, parent: int, name: bytes, change: Change) -> None:
        self._verify(parent, name, change)
        temporary = TEMPORARY + secrets.token_hex(8).encode()
        os.rename(name, temporary, src_dir_fd=parent, dst_dir_fd=parent)
        try:
            self._verify(parent, temporary, change)
        except BaseException:
            with suppress(FileExistsError):
                renames.place(parent, temporary, name)
            raise
        os.unlink(temporary, dir_fd=parent)

    def _prune(self, path: bytes, folder: Folders, known: set[bytes]) -> None:
        """Remove the folders above `path` that are empty now and were not there then."""
        above = path.rpartition(b"/")[0]
        while above and above not in known:
            try:
                parent, name = folder.parent(above)
                os.rmdir(name, dir_fd=parent)
            except OSError:
                return
            above = above.rpartition(b"/")[0]

    def _clear(self, parent: int, name: bytes) -> None:
        """Make sure that nothing is at a place where the snapshot of the present has nothing."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode):
            raise MovedError("something is in its place that no snapshot keeps (ignored, too large, unreadable)")
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise MovedError("a folder is in its place that holds what no snapshot keeps") from None
            raise

    def _verify(self, parent: int, name: bytes, change: Change) -> None:
        """Raise MovedError unless the file is what the snapshot of the present holds."""
        try:
            content = folders.read(parent, name, self._limits.max_file)
        except (FileNotFoundError, IsADirectoryError, TooLargeError):
            raise MovedError from None
        digest = hashlib.sha1(b"blob %d\0" % len(content.data), usedforsecurity=False)
        digest.update(content.data)
        mode = git_mode(content.status.st_mode)
        if not content.settled or digest.hexdigest() != change.old_blob or mode != change.old_mode:
            raise MovedError

    def _mark(self) -> Path:
        return self._store.git_dir.parent / MARK


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; the file is as it was"
    if isinstance(error, NotADirectoryError) or error.errno == errno.ELOOP:
        return "a file or a symbolic link is where a folder of its path should be"
    return error.strerror or str(error)


def _slashes(path: bytes) -> Iterable[re.Match[bytes]]:
    return re.finditer(b"/", path)
