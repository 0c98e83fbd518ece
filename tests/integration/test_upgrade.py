"""`daemon.upgrade`: another version takes over in the same process; agents, clients and events notice nothing."""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import waved
from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from waved.errors import ConflictError

SOURCE = Path(waved.__file__).parent


class Installed(Daemon):
    """A daemon that runs from a package of its own, which a test can replace."""

    def __init__(self, folder: Path, package: Path) -> None:
        super().__init__(folder)
        self.site = folder / "site"
        shutil.copytree(package, self.site / "waved")
        self.environment["PYTHONPATH"] = str(self.site)
        self.environment["PYTHONSAFEPATH"] = "1"
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"

    def install(self, version: str, broken: str = "") -> None:
        """Replace the installed version by another one; `broken`: a module that cannot be imported in it."""
        (self.site / "waved" / "version.py").write_text(f'__version__ = "{version}"\n')
        if broken:
            (self.site / "waved" / broken).write_text("import nothing_of_that_name\n")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package, compiled: a file that a test replaces is noticed by its content, within the same second too."""
    made = tmp_path_factory.mktemp("package") / "waved"
    shutil.copytree(SOURCE, made, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(made, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return made


@pytest.fixture
def installed(short_tmp: Path, package: Path) -> object:
    daemon = Installed(short_tmp, package)
    assert daemon.start() == "ready"
    try:
        yield daemon
    finally:
        daemon.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def ticking(name: str) -> dict[str, object]:
    """An agent that prints a line every 10 ms until its file is there, and tells its second start."""
    loop = f"i=0; while [ ! -e go-{name} ]; do echo $i; i=$((i+1)); sleep 0.01; done"
    return agent_of(name, f"echo {name} >> ledger; touch up-{name}; {loop}")


@pytest.mark.torture
def test_three_upgrades_in_a_row_cost_nobody_anything(installed: Installed, workspace: Path) -> None:
    plan = plan_of(
        wave_of("w", ticking("a"), ticking("b"), ticking("c")), wave_of("next", agent_of("late", "touch late"))
    )
    session = installed.submit(plan, workspace)
    wait_for(lambda: all((workspace / f"up-{name}").exists() for name in "abc"))
    seen: list[dict[str, object]] = []

    def follow() -> None:
        with installed.client() as client:
            seen.extend(client.events(session, follow=True))

    follower = threading.Thread(target=follow)
    follower.start()
    for number, ending in enumerate("ab?", 1):
        installed.install(f"9.0.{number}")
        with installed.client() as client:
            before = client.daemon_status()
            if ending != "?":
                threading.Timer(0.2, (workspace / f"go-{ending}").touch).start()
            done = client.daemon_upgrade()
            status = client.daemon_status()
        assert done["to"] == status["version"] == f"9.0.{number}"
        assert status["pid"] == before["pid"] == installed.pid
        assert status["started"] > before["started"]
    view = wait_for(lambda: (now := installed.view(session)) and assignments(now)["b"]["state"] == "ended" and now)
    assert assignments(view)["c"]["state"] == "running"
    (workspace / "go-c").touch()
    view = installed.settled(session)
    follower.join(30)
    assert view["outcome"] == "succeeded"
    assert sorted((workspace / "ledger").read_text().split()) == ["a", "b", "c"]
    assert (workspace / "late").exists()
    assert seen == installed.events(session)
    for name in "abc":
        lines = installed.output(f"{session}/{name}#1").split()
        assert lines == [str(number).encode() for number in range(len(lines))], "no line was lost"


def test_a_version_that_cannot_run_is_refused_and_the_old_one_goes_on(installed: Installed, workspace: Path) -> None:
    session = installed.submit(plan_of(wave_of("w", ticking("a"))), workspace)
    wait_for((workspace / "up-a").exists)
    for broken in ("version.py", "pool/worker.py", "journal/schema.py"):
        kept = (installed.site / "waved" / broken).read_text()
        installed.install("9.9.9", broken)
        with installed.client() as client:
            before = client.daemon_status()
            with pytest.raises(ConflictError, match="nothing_of_that_name") as caught:
                client.daemon_upgrade()
            assert "this daemon goes on" in caught.value.hint
            assert client.daemon_status()["started"] == before["started"]
        (installed.site / "waved" / broken).write_text(kept)
    (workspace / "go-a").touch()
    assert installed.settled(session)["outcome"] == "succeeded"


def test_a_version_that_does_not_know_the_journal_is_refused(installed: Installed) -> None:
    schema = installed.site / "waved" / "journal" / "schema.py"
    schema.write_text(schema.read_text() + "\nMIGRATIONS = MIGRATIONS[:1]\nSCHEMA = 1\n")
    with installed.client() as client, pytest.raises(ConflictError, match="is of schema"):
        client.daemon_upgrade()


def test_a_run_that_was_decided_and_not_released_is_started_once_by_the_next(
    installed: Installed, workspace: Path
) -> None:
    # The prompt takes a while to render: the upgrade finds one worker of the wave not armed yet.
    slow = "{% for i in range(3000) %}{% for j in range(400) %}{% endfor %}{% endfor %}go"
    wave = wave_of("w", agent_of("slow", "echo slow >> ledger", prompt=slow), agent_of("quick", "echo quick >> ledger"))
    session = installed.submit(plan_of(wave), workspace)
    with installed.client() as client:
        wait_for(lambda: any(event["kind"] == "run.starting" for event in installed.events(session)))
        client.daemon_upgrade()
    view = installed.settled(session)
    assert view["outcome"] == "succeeded"
    assert sorted((workspace / "ledger").read_text().split()) == ["quick", "slow"]
    outcomes = {run["outcome"] for item in assignments(view).values() for run in item["runs"]}
    assert outcomes <= {"exited", "withdrawn"}


def test_nobody_can_take_the_state_folder_while_it_is_handed_over(installed: Installed, short_tmp: Path) -> None:
    said: list[str] = []
    stop = threading.Event()

    def intrude() -> None:
        while not stop.is_set():
            done = subprocess.run(
                [sys.executable, "-c", INTRUDER, str(installed.state / "daemon.lock")], capture_output=True
            )
            said.append(done.stdout.decode().strip())

    thread = threading.Thread(target=intrude)
    thread.start()
    with installed.client() as client:
        for _ in range(2):
            client.daemon_upgrade()
    stop.set()
    thread.join(30)
    assert said
    assert set(said) == {"held"}


INTRUDER = """
import fcntl, sys, time
end = time.monotonic() + 0.2
with open(sys.argv[1]) as file:
    while time.monotonic() < end:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        print("taken"); break
    else:
        print("held")
