"""Opening what lies inside a folder, and nothing else: no component of a path may be a symbolic link (invariant 4).

`openat2(RESOLVE_NO_SYMLINKS)` would do it in one call, but Python has no name for it; one openat(2) a component with
O_NOFOLLOW gives the same promise.
"""

from __future__ import annotations

import os

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe must not wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_root(path: str | os.PathLike[str]) -> int:
    """A descriptor of the folder `path`, which must itself be no symbolic link; raises OSError."""
    return os.open(path, _FOLDER)


def open_folder(root: int, path: str) -> int:
    """A descriptor of the folder `path` (relative, "" for the root itself) below the open folder `root`.

    Raises OSError: ENOTDIR or ELOOP where a component is a symbolic link or no folder, ENOENT where it is missing.
    """
    folder = os.dup(root)
    try:
        for name in path.split("/") if path else ():
            _refuse_parent(name)
            deeper = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = deeper
    except BaseException:
        os.close(folder)
        raise
    return folder


def open_file(root: int, path: str) -> int:
    """A descriptor, for reading, of the file `path` below `root`; raises OSError as `open_folder` does."""
    above, _, name = path.rpartition("/")
    _refuse_parent(name)
    folder = open_folder(root, above)
    try:
        return os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _refuse_parent(name: str) -> None:
    if name in ("", ".", ".."):
        raise NotADirectoryError(f'"{name}" is no name of a file')
