"""A session's files for an export: which there are, and pieces of them with secrets masked. Read on a helper thread.

Never the environment, and nothing outside of the session's folder: no link is followed. The index of a run's output is
left out, because masking moves the bytes it tells of.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from waved.errors import NotFoundError
from waved.masking import Mask
from waved.workspace.folders import FOLDER, READ, Folders

MAX_READ = 1024 * 1024
"""Bytes of a file in one answer."""
MOST_FILES = 50_000
"""Files that are told of."""
_NEVER = frozenset({"environment", "lock", "control.sock"})
_OF_A_RUN = re.compile(r"(?:spec\.json|prompt\.md|context\.json|exit|output(?:\.\d+)?)")
_OF_A_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def listed(folder: Path) -> dict[str, Any]:
    """What `files.list` answers: `{files: [{path, size, time}], more}`, by path."""
    found = sorted(_files(folder))
    files = [{"path": path, "size": size, "time": time} for path, size, time in found[:MOST_FILES]]
    return {"files": files, "more": len(found) > MOST_FILES}


def _files(folder: Path) -> Iterator[tuple[str, int, float]]:
    for name, status in _regular(folder):
        if _OF_A_SESSION.fullmatch(name) and name not in _NEVER:
            yield name, status.st_size, status.st_mtime
    for inner, wanted in (("report", _OF_A_SESSION), ("runs", None)):
        try:
            with os.scandir(folder / inner) as entries:
                below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)] if not wanted else [""]
        except OSError:
            continue
        for run in below:
            for name, status in _regular(folder / inner / run if run else folder / inner):
                if (wanted or _OF_A_RUN).fullmatch(name) and name not in _NEVER:
                    yield "/".join(part for part in (inner, run, name) if part), status.st_size, status.st_mtime


def _regular(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield entry.name, status
    except OSError:
        return


def is_told(path: str) -> bool:
    """Whether a path is one that `listed` may tell of."""
    parts = path.split("/")
    if parts[-1] in _NEVER or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        return False
    if len(parts) == 1 or (len(parts) == 2 and parts[0] == "report"):
        return _OF_A_SESSION.fullmatch(parts[-1]) is not None
    return len(parts) == 3 and parts[0] == "runs" and _OF_A_RUN.fullmatch(parts[2]) is not None


def read(folder: Path, path: str, offset: int, limit: int, mask: Mask) -> dict[str, Any]:
    """What `files.read` answers: `{data, next, size}`; `data` are the masked bytes from `offset` to `next` of the file.

    A piece ends with a line where it can, so that no secret is cut in two. Where it does not, or begins in the midst of
    one, what may be part of a secret at its ends is masked too. Raises NotFoundError.
    """
    missing = NotFoundError(f"no file {path!r} in the session's folder")
    if not is_told(path):
        raise missing
    wanted = max(1, min(limit, MAX_READ))
    try:
        root = os.open(folder, FOLDER)
        try:
            with Folders(root) as folders:
                parent, name = folders.parent(os.fsencode(path))
                fd = os.open(name, READ, dir_fd=parent)
        finally:
            os.close(root)
        with os.fdopen(fd, "rb") as file:
            size = os.fstat(fd).st_size
            start = min(offset, size)
            file.seek(max(0, start - 1))
            before = file.read(1) if start else b"\n"
            raw = file.read(wanted)
    except OSError:
        raise missing from None
    if len(raw) == wanted and (end := raw.rfind(b"\n") + 1):
        raw = raw[:end]
    whole_lines = before == b"\n" and (raw.endswith(b"\n") or not raw)
    return {"data": _masked(raw, mask.text if whole_lines else mask.tail), "next": start + len(raw), "size": size}


def _masked(data: bytes, mask: Callable[[str], str]) -> bytes:
    return mask(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")