"""


def test_questions_asked_meanwhile_are_answered(installed: Installed) -> None:
    failures: list[BaseException] = []
    asked = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal asked
        try:
            while not stop.is_set():
                with installed.client() as client:  # a connection of its own each time: as `wavectl status` does
                    client.daemon_status()
                asked += 1
        except BaseException as error:  # noqa: BLE001 — shown by the test
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    with installed.client() as client:
        for _ in range(3):
            client.daemon_upgrade()
    stop.set()
    thread.join(30)
    assert failures == []
    assert asked > 3


def test_agents_keep_the_limits_the_daemon_was_started_with(installed: Installed, workspace: Path) -> None:
    with installed.client() as client:
        client.daemon_upgrade()
    view = installed.run(plan_of(wave_of("w", agent_of("a", "ulimit -Sn"))), workspace)
    soft = subprocess.run("ulimit -Sn", shell=True, capture_output=True, check=True).stdout
    assert installed.output(f"{view['session']}/a#1") == soft


def test_ending_signals_are_heard_after_an_upgrade(installed: Installed) -> None:
    with installed.client() as client:
        client.daemon_upgrade()
    installed.end()
    assert not installed.socket.exists()
    assert not [line for line in processes_of(installed.folder) if "waved" in line and str(os.getpid()) not in line]
