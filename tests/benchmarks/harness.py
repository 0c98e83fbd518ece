"""A daemon of its own for a benchmark: started in a temporary folder, ended and removed afterwards."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.probe import BenchmarkError, cache
from wavectl import Client

ROOT = Path(__file__).resolve().parents[2]
KEPT_SIZE = 20_000_000
"""Bytes; what is larger is removed at once."""


class Daemon:
    """A running `waved` with nothing in its state folder, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.environ = {
            **os.environ,
            "WAVED_STATE_DIR": str(folder / "state"),
            "WAVED_RUNTIME_DIR": str(folder / "run"),
            # Written beside the daemon when a session has ended: in the next repetition's time.
            "WAVED_REPORTS": "0",
            "PYTHONPATH": str(ROOT),
            # Compiled once, as an installed program is, and not in each command that is timed.
            "PYTHONPYCACHEPREFIX": str(cache() / "bytecode"),
        }
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "waved", "--ready-fd", str(writing)]
        nothing = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, env=self.environ, cwd=folder, stdin=nothing, stdout=nothing, stderr=nothing, pass_fds=[writing]
        )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.readline().strip()
        if said != "ready":
            self.process.wait()
            raise BenchmarkError(f"waved did not start: {said or 'it ended without a word'}")
        self.client = Client(str(folder / "run" / "control.sock"), timeout=60.0)
        self._settle()

    @property
    def state(self) -> Path:
        """The daemon's state folder."""
        return Path(self.environ["WAVED_STATE_DIR"])

    def wavectl(self, *words: str) -> list[str]:
        """The command line of `wavectl` on this daemon (with `environ`)."""
        return [str(Path(sys.executable).with_name("wavectl")), *words]

    def events(self, session: str, kind: str) -> list[dict[str, Any]]:
        """The session's events of one kind."""
        return [event for event in self.client.events(session) if event["kind"] == kind]

    def deploy(self, agents: list[dict[str, Any]], **options: Any) -> str:
        """Submits agents as one wave; returns the session's id without waiting for it."""
        accepted = self.client.deploy(agents, workspace=self.workspace, wait=False, **options)
        return str(accepted["session"])

    def ended(self, session: str, seconds: float = 120.0) -> dict[str, Any]:
        """Waits for the session's end; raises BenchmarkError when it did not succeed."""
        view = self.client.wait(session, seconds)
        if view["outcome"] != "succeeded":
            raise BenchmarkError(f"session {session} {view['outcome'] or view['state']}: {view['reason']}")
        return view

    def family(self) -> list[psutil.Process]:
        """Every process below the daemon: zygote, workers, agents."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def _settle(self) -> None:
        """Waits until the daemon and its zygote have come to rest: "running" is measured, not "starting"."""
        spent, deadline = -1.0, time.monotonic() + 10
        while time.monotonic() < deadline:
            processes = [psutil.Process(self.process.pid), *self.family()]
            now = sum(sum(process.cpu_times()[:2]) for process in processes)
            if now == spent:
                return
            spent = now
            time.sleep(0.2)
        raise BenchmarkError("waved did not come to rest within 10 s of its start")

    def close(self) -> None:
        """Ends the daemon and whatever it still runs."""
        family = self.family()
        try:
            self.client.daemon_stop("stop")
        finally:
            self.client.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            for process in psutil.wait_procs(family, timeout=5)[1]:
                process.kill()


@contextmanager
def daemon() -> Iterator[Daemon]:
    """A fresh daemon: nothing is warm, the journal is empty."""
    with scratch() as folder:
        running = Daemon(folder)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder with a short name (unix sockets allow 107 bytes); a small one is removed at exit.

    Not before: a file system may look at each file that was deleted a moment ago when one is made (ext4 without a
    journal does for a minute), and the repetitions that follow would pay for those before.
    """
    folder = Path(tempfile.mkdtemp(prefix="wb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yield folder
    if sum(path.lstat().st_size for path in folder.rglob("*")) > KEPT_SIZE:
        shutil.rmtree(folder, ignore_errors=True)


def pss(pid: int) -> int:
    """Proportional set size in bytes: shared pages counted in shares, so that forked processes add up."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"the kernel says no PSS for process {pid}")
