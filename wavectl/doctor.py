"""What is on this machine of all that waved can make use of. Nothing is changed, no model is called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from waved.agents.registry import find_program, program_names
from waved.errors import WavedError
from waved.version import __version__

PATIENCE = 20.0
"""Seconds a program gets to say its version. Some of them start slowly."""
_FEW_WATCHES = 65_536


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` None: it is not there, or cannot be told, and need not be."""

    what: str
    ok: bool | None
    version: str = ""
    detail: str = ""
    hint: str = ""
    needed: bool = False
    """Without it nothing works."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def examine(socket: str | None) -> list[Finding]:
    """Everything, agent programs last; they are asked for their versions all at once."""
    found = [_python(), _daemon(socket), _git(), *_kernel(), _sandbox()]
    names = [name for name in program_names() if name != "command"]
    with ThreadPoolExecutor(max(1, len(names))) as threads:
        return [*found, *threads.map(_program, names)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), version, needed=True)


def _daemon(socket: str | None) -> Finding:
    from wavectl import Client

    try:
        with Client(socket, timeout=2.0) as client:
            status = client.request("daemon.status", {})
    except WavedError as error:
        return Finding("waved", None, __version__, "no daemon answers", hint=error.hint or "`wavectl run` starts one")
    problems = "; ".join(status["problems"])
    other = "" if status["version"] == __version__ else f"wavectl is {__version__}: `wavectl daemon upgrade`"
    return Finding("waved", not problems, status["version"], problems or f"pid {status['pid']}", hint=other)


def _git() -> Finding:
    version = _version_of(["git", "--version"])
    hint = "" if version else "install it: sudo apt-get install git"
    return Finding("git", bool(version), version, hint=hint, needed=True)


def _kernel() -> Iterator[Finding]:
    yield Finding("linux", True, os.uname().release)
    controllers = Path("/sys/fs/cgroup/cgroup.controllers")
    if controllers.exists():
        yield Finding("control groups", True, "v2", controllers.read_text(encoding="ascii").strip())
    else:
        yield Finding("control groups", None, detail="no cgroup v2: runs are ended by walking their process trees")
    try:
        watches = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    few = watches < _FEW_WATCHES
    hint = "large workspaces are polled; sysctl fs.inotify.max_user_watches=524288" if few else ""
    yield Finding("inotify", None if few else True, detail=f"{watches} folders can be watched", hint=hint)


def _sandbox() -> Finding:
    version = _version_of(["bwrap", "--version"])
    return Finding("bubblewrap", True if version else None, version, "" if version else "not installed")


def _program(name: str) -> Finding:
    try:
        program = find_program(name)
    except WavedError as error:
        return Finding(name, False, detail=error.message, hint=error.hint)
    path = shutil.which(program.executable) if program.executable else None
    if path is None:
        return Finding(name, None, detail="not installed", hint=program.install_hint)
    printed = _printed([path, *program.version_command[1:]]) if program.version_command else ""
    login = program.login_check(os.environ, Path.home())
    said = {True: "logged in", False: "not logged in", None: "login unknown"}[login.ok]
    version = program.version_in(printed)
    if program.version_command and not version:
        return Finding(name, False, detail=f"{path} does not tell its version", hint=program.install_hint)
    return Finding(name, login.ok, version, said + (f": {login.detail}" if login.detail else ""))


def _version_of(command: list[str]) -> str:
    found = re.search(r"\d+(?:\.\d+)+", _printed(command))
    return found.group() if found else ""


def _printed(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False, text=True,
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
