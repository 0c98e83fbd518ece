"""waved as a service of a real systemd: installed by its own command, watched, killed, restarted, stopped.

The machine is booted once for the file. Agents write down their starts; an agent that goes on has the pid it had.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.live import wait_for
from tests.system import operating
from tests.system.machine import INSTALLED, CannotBootError, Machine, booted, why_not
from wavectl import Client
from wavectl.toml import to_toml
from waved.errors import WavedError

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no systemd can be booted: {why_not()}")

UNIT = "/etc/systemd/system/waved.service"
WORKSPACE = "/srv/work"
EXPOSURE = 38
"""Tenths of what `systemd-analyze security` may say at most (10: no protection)."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which waved was installed as a service; alice is in its group, mallory is not."""
    with ExitStack() as stack:
        try:
            box = stack.enter_context(booted())
        except CannotBootError as error:
            pytest.skip(str(error))
        for name in ("alice", "mallory"):
            box.run("useradd", "--create-home", name)
        said = box.run("wavectl", "service", "install").stdout
        assert "waved runs as a service" in said
        box.run("usermod", "-aG", "waved", "alice")
        box.run("install", "-d", "-o", "alice", "-g", "waved", "-m", "2775", WORKSPACE)
        yield box


@pytest.fixture
def service(machine: Machine) -> Iterator[Machine]:
    """The service, running with what it is shipped with; the workspace empty. No agent may be left by a test."""
    changed = machine.write("/etc/waved/waved.toml", 'socket_group = "waved"\n')
    changed |= machine.configure("waved.service", "[Service]")
    if changed or machine.show("ActiveState") != "active":
        machine.systemctl("reset-failed", "waved", ok=False)
        machine.systemctl("restart", "waved")
    yield machine
    assert not machine.alive(WORKSPACE), machine.journal_text()
    machine.run("find", WORKSPACE, "-mindepth", "1", "-delete")


def ask(machine: Machine, method: str, **params: Any) -> dict[str, Any]:
    """What the daemon answers."""
    with machine.client() as client:
        return client.request(method, params)


def plan_of(*agents: str, grace: str = "2s") -> dict[str, Any]:
    """A plan of agents that write down each start, and run until there is a file `go-AGENT`."""
    loop = "echo $$ >> {0}/starts-{1}; while [ ! -e {0}/go-{1} ]; do sleep 0.05; done"
    found = [{"name": name, "command": ["sh", "-c", loop.format(WORKSPACE, name)]} for name in agents]
    return {"session": {"name": "t", "stop_grace": grace}, "wave": [{"name": "w", "agent": found}]}


def submit(machine: Machine, *agents: str) -> str:
    """Start a session of such agents, and wait until all have started."""
    environment = {"base": {"PATH": "/usr/bin:/bin", "HOME": "/home/alice", "USER": "alice"}}
    asked = {"plan": plan_of(*agents), "workspace": WORKSPACE, "environment": environment}
    session = str(ask(machine, "session.submit", **asked)["session"])
    wait_for(lambda: all(starts(machine, name) for name in agents), what=lambda: machine.journal_text())
    return session


def starts(machine: Machine, agent: str) -> list[int]:
    """Pids an agent wrote down when it started."""
    path = machine.root / WORKSPACE[1:] / f"starts-{agent}"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def let_go(machine: Machine, session: str, *agents: str) -> dict[str, Any]:
    """Let agents end; the session's view when it has."""
    for name in agents:
        machine.write(f"{WORKSPACE}/go-{name}", "")
    with machine.client() as client:
        return client.wait(session, timeout=20)


def hang_soon(machine: Machine, watchdog: str, *after: str) -> None:
    """Have the reactor stand still for ten minutes after 250 turns; a session can start before. The next will not."""
    failpoint = "Environment=WAVED_FAILPOINTS=reactor.turn=delay:600~250*1"
    said = "Environment=WAVED_FAILPOINTS_LOG=/var/lib/waved/hangs"
    (machine.root / "var/lib/waved/hangs").unlink(missing_ok=True)
    machine.configure("waved.service", "[Service]", watchdog, failpoint, said)
    machine.systemctl("restart", "waved")
    machine.configure("waved.service", "[Service]", watchdog, *after)


def hang(machine: Machine) -> None:
    """Ask for turns until the reactor makes none any more."""
    socket = str(machine.root / "run/waved/control.sock")
    while not (machine.root / "var/lib/waved/hangs").exists():
        with suppress(WavedError), Client(socket, timeout=0.3) as client:
            client.daemon_status()


