"""The peers waved is measured beside, and their installation: `python -m tests.benchmarks.peers`.

Python peers stand in a virtual environment of their own under the cache folder, pm2 beside it; GNU parallel and make
are Debian's. What is not there is skipped, and said.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import zmq

from tests.benchmarks.probe import BenchmarkError, cache

PYTHON_PEERS = ("supervisor", "circus", "honcho", "doit", "luigi")


def find(program: str) -> Path | None:
    """A peer's program: of the cache folder, else of PATH."""
    for folder in (cache() / "peers" / "bin", cache() / "pm2" / "node_modules" / ".bin"):
        if (folder / program).exists():
            return folder / program
    found = shutil.which(program)
    return Path(found) if found else None


def need(program: str) -> str:
    """The program's path; raises BenchmarkError saying how to get it."""
    found = find(program)
    if found is None:
        raise BenchmarkError(f"{program} is not installed (python -m tests.benchmarks.peers)")
    return str(found)


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Waits for a peer; raises BenchmarkError naming what did not come to be."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def quietly(command: Sequence[str], environ: Mapping[str, str] | None = None, *, check: bool = True) -> None:
    """Runs a command whose output nobody wants; with `check`, BenchmarkError when it fails."""
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        command, env=environ, check=False, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, timeout=120
    )
    if check and done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-300:]
        raise BenchmarkError(f"{Path(command[0]).name} failed with status {done.returncode}: {said}")


@contextmanager
def running(
    command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, ended with its whole group."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env=environ, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- supervisord ----------------------------------------------------------------------------------------------------


class _UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.host.replace("|", "/"))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(str(self._path).replace("/", "|"))


class Supervisord:
    """A supervisord that knows programs `a0`, `a1`, … of group `a`, none of them started."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process
        self.rpc = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(folder / "s.sock")).supervisor

    def start(self) -> None:
        """Starts the group through its XML-RPC, without waiting for the programs to stay up."""
        self.rpc.startProcessGroup("a", False)

    def ctl(self) -> list[str]:
        """The shell command that starts the group."""
        return [need("supervisorctl"), "-c", str(self.folder / "supervisord.conf"), "start", "a:*"]


@contextmanager
def supervisord(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[Supervisord]:
    """A supervisord with these programs; each one's stdout goes to `aN.out` in the folder, unlimited."""
    programs = [
        f"[program:a{number}]\ncommand={' '.join(command)}\nautostart=false\nautorestart=false\nstartsecs=0\n"
        f"stdout_logfile={folder}/a{number}.out\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n"
        for number, command in enumerate(commands)
    ]
    names = ",".join(f"a{number}" for number in range(len(commands)))
    (folder / "supervisord.conf").write_text(
        f"[unix_http_server]\nfile={folder}/s.sock\n"
        f"[supervisord]\nnodaemon=true\nminfds=4096\nlogfile={folder}/s.log\npidfile={folder}/s.pid\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{folder}/s.sock\n[group:a]\nprograms={names}\n" + "".join(programs)
    )
    with running([need("supervisord"), "-c", str(folder / "supervisord.conf")], folder) as process:
        peer = Supervisord(folder, process)

        def answers() -> bool:
            try:
                return peer.rpc.getState()["statecode"] == 1  # type: ignore[index,call-overload]
            except (OSError, http.client.HTTPException, xmlrpc.client.Error):
                return False

        until(answers, "supervisord answers")
        yield peer


# --- circus ---------------------------------------------------------------------------------------------------------


class Circusd:
    """A circusd with one stopped watcher a program."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"ipc://{folder}/c.sock"

    def start(self) -> None:
        """Sends the wire command that starts all watchers."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as channel:
            channel.linger = 1000
            channel.connect(self.endpoint)
            channel.send(json.dumps({"id": "1", "command": "start", "properties": {}}).encode())
            if not channel.poll(60_000):
                raise BenchmarkError("circusd gave no answer")
            channel.recv()

    def ctl(self) -> list[str]:
        """The shell command that starts all watchers."""
        return [need("circusctl"), "--endpoint", self.endpoint, "start"]


@contextmanager
def circusd(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[Circusd]:
    """A circusd with these programs: they were started and stopped again, since it leaves out at "start" what is not
    started with it. Whoever counts starts begins to count now.
    """
    watchers = [
        f"[watcher:a{number}]\ncmd={command[0]}\nargs={' '.join(command[1:])}\ngraceful_timeout=1\n"
        for number, command in enumerate(commands)
    ]
    head = f"[circus]\nendpoint=ipc://{folder}/c.sock\npubsub_endpoint=ipc://{folder}/p.sock\nwarmup_delay=0\n"
    (folder / "circus.ini").write_text(head + "".join(watchers))
    with running([need("circusd"), str(folder / "circus.ini")], folder):
        until((folder / "c.sock").exists, "circusd listens")
        ctl = [need("circusctl"), "--endpoint", f"ipc://{folder}/c.sock"]

        def all_are(state: str) -> bool:
            said = subprocess.run([*ctl, "status"], check=False, capture_output=True, text=True).stdout
            return sum(line.endswith(f": {state}") for line in said.splitlines()) == len(commands)

        until(lambda: all_are("active"), "circusd has started all")
        quietly([*ctl, "stop", "--waiting"], check=False)
        until(lambda: all_are("stopped"), "circusd has stopped all")
        yield Circusd(folder)


# --- pm2 ------------------------------------------------------------------------------------------------------------


@contextmanager
def pm2(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """A running pm2 daemon; the shell command that starts these programs, and its environment."""
    environ = {**os.environ, "PM2_HOME": str(folder / "pm2")}
    apps = [
        {
            "name": f"a{number}",
            "script": command[0],
            "args": list(command[1:]),
            "interpreter": "none",
            "autorestart": False,
        }
        for number, command in enumerate(commands)
    ]
    (folder / "apps.json").write_text(json.dumps({"apps": apps}))
    program = need("pm2")
    quietly([program, "ping"], environ)
    try:
        yield [program, "start", str(folder / "apps.json")], environ
    finally:
        quietly([program, "kill"], environ, check=False)


# --- installation ---------------------------------------------------------------------------------------------------


def install() -> int:
    """Installs what can be installed without Debian's package manager, and says what else there is."""
    home = cache() / "peers"
    if not home.exists():
        venv.create(home, with_pip=True)
    subprocess.run([str(home / "bin" / "pip"), "install", "-q", *PYTHON_PEERS], check=True)
    if npm := shutil.which("npm"):
        folder = cache() / "pm2"
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "pm2"], cwd=folder, check=True)
    programs = ("supervisord", "circusd", "honcho", "doit", "luigi", "pm2", "parallel", "make")
    missing = [program for program in programs if find(program) is None]
    print(f"in {cache()}: {', '.join(program for program in programs if program not in missing)}")
    if missing:
        print(f"missing: {', '.join(missing)} (Debian has: parallel, make, npm)")
    return 0


if __name__ == "__main__":
    sys.exit(install())
