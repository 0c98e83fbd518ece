"""A workspace to take snapshots of, with helpers that look at it byte for byte."""

# ruff: noqa: PTH114, PTH115, PTH118, PTH123
from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from waved.workspace.records import SnapshotLimits
from waved.workspace.shadow import Shadow

WHO = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
Tree = dict[bytes, tuple[str, int, bytes]]

if shutil.which("git") is None:
    pytest.skip("no git", allow_module_level=True)


def git(folder: Path, *arguments: str) -> str:
    """The user's own git."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, env={**os.environ, **WHO}, capture_output=True, text=True
    )
    return done.stdout


def tree(root: Path, without: tuple[bytes, ...] = (b".git",)) -> Tree:
    """Every file and link below a folder: kind, permissions, content."""
    found: Tree = {}
    start = os.fsencode(root)
    for folder, folders, names in os.walk(start):
        folders[:] = [name for name in folders if name not in without]
        for name in [*names, *(name for name in folders if os.path.islink(os.path.join(folder, name)))]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            key = os.path.relpath(path, start)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", 0, os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    found[key] = ("file", stat.S_IMODE(status.st_mode), file.read())
            else:
                found[key] = ("other", 0, b"")
    return found


def exactly(folder: Path) -> dict[str, tuple[object, ...]]:
    """All there is to see of a folder: content, permissions, times, inodes, of folders too."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, content)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A plain folder with a few files."""
    folder = tmp_path / "ws"
    (folder / "src").mkdir(parents=True)
    (folder / "README.md").write_text("# read me\n")
    (folder / "src" / "app.ts").write_text("const one = 1;\n")
    (folder / "src" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "src" / "run.sh").chmod(0o755)
    return folder


@pytest.fixture
def repository(workspace: Path) -> Path:
    """The same as a git repository with one commit."""
    git(workspace, "init", "-q", "-b", "main")
    git(workspace, "add", "-A")
    git(workspace, "commit", "-qm", "first")
    return workspace


@pytest.fixture
def limits() -> SnapshotLimits:
    return SnapshotLimits(max_file=100_000, min_free=0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def shadow(workspace: Path, state: Path, limits: SnapshotLimits) -> Iterator[Shadow]:
    """The snapshots of the workspace; afterwards nothing temporary may be left in it, and the store is whole."""
    opened = Shadow.open(state, workspace, limits)
    yield opened
    if workspace.is_dir() and not workspace.is_symlink():
        assert not list(workspace.rglob(".waved-restoring-*"))
    (store,) = state.glob("snapshots/*/git")
    checked = subprocess.run(
        ["git", f"--git-dir={store}", "fsck", "--full", "--strict", "--no-dangling"], capture_output=True, check=False
    )
    # Names that git warns about are names all the same.
    assert checked.returncode == 0 or b"missing" not in checked.stderr + checked.stdout, checked.stderr
    assert not list(store.rglob("*.lock"))