def assert_lived_on(machine: Machine, session: str, *agents: str) -> None:
    """Each agent is alive, was started once, is controlled by the daemon there is now, and ends well."""
    for name in agents:
        (pid,) = starts(machine, name)
        assert pid in machine.alive(f"starts-{name}"), f"{name} is dead\n{machine.journal_text()}"
    wait_for(lambda: ask(machine, "daemon.status")["workers"]["busy"] == len(agents))
    assert let_go(machine, session, *agents)["outcome"] == "succeeded"
    assert all(len(starts(machine, name)) == 1 for name in agents)


# --- units --------------------------------------------------------------------------------------------------------


def test_units_are_well_formed_and_as_closed_as_agents_allow(machine: Machine) -> None:
    verified = machine.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=one", UNIT)
    assert verified.stderr == ""
    judged = machine.run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", UNIT, ok=False)
    assert judged.returncode == 0, judged.stdout
    user = machine.run("wavectl", "service", "install", "--user", "--dry-run", "--json")
    ((path, text),) = json.loads(user.stdout)["files"].items()
    machine.write(path, text)
    verified = machine.run(
        "systemd-analyze", "--user", "verify", "--man=no", "--recursive-errors=one", path, XDG_RUNTIME_DIR="/tmp"
    )
    assert verified.stderr == ""
    (machine.root / path[1:]).unlink()


def test_every_directive_that_is_left_open_is_explained(machine: Machine) -> None:
    judged = machine.run("systemd-analyze", "security", "--offline=true", "--json=short", UNIT)
    unit = (machine.root / UNIT[1:]).read_text()
    explained = unit.partition("# --- what is left open, and why ---")[2]
    for entry in json.loads(judged.stdout):
        name = entry["name"].partition("=")[0]
        if entry["set"] is False and entry["exposure"] and name not in unit.replace(explained, ""):
            assert name in explained, f"{entry['name']}: {entry['description']}"


def test_a_member_of_the_group_runs_a_session_as_the_services_user(service: Machine) -> None:
    service.write(f"{WORKSPACE}/plan.toml", to_toml(plan_of("a")))
    words = ("wavectl", "--system", "run", f"{WORKSPACE}/plan.toml", "-w", WORKSPACE, "--detach", "--json")
    session = json.loads(service.run(*words, user="alice").stdout)["session"]
    wait_for(lambda: starts(service, "a"), what=lambda: service.journal_text())
    (pid,) = starts(service, "a")
    owner = (service.root / "proc" / str(pid)).stat()
    assert owner.st_uid == int(service.run("id", "-u", "waved").stdout)
    environment = (service.root / "proc" / str(pid) / "environ").read_bytes().decode()
    assert "HOME=/var/lib/waved\0" in environment and "USER=waved\0" in environment
    assert "NOTIFY_SOCKET" not in environment and "alice" not in environment.replace("XDG", "")
    (group,) = [
        line for line in (service.root / "proc" / str(pid) / "cgroup").read_text().splitlines() if line[:3] == "0::"
    ]
    assert re.search(r"/system\.slice/waved\.service/waved-worker-\d+", group)
    assert_lived_on(service, session, "a")


# --- ready, status, access ----------------------------------------------------------------------------------------


def test_start_returns_when_the_socket_answers_and_status_says_what_goes_on(service: Machine) -> None:
    service.systemctl("restart", "waved")
    assert ask(service, "daemon.status")["pid"] == int(service.show("MainPID"))
    assert service.show("StatusText") == "0 sessions, 0 agents running"
    session = submit(service, "a", "b")
    wait_for(
        lambda: service.show("StatusText") == "1 session, 2 agents running", what=lambda: service.show("StatusText")
    )
    let_go(service, session, "a", "b")
    wait_for(lambda: service.show("StatusText") == "0 sessions, 0 agents running")
    shown = json.loads(service.run("wavectl", "service", "status", "--json").stdout)
    assert (shown["ActiveState"], shown["StatusText"]) == ("active", "0 sessions, 0 agents running")


