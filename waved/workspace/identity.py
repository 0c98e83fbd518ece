"""Which folder a store belongs to: never restore into another one (LESSONS of other tools: docs/snapshots.md).

A store is found by the workspace's real path and remembers its inode. While a `Root` is open, the folder at that path
must stay the same device and inode.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from waved.workspace.records import WorkspaceChangedError

FILE = "workspace.json"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def real(workspace: Path) -> Path:
    """The real path of a workspace. Raises WorkspaceChangedError when there is no such folder."""
    try:
        path = workspace.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WorkspaceChangedError(f"the workspace {workspace} cannot be reached: {error}") from None
    if not path.is_dir():
        raise WorkspaceChangedError(f"the workspace {workspace} is no folder")
    return path


def folder_name(workspace: Path) -> str:
    """The store's folder name for a real path: readable, and different for each path."""
    digest = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', workspace.name)[:40].strip('-.') or 'root'}-{digest}"


def write(folder: Path, workspace: Path) -> None:
    """Remember that the store in `folder` is of the folder that is at `workspace` now."""
    status = workspace.lstat()
    content = {"path": os.fsencode(workspace).hex(), "shown": str(workspace.name), "inode": status.st_ino}
    content["shown"] = os.fsencode(workspace).decode(errors="replace")
    temporary = folder / (FILE + ".new")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.rename(folder / FILE)


def check(folder: Path, workspace: Path) -> None:
    """Raise WorkspaceChangedError unless the store in `folder` is of what is at `workspace` now."""
    try:
        content = json.loads((folder / FILE).read_text())
        path, inode = bytes.fromhex(content["path"]), int(content["inode"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceChangedError(
            f"{folder / FILE} cannot be read, so nobody knows which folder these snapshots are of: {error}",
            "adopt the workspace again, or put the store aside",
        ) from None
    if path != os.fsencode(workspace):
        raise WorkspaceChangedError(f"the snapshots in {folder} are of {os.fsdecode(path)}, not of {workspace}")
    if inode != workspace.lstat().st_ino:
        raise WorkspaceChangedError(
            f"{workspace} is not the folder it was when its snapshots were taken: it was replaced",
            "if this is meant (a fresh copy of the same work), adopt it",
        )


class Root:
    """The workspace's folder, held open; every path below is reached from its descriptor."""

    def __init__(self, workspace: Path, known: tuple[int, int]) -> None:
        self.workspace = workspace
        try:
            self.fd = os.open(workspace, _FOLDER)
        except OSError as error:
            raise WorkspaceChangedError(f"the workspace {workspace} is gone: {error.strerror}") from None
        status = os.fstat(self.fd)
        if (status.st_dev, status.st_ino) != known or workspace.resolve() != workspace:
            os.close(self.fd)
            raise WorkspaceChangedError(
                f"{workspace} is not the folder it was when the session began: it was moved away, replaced or linked",
                "nothing was read or changed; bring the folder back",
            )

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
