"""A real daemon for tests: started in a folder of its own, asked through the real client, ended without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wavectl import Client

PATIENCE = 30.0
"""Seconds a test waits for a condition; generous, because machines are shared. Nothing ever sleeps this long."""


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE, what: Callable[[], str] | str = "") -> Any:
    """Wait until `condition` returns something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        begun = time.monotonic()
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        # What is waited for needs the processor more than whoever looks.
        time.sleep(min(0.25, max(0.01, 4 * (time.monotonic() - begun))))


def processes_of(folder: Path) -> list[str]:
    """Every process that names `folder` in its command line or environment: "pid command line"."""
    found = []
    marker = str(folder).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            if marker in line or marker in (entry / "environ").read_bytes():
                found.append(f"{entry.name} {line.replace(bytes(1), b' ').decode(errors='replace')}")
        except OSError:
            continue
    return found


class Daemon:
    """A daemon process whose state and runtime folders lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "s"
        self.runtime = folder / "r"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "WAVED_STATE_DIR": str(self.state),
            "WAVED_RUNTIME_DIR": str(self.runtime),
        }
        self.environment.pop("WAVED_SOCKET", None)
        self.prefix: list[str] = []
        """What the daemon is started through: `prlimit …`."""
        self.socket = self.runtime / "control.sock"

    def start(self, *options: str, may_die: bool = False) -> str:
        """Start it; returns what it said of itself ("ready"), nothing if it died (only with `may_die`)."""
        reading, writing = os.pipe()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "waved", "--ready-fd", str(writing), *options],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing],
            )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as file:
            said = file.readline().strip()
        assert said or may_die, f"the daemon said nothing: {self.log.read_text()}"
        return said

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self.process is not None
        return self.process.pid

    def client(self, **options: Any) -> Client:
        """A client of this daemon."""
        return Client(str(self.socket), **options)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def end(self) -> None:
        """End all sessions and the daemon."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.process = None

    def submit(self, plan: Mapping[str, Any], workspace: Path, **options: Any) -> str:
        """Submit a plan with this process's PATH; returns the session."""
        with self.client() as client:
            params = {
                "plan": dict(plan), "workspace": str(workspace),
                "environment": {"base": {"PATH": os.environ["PATH"], "HOME": str(self.folder)}}, **options,
            }  # fmt: skip
            return str(client.request("session.submit", params)["session"])

    def run(self, plan: Mapping[str, Any], workspace: Path, **options: Any) -> dict[str, Any]:
        """Submit a plan and wait for its end; returns the view."""
        return self.settled(self.submit(plan, workspace, **options))

    def settled(self, session: str) -> dict[str, Any]:
        """The view of a session once it has ended or is held."""
        with self.client() as client:
            return client.wait(session, timeout=PATIENCE)

    def view(self, session: str = "") -> dict[str, Any]:
        """The session's view now."""
        with self.client() as client:
            return client.request("session.status", {"session": session})

    def events(self, session: str) -> list[dict[str, Any]]:
        """All events of a session so far."""
        with self.client() as client:
            return list(client.events(session))

    def output(self, run: str) -> bytes:
        """All output of a run."""
        with self.client() as client:
            found = client.request("logs.read", {"session": run.partition("/")[0], "run": run, "limit": 4 << 20})
            return bytes(found["data"])


def plan_of(*waves: Mapping[str, Any], **session: Any) -> dict[str, Any]:
    """A plan with these waves."""
    return {"session": {"name": "t", "leftover_grace": "200ms", "stop_grace": "1s", **session}, "wave": list(waves)}


def wave_of(name: str, *agents: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A wave with these agents."""
    return {"name": name, "agent": list(agents), **more}


def agent_of(name: str, command: str | Sequence[str], **more: Any) -> dict[str, Any]:
    """An agent that runs a command (a text is run by the shell)."""
    return {"name": name, "command": command if isinstance(command, str) else list(command), **more}


def assignments(view: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The assignments of all waves in a view, by key."""
    return {item["key"]: item for wave in view["waves"] for item in wave["assignments"]}
