"""What the newest snapshot holds and how its files looked then: so that only what changed is read again.

A SQLite file beside the store. It is a cache: when it is missing, damaged or not of the newest snapshot (a crash came
between), it is made again from the store, and every file is read once.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from waved.workspace.git import Git

FILE = "manifest.sqlite"
"""Its name, beside the repository."""
FORMAT = 1
UNKNOWN = -1
"""As the time of a file: what it looked like is not known, or not to be relied upon."""

Row = tuple[bytes, int, int, int, int, int, bytes]
"""path, st_mode, size, mtime ns, ctime ns, inode, blob (binary hash)."""

_TABLES = f"""
CREATE TABLE files (path BLOB PRIMARY KEY, mode INTEGER, size INTEGER, mtime INTEGER, ctime INTEGER, inode INTEGER,
                    blob BLOB) WITHOUT ROWID;
CREATE TABLE skipped (path BLOB PRIMARY KEY, why TEXT) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
"""


class Manifest:
    """One open manifest; used by whoever holds the store's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            remove(path)
            self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            # Killed processes lose nothing; after a power cut the newest snapshot may be missing here, and is noticed.
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                # Of another version it fails where a table is there already, and is made anew.
                db.executescript("BEGIN;" + _TABLES + "COMMIT;")
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Manifest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, key: str) -> str:
        """A remembered text; "" when there is none."""
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return "" if found is None else str(found[0])

    def rows(self) -> Iterator[Row]:
        """All files, in the order of their paths."""
        return iter(self._db.execute("SELECT path, mode, size, mtime, ctime, inode, blob FROM files ORDER BY path"))

    def row(self, path: bytes) -> Row | None:
        """The file at `path`."""
        query = "SELECT path, mode, size, mtime, ctime, inode, blob FROM files WHERE path = ?"
        found: Row | None = self._db.execute(query, (path,)).fetchone()
        return found

    def below(self, folder: bytes) -> list[Row]:
        """The files in a folder and its folders."""
        query = "SELECT path, mode, size, mtime, ctime, inode, blob FROM files WHERE path > ? AND path < ?"
        return list(self._db.execute(query, (folder + b"/", folder + b"0")))

    def skipped(self) -> dict[bytes, str]:
        """Paths the newest snapshot does not hold, and why."""
        return dict(self._db.execute("SELECT path, why FROM skipped ORDER BY path"))

    def modes(self) -> dict[int, int]:
        """How many files have which st_mode."""
        return dict(self._db.execute("SELECT mode, count(*) FROM files GROUP BY mode"))

    def with_modes_other_than(self, usual: Iterable[int]) -> list[tuple[bytes, int]]:
        """Files whose st_mode is none of `usual`."""
        wanted = list(usual)
        marks = ",".join("?" * len(wanted))
        query = f"SELECT path, mode FROM files WHERE mode NOT IN ({marks}) ORDER BY path"  # noqa: S608 — only marks
        return list(self._db.execute(query, wanted))

    def begin(self) -> None:
        """From here on all is kept, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Keep what was changed since `begin`."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Forget what was changed since `begin`."""
        with suppress(sqlite3.OperationalError):
            self._db.execute("ROLLBACK")

    def put(self, rows: Iterable[Row]) -> None:
        """Add or replace files."""
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def drop(self, paths: Iterable[bytes]) -> None:
        """Remove files."""
        self._db.executemany("DELETE FROM files WHERE path = ?", ((path,) for path in paths))

    def skip(self, skipped: dict[bytes, str]) -> None:
        """Replace the list of skipped paths."""
        self._db.execute("DELETE FROM skipped")
        self._db.executemany("INSERT INTO skipped VALUES (?, ?)", skipped.items())

    def remember(self, **values: str) -> None:
        """Keep texts for `meta`."""
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def rebuild(self, store: Git, commit: str, permissions: Callable[[bytes, int], int]) -> None:
        """Make it of the snapshot `commit` ("" for none); what its files look like on disk is unknown then.

        `permissions` tells those of a file by its path and git's mode.
        """
        listed = store.run("ls-tree", "-r", "-z", "--full-tree", commit) if commit else b""
        rows: list[Row] = []
        for line in listed.split(b"\0")[:-1]:
            words, _, path = line.partition(b"\t")
            mode, _, blob = words.split(b" ")
            git_mode = int(mode, 8)
            kind = stat.S_IFMT(git_mode)
            kept = kind | (0o777 if stat.S_ISLNK(kind) else permissions(path, git_mode))
            rows.append((path, kept, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, bytes.fromhex(blob.decode())))
        self._db.execute("DELETE FROM files")
        self.put(rows)
        self.remember(last=commit, files=str(len(rows)))


def remove(path: Path) -> None:
    """Remove a manifest, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            os.unlink(os.fspath(path) + suffix)  # noqa: PTH108 — a name with a suffix
