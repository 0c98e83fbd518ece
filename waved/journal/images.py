"""Images of long sessions: where a start begins to fold instead of at the first event.

An image is a file beside the journal, and a row in it that says which file, which events are folded in it, by which
code, and what its bytes must add up to. The row is what counts: it is written when the file is safe on disk, and goes
in the transaction in which the session ends. The bytes are not in the database because it has one writer, the reactor,
which would stand still for as long as megabytes are written. An image only saves time: one that is missing, damaged or
of other code is left alone, and every event is folded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from waved import failpoints
from waved.domain.image import ImageError, shape
from waved.journal.schema import transaction
from waved.journal.sources import digest

ROOM = 256 * 1024 * 1024
"""Bytes of the disk that images leave to agents and to the journal."""
_UNFINISHED = ".tmp"


class Image(NamedTuple):
    """A row of `images`. `events` of the session, up to number `seq`, are in the file; `code` has folded them."""

    session: str
    seq: int
    events: int
    code: str
    file: str
    checksum: str


class Images:
    """The images of one journal. A connection that cannot write may only read."""

    def __init__(self, db: sqlite3.Connection, journal: Path) -> None:
        self._db = db
        self._folder = folder_of(journal)
        found = map(Image._make, db.execute("SELECT session, seq, events, code, file, checksum FROM images"))
        self.known = {each.session: each for each in found}

    def read(self, known: Image) -> bytes:
        """What `image.encode` has made. Raises ImageError with the reason why it cannot be used."""
        if known.code != own_code():
            raise ImageError("other code has written it")
        try:
            stored = (self._folder / known.file).read_bytes()
        except OSError as error:
            raise ImageError(f"{known.file} cannot be read: {error.strerror}") from None
        if _checksum(stored) != known.checksum:
            raise ImageError(f"{known.file} is damaged")
        return zlib.decompress(stored)

    def keep(self, made: Image) -> bool:
        """From now on begin with this image, whose file is there; whether the journal has taken it."""
        failpoints.hit("image.before-commit")
        try:
            with transaction(self._db):
                self._db.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)", made)
        except sqlite3.Error:
            self._remove(made)
            return False
        failpoints.hit("image.after-commit")
        before = self.known.get(made.session)
        self.known[made.session] = made
        if before is not None and before.file != made.file:
            self._remove(before)
        return True

    def discard(self, made: Image) -> None:
        """Nobody needs this image, which was not kept: its session has ended meanwhile."""
        if self.known.get(made.session) != made:
            self._remove(made)

    def forget(self, session: str) -> None:
        """The session has ended, and with that the row is gone."""
        known = self.known.pop(session, None)
        if known is not None:
            self._remove(known)

    def tidy(self) -> None:
        """Remove files that no row names: of a daemon or an imager that died."""
        named = {each.file for each in self.known.values()}
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.name not in named:
                    path.unlink(missing_ok=True)

    def _remove(self, known: Image) -> None:
        with contextlib.suppress(OSError):
            (self._folder / known.file).unlink(missing_ok=True)


def folder_of(journal: Path) -> Path:
    """Where the images of a journal lie."""
    return journal.with_name("images")


def write(journal: Path, session: str, seq: int, events: int, content: bytes, by: str) -> Image:
    """Put what `image.encode` has made into a file, durable; a journal that does not know it takes no notice.

    `by`: the code that folded it. Raises ImageError when there is no room, and OSError.
    """
    stored = zlib.compress(content, 1)
    folder = folder_of(journal)
    folder.mkdir(mode=0o700, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < len(stored) + ROOM:
        raise ImageError(f"{folder} has only {free // 1024**2} MB left")
    made = Image(session, seq, events, by, f"{session}.{seq}", _checksum(stored))
    unfinished = folder / (made.file + _UNFINISHED)
    failpoints.hit("image.before-write")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(stored)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / made.file)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    failpoints.hit("image.after-write")
    return made


def code_of(sources: str) -> str:
    """What tells the code that folds from any other: the digest of its sources, and the shape of the state."""
    return hashlib.blake2b(f"{sources}\n{shape()}".encode(), digest_size=16).hexdigest()


@cache
def own_code() -> str:
    """`code_of` this process, asked once and soon after it has begun. Raises ImageError: then there are no images."""
    try:
        return code_of(digest())
    except OSError as error:
        raise ImageError(f"the sources of waved cannot be read: {error}") from None


def _checksum(stored: bytes) -> str:
    return hashlib.blake2b(stored, digest_size=16).hexdigest()