def test_who_is_not_in_the_group_is_told_so(service: Machine) -> None:
    done = service.run("wavectl", "--system", "list", user="mallory", ok=False)
    assert done.returncode == 77
    assert "not allowed to use the socket /run/waved/control.sock" in done.stderr
    assert "members of the group waved" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_journal_has_each_event_as_json_with_its_priority(service: Machine) -> None:
    plan = plan_of("a")
    plan["wave"][0]["agent"].append({"name": "bad", "command": "echo $A_TOKEN; exit 3"})
    environment = {"base": {"PATH": "/usr/bin:/bin"}, "session": {"A_TOKEN": "tk-77aGh2x9QpLm"}}
    asked = {"plan": plan, "workspace": WORKSPACE, "environment": environment}
    session = str(ask(service, "session.submit", **asked)["session"])
    let_go(service, session, "a")
    with service.client() as client:
        events = [(event["seq"], event["kind"]) for event in client.events(session)]
    entries = service.journal("-u", "waved", f"_PID={service.show('MainPID')}")
    assert all("tk-77" not in str(entry["MESSAGE"]) for entry in entries)
    lines = [(json.loads(entry["MESSAGE"]), entry) for entry in entries if entry["MESSAGE"].startswith("{")]
    told = [(line, entry) for line, entry in lines if line.get("session") == session]
    assert [(line["seq"], line["event"]) for line, _ in told] == events
    priorities = {"info": "6", "warning": "4", "error": "3"}
    assert all(entry["PRIORITY"] == priorities[line["level"]] for line, entry in told)
    graver = service.journal("-u", "waved", "-p", "warning", f"_PID={service.show('MainPID')}")
    bad = [line for line in (json.loads(entry["MESSAGE"]) for entry in graver) if line.get("agent") == "bad"]
    assert [line["event"] for line in bad] == ["run.ended", "assignment.ended"]


# --- dying and starting again -------------------------------------------------------------------------------------


def test_kill_9_restart_and_reload_cost_nothing(service: Machine) -> None:
    session = submit(service, "a", "b")
    before = int(service.show("NRestarts"))
    service.systemctl("kill", "-s", "KILL", "--kill-whom=main", "waved")
    wait_for(lambda: int(service.show("NRestarts")) == before + 1)
    service.await_state("active")
    wait_for(lambda: ask(service, "daemon.status")["workers"]["busy"] == 2)

    killed = service.show("MainPID")
    service.systemctl("restart", "waved")
    assert service.show("MainPID") != killed
    status = ask(service, "daemon.status")
    assert status["workers"]["busy"] == 2

    service.write("/etc/waved/waved.toml", "")
    service.systemctl("reload", "waved")
    assert ask(service, "daemon.status")["started"] > status["started"]
    assert int(service.show("MainPID")) == status["pid"], "it is the same process"
    assert service.show("ActiveState") == "active"
    assert service.show("NRestarts") == "0"
    # What the configuration says now: without a group the socket is the service's user's alone.
    assert service.run("wavectl", "--system", "list", user="alice", ok=False).returncode == 77
    service.run("wavectl", "--system", "list", user="waved")
    assert_lived_on(service, session, "a", "b")


def test_a_hung_reactor_is_ended_by_the_watchdog_and_agents_live_on(service: Machine) -> None:
    hang_soon(service, "WatchdogSec=2")
    before = int(service.show("NRestarts"))
    session = submit(service, "a")
    hang(service)
    wait_for(lambda: int(service.show("NRestarts")) == before + 1, what=lambda: service.journal_text())
    service.await_state("active")
    entries = service.journal("-u", "waved", "_PID=1")
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in entries)
    printed = "\n".join(str(entry["MESSAGE"]) for entry in service.journal("-u", "waved"))
    assert "in turn" in printed, "the traceback of where it hung"
    pid = service.show("MainPID")
    Event().wait(3.0)  # a watchdog's period and a half, in which nobody asks anything of the next one
    assert (service.show("MainPID"), service.show("ActiveState")) == (pid, "active")
    assert_lived_on(service, session, "a")


def test_a_wrong_configuration_is_not_reloaded_and_keeps_it_from_starting(service: Machine) -> None:
    session = submit(service, "a")
    started = ask(service, "daemon.status")["started"]
    service.write("/etc/waved/waved.toml", 'socket_group = "waved"\non_stopp = "detach"\n')
    assert service.run("systemctl", "reload", "waved", ok=False).returncode != 0
    assert ask(service, "daemon.status")["started"] == started
    printed = "\n".join(str(entry["MESSAGE"]) for entry in service.journal("-u", "waved"))
    assert '/etc/waved/waved.toml:2: on_stopp: unknown key; did you mean "on_stop"?' in printed
    assert service.show("ActiveState") == "active"
    assert_lived_on(service, session, "a")
    service.run("systemctl", "restart", "waved", ok=False)
    assert (service.show("ActiveState"), service.show("ExecMainStatus")) == ("failed", "78")
    assert service.show("NRestarts") == "0", "trying again does not help"


