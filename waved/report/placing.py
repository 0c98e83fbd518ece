"""Writing waved's own files into a workspace: never through a symbolic link, never over what somebody else wrote.

A workspace is full of what agents made. Every folder on the way is opened as what it is (`waved.workspace.inside`), a
file appears whole or not at all, and one that is there already is replaced only if `ours` knows it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from waved.workspace import inside

LARGEST = 8 * 1024 * 1024
"""Bytes of a file that is read to be changed."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PlacingError(Exception):
    """Why a file was not written, for a person."""


def put(root: Path, path: str, content: bytes, ours: Callable[[bytes], bool]) -> None:
    """Write `root`/`path` if it is not there, or `ours` says so of its beginning. Raises PlacingError."""
    with _folder(root, path) as (folder, name):
        known = _state(folder, name, path)
        if known is not None and not ours(_read(folder, name, path, 4096)):
            raise PlacingError(f"{path} is not waved's: it is left as it is")
        _replace(folder, name, path, content, known, known)


def change(root: Path, path: str, changed: Callable[[bytes], bytes]) -> bool:
    """Have `root`/`path` hold what `changed` makes of it (of b"", if it is not there); whether that is another content.

    Raises PlacingError, also when the file was written to meanwhile; then it is left as it is.
    """
    with _folder(root, path) as (folder, name):
        known = _state(folder, name, path)
        before = _read(folder, name, path, LARGEST + 1) if known is not None else b""
        if len(before) > LARGEST:
            raise PlacingError(f"{path} is larger than {LARGEST // 1024**2} MB")
        after = changed(before)
        if after == before:
            return False
        _replace(folder, name, path, after, known, _state(folder, name, path))
        return True


@contextlib.contextmanager
def _folder(root: Path, path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The folder of a file, made if it is not there, and the file's name in it."""
    above, _, name = path.rpartition("/")
    try:
        opened = inside.open_root(root)
        try:
            folder = _made(opened, above)
        finally:
            os.close(opened)
    except OSError as error:
        raise PlacingError(f"{above or root} cannot be written to: {error.strerror}") from None
    try:
        yield folder, name
    except OSError as error:
        raise PlacingError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        os.close(folder)


def _made(root: int, path: str) -> int:
    """A descriptor of the folder; what is missing is made. Raises OSError where a link or a file is in the way."""
    done = ""
    for part in path.split("/") if path else ():
        above = inside.open_folder(root, done)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=above)
        finally:
            os.close(above)
        done = f"{done}/{part}" if done else part
    return inside.open_folder(root, path)


def _state(folder: int, name: str, path: str) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no file"
        raise PlacingError(f"{path} is {kind}: it is left as it is")
    return found


def _read(folder: int, name: str, path: str, limit: int) -> bytes:
    fd = inside.open_file(folder, name)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise PlacingError(f"{path} is no file: it is left as it is")
        return file.read(limit)


def _replace(
    folder: int, name: str, path: str, content: bytes, known: os.stat_result | None, now: os.stat_result | None
) -> None:
    """Put `content` in the place of what was `known`, if that is still what is there."""
    if _mark(known) != _mark(now):
        raise PlacingError(f"{path} was written to meanwhile: it is left as it is")
    temporary = f".{name[:100]}.{secrets.token_hex(6)}"
    mode = stat.S_IMODE(known.st_mode) if known is not None else None
    fd = os.open(temporary, _NEW, 0o666, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            owner = known or os.fstat(folder)
            if owner.st_uid != os.geteuid():
                with contextlib.suppress(OSError):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _mark(found: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)
