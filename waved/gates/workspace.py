"""Looking at a workspace before agents change it: can it be used, what git says of it, how much room there is (C1)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from waved.gates.shown import count, shown, size

GIT_PATIENCE = 20.0
"""Seconds git gets to say which files are changed; a very large repository with a cold cache takes some."""


def write_problem(folder: Path) -> str:
    """Why a file cannot be made in `folder`; "" when it can. Nothing is left behind, whatever happens meanwhile."""
    try:
        # On Linux this file has no name (O_TMPFILE): it is never seen in the folder, and gone with the process.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"waved")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def is_repository(folder: Path) -> bool:
    """Whether the folder lies in a git repository; does not need git."""
    return any((place / ".git").exists() for place in (folder, *folder.parents))


@dataclass(frozen=True, slots=True)
class GitStatus:
    """What git says of a workspace; `problem` is not empty when it could not be asked."""

    branch: str = ""
    uncommitted: int = 0
    problem: str = ""
    hint: str = ""

    @property
    def text(self) -> str:
        """For a person: "branch main, 3 uncommitted files"."""
        changed = count(self.uncommitted, "uncommitted file") if self.uncommitted else "nothing uncommitted"
        return f"branch {shown(self.branch)}, {changed}"


def git_status(folder: Path, patience: float = GIT_PATIENCE) -> GitStatus:
    """Branch and number of uncommitted files. Takes no lock in the repository and never waits longer than asked."""
    # core.fsmonitor would let the repository's own configuration start a program of its choice.
    argv = ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch", "-z"]
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        env.pop(name, None)
    try:
        # Not subprocess.run: after its timeout it waits for the end, which a process on a dead mount never reaches.
        git = subprocess.Popen(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        hint = "install git (Debian: apt install git), or take .git away from the workspace"
        return GitStatus(problem="the workspace is a git repository, but there is no git program", hint=hint)
    except OSError as error:
        return GitStatus(problem=f"git cannot be started: {error.strerror}")
    try:
        output, errors = git.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        git.kill()
        _close(git)
        hint = "is the file system slow or gone? Try `git status` there by hand"
        return GitStatus(problem=f"git status gave no answer within {patience:g} s", hint=hint)
    if git.returncode != 0:
        return _refused(errors)
    return _parse(output)


def _close(git: subprocess.Popen[bytes]) -> None:
    for pipe in (git.stdout, git.stderr):
        if pipe is not None:
            pipe.close()
    try:
        git.wait(timeout=1)
    except subprocess.TimeoutExpired:
        # Stuck in the kernel; Popen remembers it and reaps it when another process is started.
        return


def _refused(errors: bytes) -> GitStatus:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    said = shown(lines[0].removeprefix("fatal: ")) if lines else "it gave no reason"
    hint = "try `git status` in the workspace by hand"
    if "dubious ownership" in said:
        hint = "the repository belongs to another user; as the daemon's user: git config --global safe.directory PATH"
    return GitStatus(problem=f"git status failed: {said}", hint=hint)


def _parse(output: bytes) -> GitStatus:
    branch, uncommitted = "", 0
    records = iter(output.decode("utf-8", "surrogateescape").split("\0"))
    for record in records:
        if record.startswith("# branch.head "):
            branch = record.removeprefix("# branch.head ")
        elif record.startswith("2 "):
            # A renamed file: its former name is a record of its own.
            next(records, None)
            uncommitted += 1
        elif record and not record.startswith("#"):
            uncommitted += 1
    return GitStatus(branch=branch, uncommitted=uncommitted)


def disk_problem(folder: Path, wanted: int) -> tuple[str, str]:
    """What is wrong with the room on the file system of `folder` ("" if nothing), and how much there is, as texts.

    A folder that does not exist yet is judged by the one it will be made in. Raises OSError.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    told = f"{size(free)} free"
    if free < wanted:
        return f"only {told}, {size(wanted)} wanted", told
    if status.f_files and not status.f_favail:
        return "no more files can be made (out of inodes)", told
    return "", told
