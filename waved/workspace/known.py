"""What the feed knows of a workspace's files: enough to say whether one changed, and no more.

One number a file, kept by folder: about 150 bytes a file, so that 100,000 of them cost 15 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stamp = int
"""A digest of size, time of the last write, inode and mode: another one means another file or other content."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file, relative to the workspace, and what became of it."""

    path: str
    kind: Literal["added", "modified", "removed"]


class Known:
    """Stamps of files by folder; a folder is known even when it is empty."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, Stamp]] = {}
        self._gone: dict[str, Stamp] = {}

    def __len__(self) -> int:
        return sum(map(len, self._folders.values()))

    def has(self, path: str) -> bool:
        """Whether the file is known."""
        folder, _, name = path.rpartition("/")
        return name in self._folders.get(folder, ())

    def has_folder(self, folder: str) -> bool:
        """Whether the folder is known."""
        return folder in self._folders

    def folders(self) -> list[str]:
        """All folders known now."""
        return list(self._folders)

    def below(self, folder: str) -> list[str]:
        """The folder, if it is known, and all known ones in it."""
        if folder not in self._folders:
            return []
        start = folder + "/"
        return [name for name in self._folders if not folder or name == folder or name.startswith(start)]

    def files_of(self, folder: str) -> dict[str, Stamp]:
        """The files of a folder, by name; not to be changed."""
        return self._folders.get(folder, {})

    def add_folder(self, folder: str) -> None:
        """From now on the folder is known."""
        self._folders.setdefault(folder, {})

    def drop_folder(self, folder: str, *, remember: bool) -> list[str]:
        """The folder is known no longer. With `remember` its files are returned, each to be given to `note` next."""
        files = self._folders.pop(folder, {})
        if not remember:
            return []
        gone = {f"{folder}/{name}" if folder else name: stamp for name, stamp in files.items()}
        self._gone.update(gone)
        return list(gone)

    def forget(self, path: str) -> None:
        """The file is known no longer."""
        folder, _, name = path.rpartition("/")
        self._folders.get(folder, {}).pop(name, None)

    def note(self, path: str, stamp: Stamp | None, *, certain: bool) -> Change | None:
        """The file is now `stamp` (None: not there); returns what that means.

        `certain`: it was written, even if its stamp is what it was (times have a grain of some milliseconds).
        """
        folder, _, name = path.rpartition("/")
        files = self._folders.get(folder, {})
        before = self._gone.pop(path, None)
        before = files.get(name, before)
        if stamp is None:
            files.pop(name, None)
            return Change(path, "removed") if before is not None else None
        self._folders.setdefault(folder, files)[name] = stamp
        if before is None:
            return Change(path, "added")
        return Change(path, "modified") if certain or before != stamp else None
