"""Where documented commands are typed: somebody's machine with a repository, a plan, a daemon, a session as needed.

The repository is a small shop. Its sessions are called `checkout`, their agents `frontend`, `backend` and `tests`, as
in the documents. What a reader would read off his screen (ids, keys) is read off here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.documented import stand_ins
from tests.documented.forked import Forking, is_simple
from tests.documents import ROOT, Page
from tests.integration.guarded import CORRUPTION, GOOD, git
from tests.live import agent_of, plan_of, processes_of, wait_for, wave_of
from tests.tutorial import Reader
from wavectl import Client, remote
from waved.errors import ConflictError, NoDaemonError, NotFoundError
from waved.ipc.keys import new_pair, read_pair, write_pair

WORK = "sleep 60"
BAD = "const const cart = 1"


class World:
    """One reader, his machine, and how far he has come. Everything lies below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reader = Reader(folder)
        self.home = self.reader.home
        self.shop = self.home / "shop"
        self.session = ""
        """The newest one, when it was looked at last."""
        self._prepared: set[str] = set()
        self.host = f"127.0.0.1:{_free_port()}"
        stand_ins.install(folder / "bin")
        (folder / "tmp").mkdir()
        self.reader.environment |= {
            "PATH": f"{folder / 'bin'}:{self.reader.environment['PATH']}",
            "BROWSER": str(folder / "bin" / "browser"),
            "TMPDIR": str(folder / "tmp"),
            # A report at the end of each session would cost more than all else; `wavectl report` makes one when asked.
            "WAVED_REPORTS": "0",
        }
        self._forking = Forking(folder / "tmp" / "printed")
        self._make_home()
        self.states: dict[str, Callable[[], None]] = {
            "shop": lambda: None,
            "no plan": lambda: (self.shop / "plan.toml").unlink(missing_ok=True),
            "pages": self.with_pages,
            "daemon": self.with_daemon,
            "ended": self.ended,
            "failed": self.failed,
            "running": self.running,
            "held": self.held,
            "idle": self.idle,
            "no key": self.without_key,
            "key": self.with_key,
            "known": self.known,
            "daemon to end": self.idle,
            "no daemon": self.without_daemon,
        }
        """What a command may need, and how it is brought about; in the order in which that costs least."""
        self.typed: set[str] = set()
        """The commands he has typed; each is typed once, however many pages show it."""

    def _make_home(self) -> None:
        config = self.home / ".config" / "waved"
        config.mkdir(parents=True)
        (config / "waved.toml").write_text(f'listen = "tcp://{self.host}"\n')
        for name in ("backup", "new"):
            (self.home / name).mkdir()
        (self.shop / "src").mkdir(parents=True)
        for name in ("app.ts", "cart.js", "cart.ts"):
            (self.shop / "src" / name).write_text(GOOD)
        self.reader.place = self.shop
        self.reader.run("git init -q && git add -A && git commit -qm 'A small shop'")

    @property
    def socket(self) -> Path:
        """Where the daemon listens."""
        return Path(self.reader.environment["XDG_RUNTIME_DIR"]) / "waved" / "control.sock"

    def client(self) -> Client:
        """A client of the daemon."""
        return Client(str(self.socket))

    def prepare(self, state: str) -> None:
        """Have it so: the reader stands in the shop, his plan is there. With "" all is as the last command left it."""
        if not state:
            return
        self.reader.place = self.shop
        (plan,) = [block for block in Page(ROOT / "README.md").blocks if block.language == "toml"]
        (self.shop / "plan.toml").write_text(plan.text)
        self.states[state]()

    def type(self, command: str) -> tuple[int, str]:
        """Type a command: its exit status, and what it printed."""
        if is_simple(command):
            return self._forking.run(command, self.reader.place, self.reader.environment)
        printed = self.reader.run(command)
        return self.reader.status, printed

    def end(self) -> None:
        """Nothing runs any more."""
        self._forking.end()
        self.reader.run("wavectl daemon stop --sessions stop")
        wait_for(lambda: not processes_of(self.folder), 10, lambda: f"left behind: {processes_of(self.folder)}")
        shutil.rmtree(self.folder)

    # --- the daemon ---

    def with_daemon(self) -> None:
        """One that answers."""
        try:
            with self.client() as client:
                client.daemon_status()
        except NoDaemonError:
            status, printed = self.type("wavectl daemon start")
            assert status == 0, printed

    def without_daemon(self) -> None:
        """None, and nothing it would leave."""
        self.type("wavectl daemon stop --sessions stop")
        wait_for(lambda: not processes_of(self.folder), 10, lambda: f"left behind: {processes_of(self.folder)}")

    def idle(self) -> None:
        """No session goes on."""
        self.with_daemon()
        with self.client() as client:
            for one in client.request("session.list", {})["sessions"]:
                if one["state"] != "ended":
                    with suppress(ConflictError):  # it has ended meanwhile
                        client.request("session.stop", {"session": one["session"]})
                    client.wait(one["session"])

    # --- sessions ---

    def view(self) -> dict[str, Any]:
        """The newest session's; nothing if there is none."""
        self.with_daemon()
        with self.client() as client:
            found = client.request("session.list", {})["sessions"]
            self.session = found[0]["session"] if found else ""
            return client.request("session.status", {"session": self.session}) if found else {"state": "none"}

    def submit(self, frontend: str, backend: str, until: str, **more: Any) -> None:
        """A new session of the agents `frontend`, `backend` and `tests`, until it is in that state."""
        self.idle()
        agents = [agent_of("frontend", frontend, owns=["src/**"]), agent_of("backend", backend)]
        plan = {**plan_of(wave_of("build", *agents, agent_of("tests", "echo 3 passed")), name="checkout"), **more}
        environment = {"base": {"PATH": self.reader.environment["PATH"], "HOME": str(self.home)}}
        with self.client() as client:
            asked = {"plan": plan, "workspace": str(self.shop), "environment": environment}
            self.session = client.request("session.submit", asked)["session"]
        self._prepared.add(self.session)
        wait_for(lambda: self._is(self.view(), until), what=lambda: str(self.view()))

    def _is(self, view: Mapping[str, Any], state: str) -> bool:
        if view.get("session") not in self._prepared:  # one that a documented command has begun
            return False
        if state == "running":
            return bool(view["state"] == state and view["agents"]["running"] >= 2)
        return bool((view["state"] == "ended" and view["outcome"] == state) or view["state"] == state)

    def ended(self) -> None:
        """The newest session has succeeded."""
        if not self._is(self.view(), "succeeded"):
            self.submit(f"echo {shlex.quote(GOOD)} > src/app.ts", "echo ready", "succeeded")

    def failed(self) -> None:
        """The newest session has failed, by its backend."""
        if not self._is(self.view(), "failed"):
            self.submit("true", "echo no; exit 1", "failed")

    def running(self) -> None:
        """Two agents are at work."""
        if not self._is(self.view(), "running"):
            self.submit(WORK, WORK, "running")

    def held(self) -> None:
        """The frontend has broken two files; a person is waited for."""
        if not self._is(self.view(), "held"):
            broken = f"echo '{BAD}' > src/cart.ts; echo '{BAD}' > src/cart.js; {WORK}"
            for name in ("cart.js", "cart.ts"):
                (self.shop / "src" / name).write_text(GOOD)
            self.submit(broken, WORK, "held", monitor=[{**CORRUPTION, "reactions": ["hold"]}])

    @property
    def store(self) -> Path:
        """The folder of the shop's snapshots."""
        (found,) = (self.home / ".local" / "state" / "waved" / "snapshots").iterdir()
        return found

    @property
    def commits(self) -> list[str]:
        """The snapshots, as git knows them."""
        return git(
            self.store, "--git-dir=git", "for-each-ref", "--format=%(objectname)", "refs/waved/snapshots"
        ).split()

    # --- keys ---

    @property
    def key_file(self) -> Path:
        """Where his own key pair is."""
        return remote.client_key(self.reader.environment)

    def without_key(self) -> None:
        """A reader who never made one."""
        self.with_daemon()
        self.key_file.unlink(missing_ok=True)

    def with_key(self) -> None:
        """He has one; the daemon does not know it."""
        self.with_daemon()
        if not self.key_file.exists():
            write_pair(self.key_file, new_pair())
        with self.client() as client, suppress(NotFoundError):
            client.request("keys.revoke", {"key": "laptop"})

    def known(self) -> None:
        """He and the daemon know each other."""
        self.ended()
        self.with_key()
        with self.client() as client:
            client.request("keys.authorize", {"key": self.key, "role": "control", "name": "laptop"})
        self.type(f"wavectl keys trust {self.host} {self.server_key}")

    @property
    def key(self) -> str:
        """The public half of his key."""
        return read_pair(self.key_file).public

    @property
    def server_key(self) -> str:
        """The daemon's public key."""
        with self.client() as client:
            return str(client.request("keys.server")["key"])

    # --- the project ---

    def with_pages(self) -> None:
        """He stands in a clone of the project; it is a copy of its documents."""
        self.reader.place = self.folder / "project"
        if not self.reader.place.exists():
            shutil.copytree(ROOT / "docs", self.reader.place / "docs", ignore=shutil.ignore_patterns("__pycache__"))

    def changed_pages(self) -> list[str]:
        """Documents that differ from the project's."""
        copy = self.folder / "project"
        files = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return [str(path) for path in files if (copy / path).read_bytes() != (ROOT / path).read_bytes()]


def _free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


def user_environment(world: World) -> dict[str, str]:
    """The reader's environment, for programs that a terminal is made for."""
    return {**os.environ, **world.reader.environment}