# --- stopping -----------------------------------------------------------------------------------------------------


def test_stop_leaves_no_agent_and_waits_for_them_as_long_as_they_may_take(service: Machine) -> None:
    service.configure("waved.service", "[Service]", "TimeoutStopSec=1")
    # One ignores SIGTERM: its own grace, longer than systemd's patience, has to pass.
    plan = plan_of("a", "deaf", grace="2s")
    plan["wave"][0]["agent"][1]["command"] = f"trap : TERM; touch {WORKSPACE}/deaf; while :; do sleep 0.1; done"
    asked = {"plan": plan, "workspace": WORKSPACE, "environment": {"base": {"PATH": "/usr/bin:/bin"}}}
    session = ask(service, "session.submit", **asked)["session"]
    wait_for(lambda: starts(service, "a") and (service.root / WORKSPACE[1:] / "deaf").exists())
    service.systemctl("stop", "waved")
    assert not service.alive(WORKSPACE)
    assert service.show("Result") == "success", "the daemon was killed before its agents had had their time"
    service.systemctl("start", "waved")
    view = ask(service, "session.status", session=session)
    assert view["outcome"] == "stopped"
    assert "SIGTERM" in view["reason"]


def test_stop_of_a_hung_daemon_leaves_no_agent_either(service: Machine) -> None:
    hang_soon(service, "WatchdogSec=0", "TimeoutStopSec=1")
    session = submit(service, "a", "b")
    hang(service)
    service.systemctl("stop", "waved")
    assert not service.alive(WORKSPACE)
    assert service.show("Result") == "timeout"
    service.systemctl("reset-failed", "waved")
    service.systemctl("start", "waved")
    with service.client() as client:
        ends = [event for event in client.events(session) if event["kind"] == "run.ended"]
    assert [event["data"]["outcome"] for event in ends] == ["stopped", "stopped"]


def test_stop_leaves_agents_alone_if_it_is_to(service: Machine) -> None:
    service.write("/etc/waved/waved.toml", 'socket_group = "waved"\non_stop = "detach"\n')
    service.systemctl("reload", "waved")
    session = submit(service, "a", "b")
    service.systemctl("stop", "waved")
    assert service.show("ActiveState") == "inactive"
    assert len(service.alive("starts-a")) and len(service.alive("starts-b"))
    service.systemctl("start", "waved")
    assert_lived_on(service, session, "a", "b")


# --- what docs/operations.md has one type ----------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the page makes its backup with sqlite3")
def test_logs_backup_restore_and_room_as_documented(service: Machine) -> None:
    session = submit(service, "a")
    let_go(service, session, "a")
    operating.look(service, session)
    operating.back_up_and_restore(service)
    assert ask(service, "session.status", session=session)["outcome"] == "succeeded"
    operating.make_room(service, session)
    assert ask(service, "session.status", session=session)["outcome"] == "succeeded"
    assert not (service.root / "var/lib/waved/sessions" / session / "runs").exists()


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.torture
def test_a_users_own_service(machine: Machine) -> None:
    runtime = f"/run/user/{machine.run('id', '-u', 'alice').stdout.strip()}"
    refused = machine.run("wavectl", "service", "install", user="alice", XDG_RUNTIME_DIR=runtime, ok=False)
    assert refused.returncode == 1
    assert "loginctl enable-linger alice" in refused.stderr
    machine.run("loginctl", "enable-linger", "alice")
    wait_for(lambda: (machine.root / runtime[1:] / "systemd" / "private").exists(), what=lambda: machine.journal_text())
    own = {"user": "alice", "XDG_RUNTIME_DIR": runtime}
    machine.run("wavectl", "service", "install", **own)
    script = "echo $$ >> starts; while [ ! -e go ]; do sleep 0.05; done; id -un > who"
    home = machine.root / "home/alice"
    plan = (
        f'[session]\nname = "t"\n[[wave]]\nname = "w"\n[[wave.agent]]\nname = "a"\ncommand = ["sh", "-c", "{script}"]\n'
    )
    machine.write("/home/alice/plan.toml", plan)
    machine.run("wavectl", "run", "/home/alice/plan.toml", "-w", "/home/alice", "--detach", **own)
    wait_for(lambda: (home / "starts").exists(), what=lambda: machine.journal_text())
    machine.run("systemctl", "--user", "restart", "waved", **own)
    (home / "go").touch()
    done = machine.run("wavectl", "wait", "--json", **own)
    assert json.loads(done.stdout)["outcome"] == "succeeded"
    assert len((home / "starts").read_text().split()) == 1
    assert (home / "who").read_text() == "alice\n"
    (home / "go").unlink()
    machine.run("wavectl", "run", "/home/alice/plan.toml", "-w", "/home/alice", "--detach", **own)
    wait_for(lambda: len((home / "starts").read_text().split()) == 2)
    machine.run("systemctl", "--user", "stop", "waved", **own)
    assert not machine.alive("echo $$ >> starts")
    machine.run("wavectl", "service", "uninstall", **own)
    assert not (home / ".config/systemd/user/waved.service").exists()


