"""git as a subprocess that sees nothing of the user's settings and starts nothing of theirs.

No GIT_* of the caller, no configuration of the user or the system, no hooks, no fsmonitor, no pager, no prompt; C
messages. `Git` works on a store; `beside` on the user's own repository, which it only ever asks.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from waved.workspace.records import SnapshotError, StoreFullError

OVERRIDES = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.quotePath": "false",
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    "core.looseCompression": "1",
    "core.bigFileThreshold": "64m",
    "pack.compression": "1",
    "pack.threads": "1",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "safe.directory": "*",
    "submodule.recurse": "false",
    "uploadpack.allowFilter": "false",
}
"""Settings of every git process, above those of any repository."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every git process."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "LC_")) and key != "LANGUAGE"
    }
    settings = {"GIT_CONFIG_COUNT": str(len(OVERRIDES))}
    for number, (key, value) in enumerate(OVERRIDES.items()):
        settings[f"GIT_CONFIG_KEY_{number}"] = key
        settings[f"GIT_CONFIG_VALUE_{number}"] = value
    fixed = {
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }
    return {**kept, **fixed, **settings, **(more or {})}


def failure(arguments: Sequence[str], status: int, said: bytes) -> SnapshotError | StoreFullError:
    """The error for a git process that failed; a full disk is told apart."""
    text = said.decode(errors="replace").strip()
    last = text.splitlines()[-1] if text else "it said nothing"
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return StoreFullError(
            "no room for a snapshot: the disk of the state folder is full",
            "make room there, or let snapshots expire",
        )
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return SnapshotError(f"git {arguments[0]} {how}: {last[-300:]}", "docs/snapshots.md says how to look by hand")


def start(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    cwd: Path | str | None = None,
    holding: int | None = None,
    **pipes: int | None,
) -> subprocess.Popen[bytes]:
    """Start git in a process group of its own, so that no Ctrl-C of a terminal ends it half-way.

    It stays in the daemon's session: what is in another fell to the daemon from a dead worker, and is ended
    (`waved.pool.survivors`). `holding`: a descriptor that it inherits.
    """
    fds = () if holding is None else (holding,)
    try:
        return subprocess.Popen(["git", *arguments], env=environ, cwd=cwd, process_group=0, pass_fds=fds, **pipes)  # type: ignore[call-overload,no-any-return]
    except FileNotFoundError as error:
        if error.filename == "git":
            raise SnapshotError(
                "snapshots need git, and there is no git in PATH", "install git 2.36 or newer"
            ) from None
        raise


def input_(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """The pipe a process reads from. Raises SnapshotError when it has none."""
    if process.stdin is None:
        raise SnapshotError("git was started without a pipe to write to")
    return process.stdin


def output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """The pipe a process writes to. Raises SnapshotError when it has none."""
    if process.stdout is None:
        raise SnapshotError("git was started without a pipe to read from")
    return process.stdout


def call(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    timeout: float,
    cwd: Path | str | None = None,
    stdin: bytes = b"",
    holding: int | None = None,
) -> tuple[int, bytes, bytes]:
    """Run git to its end: exit status, stdout, stderr. Raises SnapshotError when it takes too long."""
    pipe = subprocess.PIPE
    source = pipe if stdin else subprocess.DEVNULL
    process = start(arguments, environ, cwd, holding, stdin=source, stdout=pipe, stderr=pipe)
    with process:
        try:
            out, said = process.communicate(stdin or None, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise SnapshotError(f"git {arguments[0]} took longer than {timeout:g} s and was ended") from None
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, said


class Git:
    """git on the store at `git_dir`, as a bare repository. `lock`: the descriptor of the store's lock, if that is held.

    Each git then has it too. One that outlives its daemon, which was killed, goes on with what it was at: nobody else
    is to be at work there before it has ended.
    """

    def __init__(self, git_dir: Path, timeout: float, lock: int | None = None) -> None:
        self.git_dir = git_dir
        self.timeout = timeout
        self.lock = lock
        self.environ = environment({"GIT_DIR": str(git_dir)})

    def start(self, *arguments: str, **pipes: int | None) -> subprocess.Popen[bytes]:
        """Start git; whoever does waits for its end."""
        return start(arguments, self.environ, None, self.lock, **pipes)

    def run(self, *arguments: str, stdin: bytes = b"", timeout: float | None = None) -> bytes:
        """What git prints. Raises SnapshotError, or StoreFullError on a full disk."""
        status, out, said = call(arguments, self.environ, timeout or self.timeout, stdin=stdin, holding=self.lock)
        if status:
            raise failure(arguments, status, said)
        return out

    def bounded(self, limit: int, *arguments: str) -> tuple[bytes, bool]:
        """At most `limit` bytes of what git prints, and whether there was more."""
        nothing = subprocess.DEVNULL
        process = self.start(*arguments, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
        with process:
            out = output(process).read(limit + 1)
            if len(out) > limit:
                process.kill()
                return out[:limit], True
        if process.returncode:
            raise failure(arguments, process.returncode, b"")
        return out, False
