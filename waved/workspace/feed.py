"""The change feed of one workspace: which files are not what they were (requirements M1, M2).

inotify tells at once; a *sweep*, which compares every file's size, time and inode with what was known, finds what was
missed: after the kernel's queue ran over, where no watches are left, and now and then for safety's sake. What git
ignores is neither watched nor swept.

Not thread-safe, and without a thread of its own: its owner waits for `fileno` and calls `read`. Nothing here follows a
symbolic link; a link is a file of its own, whatever it leads to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from waved.workspace import inotify
from waved.workspace.ignoring import IGNORE_FILE, Ignoring
from waved.workspace.inside import open_folder, open_root
from waved.workspace.known import Change as FileChange
from waved.workspace.known import Known, Stamp

SLICE = 500
"""Files a sweep looks at before it lets its owner see to other things."""
_STRONG = inotify.CREATE | inotify.MODIFY | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE
_WATCHED = _STRONG | inotify.CLOSE_WRITE | inotify.ATTRIB | inotify.ONLYDIR | inotify.EXCL_UNLINK
_WATCHED_ROOT = _WATCHED | inotify.DELETE_SELF | inotify.MOVE_SELF
_COMING_AND_GOING = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.ONLYDIR
_TICK = "tick"


class LostError(Exception):
    """The workspace is no longer what it was when the feed began; the text says what became of it."""


def watch_limit() -> int:
    """How many folders one feed watches: half of what the user may, because dev servers and editors watch as well."""
    try:
        return int(Path("/proc/sys/fs/inotify/max_user_watches").read_text()) // 2
    except (OSError, ValueError):
        return 4096


class Feed:
    """What changes below `root`. `private`: an existing folder outside of it, in which the feed has a file of its own.

    `most_watches`: folders it watches at most; the others it only sweeps. After `open` has returned, `polling` says
    why changes are not told by the kernel ("" when they are): its owner then has to sweep often.
    """

    def __init__(self, root: Path, private: Path, ignoring: Ignoring, most_watches: int | None = None) -> None:
        self.polling = ""
        self.missed = 0
        """Changes that only sweeps have found."""
        self._path = root
        self._private = private
        self._ignoring = ignoring
        self._most_watches = watch_limit() if most_watches is None else most_watches
        self._known = Known()
        self._pending: dict[str, int] = {}
        self._folders: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._inotify: inotify.Inotify | None = None
        self._root = -1
        self._identity = (0, 0)
        self._tick = -1
        self._tick_watch = -1
        self._parent_watch = -1
        self._ticked = False
        self._complete = True
        self._rules_changed = False
        self._suspicious = False

    # --- life -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Put the watches, and take note of every file as it is. Blocks for as long as that takes.

        Raises LostError when the workspace is no folder.
        """
        try:
            self._root = open_root(self._path)
        except OSError as error:
            raise LostError(self._what_became() or f"cannot be opened: {error.strerror}") from error
        status = os.fstat(self._root)
        self._identity = (status.st_dev, status.st_ino)
        try:
            self._inotify = inotify.Inotify()
        except OSError as error:
            self._give_up_watching(f"no inotify instance is left ({error.strerror})")
        else:
            self._open_tick(self._inotify)
            self._watch_parent(self._inotify)
        listed = self._ignoring.load()
        self._adopt("", listed, telling=False)

    def close(self) -> None:
        """Give back every descriptor and remove the feed's own file."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        for fd in (self._root, self._tick):
            if fd >= 0:
                os.close(fd)
        if self._tick >= 0:
            with suppress(OSError):
                (self._private / _TICK).unlink()
        self._root = self._tick = -1

    def fileno(self) -> int:
        """What to wait for with poll(2); -1 when the kernel tells nothing."""
        return self._inotify.fileno() if self._inotify is not None else -1

    @property
    def root(self) -> int:
        """A descriptor of the workspace's folder, as it was when the feed began."""
        return self._root

    @property
    def files(self) -> int:
        """How many files are known."""
        return len(self._known)

    @property
    def must_sweep(self) -> bool:
        """Events were lost, or the rules of what is ignored changed: only a sweep can tell what is so."""
        return not self._complete or self._rules_changed

    # --- what happened ---------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take in what the kernel has to tell; never blocks. Raises LostError."""
        if self._inotify is not None:
            for watch, mask, name in self._inotify.read():
                self._event(watch, mask, name)
        if self._suspicious:
            self._suspicious = False
            self.check()

    def flush(self) -> bool:
        """Take in every change made before this call; False: that needs a sweep. Raises LostError."""
        self.check()
        if self._inotify is None or self.polling:
            self.read()
            return False
        self._ticked = False
        os.pwrite(self._tick, b".", 0)
        # The kernel queues an event before the call that causes it returns: the tick is the last one in the queue.
        self.read()
        if not self._ticked:
            self._complete = False
        return not self.must_sweep

    def take(self) -> list[FileChange]:
        """Every file that changed since the last call, once, as it is now compared with what was known of it."""
        changes: list[FileChange] = []
        pending, self._pending = self._pending, {}
        folder, fd = "", -1
        try:
            for path in sorted(pending):
                above, _, name = path.rpartition("/")
                if fd < 0 or above != folder:
                    if fd >= 0:
                        os.close(fd)
                    folder, fd = above, self._open(above)
                found = _stamp(name, fd) if fd >= 0 else None
                change = self._known.note(path, found, certain=bool(pending[path] & _STRONG))
                if change is not None:
                    changes.append(change)
                    self._rules_changed |= name == IGNORE_FILE
        finally:
            if fd >= 0:
                os.close(fd)
        return changes

    @property
    def has_changes(self) -> bool:
        """Whether `take` has something to look at."""
        return bool(self._pending)

    def sweep(self) -> Iterator[None]:
        """Compare all files with what is known; what differs is there for `take`. Yields after every `SLICE` files.

        Raises LostError.
        """
        self.check()
        self.read()
        anew, self._rules_changed = self._rules_changed, False
        self._complete = True
        if anew:
            self._ignoring.load()
        looked = 0
        for folder in self._known.folders():
            if not self._known.has_folder(folder):
                continue
            if anew and folder and self._ignoring.folder(folder):
                self._drop(self._known.below(folder), tell=False)
                continue
            looked += self._compare(folder, anew=anew) + 1
            if looked >= SLICE:
                looked = 0
                yield
        self.check()

    def check(self) -> None:
        """Raises LostError when the workspace is not the folder it was."""
        became = self._what_became()
        if became:
            raise LostError(became)

    # --- the tree -------------------------------------------------------------------------------------------------

    def _event(self, watch: int, mask: int, name: str) -> None:
        if mask & inotify.OVERFLOW:
            self._complete = False
            return
        if watch == self._tick_watch:
            self._ticked = True
            return
        if watch == self._parent_watch:
            self._suspicious |= name == self._path.name
            return
        folder = self._folders.get(watch)
        if folder is None:
            return
        if mask & inotify.IGNORED:
            del self._folders[watch]
            if self._watches.get(folder) == watch:
                del self._watches[folder]
            self._suspicious |= not folder
        elif mask & (inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT):
            self._suspicious |= not folder
        elif name:
            path = f"{folder}/{name}" if folder else name
            if mask & inotify.ISDIR:
                if mask & inotify.DELETE:
                    # It was empty: the folders in it have said their own farewell.
                    self._drop([path], tell=True)
                elif mask & inotify.MOVED_FROM:
                    self._drop(self._known.below(path), tell=True)
                elif mask & (inotify.CREATE | inotify.MOVED_TO):
                    self._drop(self._known.below(path), tell=True)
                    self._adopt(path)
            elif self._known.has(path) or not self._ignoring.file(path):
                self._pending[path] = self._pending.get(path, 0) | mask

    def _adopt(self, path: str, listed: frozenset[str] = frozenset(), *, telling: bool = True) -> None:
        """Watch a folder that was not known, and all below it; what it holds is new, and told if `telling`.

        `listed`: files that are known not to be ignored.
        """
        folders = [path]
        while folders:
            folder = folders.pop()
            if folder and self._ignoring.folder(folder):
                continue
            fd = self._open(folder)
            if fd < 0:
                continue
            try:
                # First the watch, then the look: what is written in between is seen twice, not never.
                self._watch(folder, fd)
                self._known.add_folder(folder)
                for name, is_folder in _entries(fd):
                    inner = f"{folder}/{name}" if folder else name
                    if is_folder:
                        folders.append(inner)
                    elif inner in listed or not self._ignoring.file(inner):
                        if telling:
                            self._pending[inner] = self._pending.get(inner, 0) | inotify.CREATE
                        else:
                            self._known.note(inner, _stamp(name, fd), certain=False)
            finally:
                os.close(fd)

    def _drop(self, folders: Iterable[str], *, tell: bool) -> None:
        """Folders are gone, or ignored from now on: so is what was known to be in them."""
        for folder in folders:
            watch = self._watches.pop(folder, None)
            if watch is not None:
                self._folders.pop(watch, None)
                if self._inotify is not None:
                    self._inotify.forget(watch)
            for path in self._known.drop_folder(folder, remember=tell):
                self._pending[path] = inotify.DELETE

    def _compare(self, folder: str, *, anew: bool) -> int:
        fd = self._open(folder)
        if fd < 0:
            self._drop(self._known.below(folder), tell=True)
            return 0
        try:
            return self._compare_open(folder, fd, anew=anew)
        finally:
            os.close(fd)

    def _compare_open(self, folder: str, fd: int, *, anew: bool) -> int:
        known = self._known.files_of(folder)
        left = set(known)
        if folder not in self._watches:
            self._watch(folder, fd)
        count = 0
        for name, is_folder in _entries(fd):
            count += 1
            path = f"{folder}/{name}" if folder else name
            if is_folder:
                if not self._known.has_folder(path) and not self._ignoring.folder(path):
                    self._adopt(path)
                    self.missed += 1
                continue
            left.discard(name)
            if anew and name in known and self._ignoring.file(path):
                self._known.forget(path)
            elif known.get(name) != _stamp(name, fd) and (name in known or not self._ignoring.file(path)):
                self._found(path)
        for name in left:
            self._found(f"{folder}/{name}" if folder else name)
        return count

    def _found(self, path: str) -> None:
        if path in self._pending:
            return
        # It may have changed just now, and the kernel be about to tell: then nothing was missed.
        if self._inotify is not None:
            for watch, mask, name in self._inotify.read():
                self._event(watch, mask, name)
        if path not in self._pending:
            self.missed += 1
            self._pending[path] = 0

    def _watch(self, folder: str, fd: int) -> None:
        if self._inotify is None:
            return
        if len(self._watches) >= self._most_watches:
            self._give_up_watching(f"more than {self._most_watches} folders, which is what inotify may watch here")
            return
        try:
            watch = self._inotify.watch(fd, _WATCHED if folder else _WATCHED_ROOT)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._give_up_watching("no inotify watch is left (fs.inotify.max_user_watches)")
            return
        self._folders[watch] = folder
        self._watches[folder] = watch

    def _give_up_watching(self, reason: str) -> None:
        """What is watched stays so, because the kernel tells sooner; all else is for the sweeps."""
        self.polling = self.polling or reason

    def _open_tick(self, watcher: inotify.Inotify) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._tick = os.open(self._private / _TICK, flags, 0o600)
            self._tick_watch = watcher.watch(self._tick, inotify.MODIFY)
        except OSError as error:
            self._give_up_watching(f"inotify cannot be relied on ({error.strerror})")

    def _watch_parent(self, watcher: inotify.Inotify) -> None:
        """A folder that is held open is not told of its own removal; the one it lies in is."""
        with suppress(OSError):
            # It may be closed to us; then the loss of the workspace is found by the next sweep or flush.
            fd = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._parent_watch = watcher.watch(fd, _COMING_AND_GOING)
            finally:
                os.close(fd)

    def _open(self, folder: str) -> int:
        try:
            return open_folder(self._root, folder)
        except OSError:
            return -1

    def _what_became(self) -> str:
        try:
            status = self._path.lstat()
        except OSError:
            return "was removed or moved away"
        if stat.S_ISLNK(status.st_mode):
            return "was replaced by a symbolic link"
        if not stat.S_ISDIR(status.st_mode):
            return "is no folder"
        if self._root >= 0 and (status.st_dev, status.st_ino) != self._identity:
            return "was replaced by another folder"
        return ""


def _entries(fd: int) -> Iterator[tuple[str, bool]]:
    """Names in an open folder, and whether each is a folder itself."""
    try:
        with os.scandir(fd) as listing:
            for entry in listing:
                try:
                    yield entry.name, entry.is_dir(follow_symlinks=False)
                except OSError:
                    continue
    except OSError:
        return


def _stamp(name: str, folder: int) -> Stamp | None:
    """What a file is known by; None when there is none, or what is there has no content (a folder, a pipe)."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        return None
    return hash((status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode))