def test_a_program_that_the_services_user_cannot_reach_is_refused(service: Machine) -> None:
    closed = service.root / "root/closed"
    closed.mkdir(mode=0o700)
    for name in ("python", "waved", "wavectl"):
        (closed / name).symlink_to(f"{INSTALLED}/bin/{name}")
    script = "import sys; sys.executable = '/root/closed/python'; sys.argv[1:] = ['service', 'install']\n"
    script += "sys.path.insert(0, '/opt/waved/src'); from wavectl.cli import main; main()"
    done = service.run(f"{INSTALLED}/bin/python", "-c", script, ok=False)
    assert done.returncode == 77
    assert "/root is closed to others" in done.stderr or "/root/closed is closed to others" in done.stderr
    assert Path("/opt/waved") == INSTALLED


def test_install_again_changes_nothing_and_uninstall_leaves_what_is_the_users(service: Machine) -> None:
    session = submit(service, "a")
    again = json.loads(service.run("wavectl", "service", "install", "--json").stdout)
    assert again["written"] == []
    unit = service.root / UNIT[1:]
    assert f"ExecStart={INSTALLED}/bin/waved\n" in unit.read_text()
    unit.write_text(unit.read_text() + "# of an older version\n")
    again = json.loads(service.run("wavectl", "service", "install", "--json").stdout)
    assert again["written"] == [UNIT]
    refused = service.run("wavectl", "service", "install", "--on-demand", ok=False)
    assert "the service is running" in refused.stderr and "systemctl stop waved.service" in refused.stderr
    assert_lived_on(service, session, "a")
    service.run("wavectl", "service", "uninstall")
    assert not unit.exists()
    assert service.show("LoadState") == "not-found"
    assert (service.root / "var/lib/waved/journal.sqlite").exists()
    assert (service.root / "etc/waved/waved.toml").exists()
    assert service.run("wavectl", "service", "uninstall", ok=False).returncode == 66
    assert service.run("wavectl", "service", "status", ok=False).returncode == 69


@pytest.mark.torture
def test_on_demand_systemd_listens_and_the_first_client_starts_it(machine: Machine) -> None:
    """The last one: what is installed is uninstalled."""
    machine.run("wavectl", "service", "uninstall", ok=False)  # the test before may have done that
    machine.write("/etc/waved/waved.toml", 'socket_group = "waved"\n')
    said = machine.run("wavectl", "service", "install", "--on-demand").stdout
    assert "waved is started by the first client" in said
    path = UNIT.replace(".service", ".socket")
    assert machine.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=one", path).stderr == ""
    assert machine.run("wavectl", "--system", "list", user="mallory", ok=False).returncode == 77
    assert machine.show("ActiveState") == "inactive"
    machine.run("wavectl", "--system", "list", user="alice")
    assert machine.show("ActiveState") == "active"
    socket = machine.root / "run/waved/control.sock"
    which = socket.stat().st_ino
    session = submit(machine, "a")
    for verb in ("restart", "reload"):
        machine.systemctl(verb, "waved")
        assert ask(machine, "daemon.status")["workers"]["busy"] == 1
    assert_lived_on(machine, session, "a")
    machine.systemctl("stop", "waved")
    assert socket.stat().st_ino == which, "it is systemd's, and stays"
    machine.systemctl("start", "waved")
    machine.systemctl("stop", "waved.socket", "waved")
    assert (machine.show("ActiveState"), machine.show("ActiveState", "waved.socket")) == ("inactive", "inactive")
    machine.run("wavectl", "service", "uninstall")
    assert not (machine.root / path[1:]).exists()
    assert not socket.exists()
