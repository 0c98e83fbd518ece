"""Which paths may differ from the newest snapshot: by what their files look like, without reading them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from waved.workspace import folders
from waved.workspace.folders import Folders
from waved.workspace.listing import MOST_NESTED, Listing
from waved.workspace.manifest import Manifest, Row
from waved.workspace.records import SnapshotLimits

UNKEEPABLE = "git keeps no file of this name"


@dataclass(slots=True)
class Scan:
    """What has to be read, and what is no longer there."""

    suspects: list[tuple[bytes, Row | None]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    skipped: dict[bytes, str] = field(default_factory=dict)
    bytes: int = 0
    """Size of all suspects together."""


class Scanner:
    """Looks at the files of one workspace, reached from the descriptor of its root."""

    def __init__(self, folder: Folders, listing: Listing, manifest: Manifest, limits: SnapshotLimits) -> None:
        self._folder = folder
        self._listing = listing
        self._manifest = manifest
        self._limits = limits

    def everything(self) -> Scan:
        """Look at every path that belongs to a snapshot."""
        scan = Scan()
        running = self._listing.begin()
        tracked: set[bytes] = set()
        try:
            for row in self._manifest.rows():
                tracked.add(row[0])
                self._look(scan, row[0], row)
        except BaseException:
            running.end()
            raise
        self._new(scan, self._listing.paths(running), tracked)
        for skipped in self._listing.unreadable:
            scan.skipped[os.fsencode(skipped.path)] = skipped.why
        return scan

    def some(self, paths: Iterable[str]) -> Scan | None:
        """Look at these files and folders only; None when only a look at everything can tell."""
        scan = Scan(skipped=self._manifest.skipped())
        files: dict[bytes, Row | None] = {}
        within: list[bytes] = []
        for text in paths:
            path = os.fsencode(text).strip(b"/")
            parts = path.split(b"/")
            if not path or b".." in parts or b"." in parts or b"" in parts or parts[-1] == b".gitignore":
                return None
            if self._listing.outside(path):
                continue
            # A folder may have become a file, or a file a folder: what stood there before has changed as well.
            for length in range(1, len(parts)):
                above = b"/".join(parts[:length])
                if (row := self._manifest.row(above)) is not None:
                    files[above] = row
            files |= {row[0]: row for row in self._manifest.below(path)}
            if self._is_folder(path):
                within.append(path)
            files[path] = self._manifest.row(path)
        if within:
            below = self._listing.below(within)
            if below is None or any(path.endswith(b"/") for path in below):
                return None
            for path in below:
                files.setdefault(path, None)
        new = [path for path, row in files.items() if row is None and path not in within and self._exists(path)]
        ignored = self._listing.ignored(new)
        if ignored is None or any(self._is_folder(path) for path in new):
            return None
        for path in sorted(files):
            scan.skipped.pop(path, None)
            if path not in ignored and (files[path] is not None or path not in within):
                self._look(scan, path, files[path])
        return scan

    def _new(self, scan: Scan, found: Iterable[bytes], tracked: set[bytes]) -> None:
        """Look at what was listed and is not in the newest snapshot, and into repositories on the way."""
        nested = self._look_at_new(scan, {path for path in found if path not in tracked})
        asked: set[bytes] = set()
        while nested:
            repository = nested.pop().rstrip(b"/")
            if repository in asked:
                continue
            if len(asked) >= MOST_NESTED:
                scan.skipped[repository] = f"more than {MOST_NESTED} repositories within"
                continue
            asked.add(repository)
            below = {path for path in self._listing.nested(repository) if path not in tracked}
            nested += [path for path in self._look_at_new(scan, below) if path.rstrip(b"/") != repository]

    def _look_at_new(self, scan: Scan, paths: set[bytes]) -> list[bytes]:
        return [path for path in sorted(paths) if path.endswith(b"/") or self._look(scan, path, None)]

    def _look(self, scan: Scan, path: bytes, row: Row | None) -> bool:
        """Sort one path in; True for a folder."""
        try:
            parent, name = self._folder.parent(path)
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            if row is not None:
                scan.gone.append(path)
            return False
        except OSError as error:
            self._skip(scan, path, row, error.strerror or str(error))
            return False
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            if row is not None:
                scan.gone.append(path)
            return True
        if row is not None and (
            status.st_mtime_ns == row[3]
            and status.st_ctime_ns == row[4]
            and status.st_size == row[2]
            and status.st_ino == row[5]
            and stat.S_IFMT(mode) == stat.S_IFMT(row[1])
        ):
            return False
        why = ""
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            why = f"is {folders.kind(mode)}"
        elif status.st_size > self._limits.max_file:
            why = too_large(self._limits)
        elif unkeepable(path, mode):
            why = UNKEEPABLE
        if why:
            self._skip(scan, path, row, why)
        else:
            scan.suspects.append((path, row))
            scan.bytes += status.st_size
        return False

    @staticmethod
    def _skip(scan: Scan, path: bytes, row: Row | None, why: str) -> None:
        scan.skipped[path] = why
        if row is not None:
            scan.gone.append(path)

    def _exists(self, path: bytes) -> bool:
        try:
            parent, name = self._folder.parent(path)
            os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _is_folder(self, path: bytes) -> bool:
        try:
            parent, name = self._folder.parent(path)
            return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except OSError:
            return False


def unkeepable(path: bytes, mode: int) -> bool:
    """Whether git refuses the path: names that some systems read as `.git`, and a link called `.gitmodules`."""
    parts = path.lower().split(b"/")
    return b".git" in parts or (stat.S_ISLNK(mode) and parts[-1] == b".gitmodules")


def too_large(limits: SnapshotLimits) -> str:
    """Why a file is not kept that is larger than `max_file`."""
    return f"larger than {limits.max_file / 1e6:g} MB (max_file)"
