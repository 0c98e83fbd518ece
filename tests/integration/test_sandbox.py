"""Agents in a sandbox (bubblewrap): what they reach, and that all that is promised of runs holds with it in between."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from tests.sandboxes import why_none


@pytest.fixture
def daemon(lent_daemon: Daemon) -> Daemon:
    """The tests of this module share a daemon, but for those that end it (`own_daemon`)."""
    return lent_daemon


pytestmark = pytest.mark.skipif(bool(why_none()), reason=why_none())
PYTHON = os.path.realpath(sys.executable)
"""Of the system: an environment may lie in /tmp, which a sandbox does not show."""


def _run_of(view: dict[str, Any], agent: str = "a") -> dict[str, Any]:
    return dict(assignments(view)[agent]["runs"][0])


def _ran(daemon: Daemon, workspace: Path, command: Any, sandbox: Any = "workspace", **more: Any) -> dict[str, Any]:
    return daemon.run(plan_of(wave_of("w", agent_of("a", command, sandbox=sandbox, **more))), workspace)


def _said(daemon: Daemon, view: dict[str, Any]) -> str:
    return daemon.output(_run_of(view)["run"]).decode()


def test_the_workspace_can_be_written_and_nothing_else(daemon: Daemon, workspace: Path, tmp_path: Path) -> None:
    # daemon.folder is HOME; tmp_path lies in /tmp, which is the run's own.
    open_to_it, outside = daemon.folder / "open", Path.cwd() / f".outside-{os.getpid()}"
    open_to_it.mkdir()
    command = (
        f"echo a > made && echo b > {open_to_it}/made && echo c > /tmp/scratch && test ! -e {tmp_path} && "
        f"! touch {outside} 2>/dev/null && ! touch /etc/x 2>/dev/null && echo $TMPDIR"
    )
    try:
        view = _ran(daemon, workspace, command, {"write": ["~/open"]})
        assert view["outcome"] == "succeeded", _said(daemon, view)
        assert _said(daemon, view) == "/tmp\n"
        assert (workspace / "made").read_text() == "a\n"
        assert (open_to_it / "made").read_text() == "b\n"
        assert not outside.exists()
        assert not Path("/tmp/scratch").exists()
    finally:
        outside.unlink(missing_ok=True)


def test_secrets_and_what_waved_keeps_are_hidden_and_the_prompt_is_not(daemon: Daemon, workspace: Path) -> None:
    (workspace / "private").mkdir()
    (workspace / "private" / "key").write_text("secret-p")
    (workspace / "token").write_text("secret-t")
    home = workspace / "home"
    for name in (".ssh", "notes"):
        (home / name).mkdir(parents=True)
        (home / name / "it").write_text(f"secret-{name}")
    look = (
        "cat private/key token home/.ssh/it 2>/dev/null; cat home/notes/it; ls -A private home/.ssh; "
        f'cat "$WAVED_PROMPT" && test -s "$WAVED_CONTEXT" && ! test -e {daemon.state}/journal.sqlite && '
        f'! test -e {daemon.socket} && ! echo x >> "$WAVED_PROMPT"'
    )
    agent = agent_of("a", look, sandbox={"hide": ["private", "token"]}, prompt="do it")
    session = plan_of(wave_of("w", agent))
    environment = {"base": {"PATH": os.environ["PATH"], "HOME": str(home)}}
    with daemon.client() as client:
        asked = {"plan": session, "workspace": str(workspace), "environment": environment}
        view = client.wait(client.request("session.submit", asked)["session"], timeout=30)
    said = _said(daemon, view)
    assert view["outcome"] == "succeeded", said
    assert "secret-notes" in said
    assert "do it" in said
    assert not [name for name in ("secret-p", "secret-t", "secret-.ssh") if name in said]


def test_a_hidden_home_holds_only_what_may_be_written(daemon: Daemon, workspace: Path) -> None:
    for name in ("kept", "gone"):
        (daemon.folder / name).mkdir()
        (daemon.folder / name / "it").write_text(name)
    command = 'cat "$HOME/kept/it" && ! test -e "$HOME/gone" && touch here'
    view = _ran(daemon, workspace, command, {"home": "hide", "write": ["~/kept"]})
    assert view["outcome"] == "succeeded", _said(daemon, view)


@pytest.mark.parametrize("network", [True, False])
def test_network_is_there_or_not(daemon: Daemon, workspace: Path, network: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
        view = _ran(daemon, workspace, [PYTHON, "-c", program], {"network": network})
    assert (view["outcome"] == "succeeded") is network
    assert network or "Connection refused" in _said(daemon, view)


def test_it_sees_and_can_end_only_its_own_processes(daemon: Daemon, workspace: Path) -> None:
    others = f"kill -0 {daemon.pid} || ls /proc/{daemon.pid}/root"
    view = _ran(daemon, workspace, f"if {{ {others}; }} 2>/dev/null; then exit 1; fi; ls -d /proc/[0-9]* | wc -l")
    assert view["outcome"] == "succeeded"
    assert int(_said(daemon, view)) < 6


def test_an_agent_in_a_sandbox_is_known_as_one_and_reaches_the_socket_only_where_that_is_granted(
    daemon: Daemon, workspace: Path
) -> None:
    ask = (
        "import os\nfrom wavectl import Client\n"
        "with Client(os.environ['WAVED_SOCKET'], timeout=10) as client:\n"
        "    print(client.request('session.status', {'session': os.environ['WAVED_SESSION']})['session'])\n"
        "    try:\n        client.request('session.stop', {'session': ''})\n"
        "    except Exception as error:\n        print(type(error).__name__)\n"
    )
    (workspace / "ask.py").write_text(ask)
    checkout = Path(__file__).parents[2]
    asking = f"PYTHONPATH={checkout} {sys.executable} ask.py"
    seen = {"write": [str(checkout), sys.prefix]}  # they may lie in /tmp, which is the run's own
    agents = agent_of("a", asking, control="own", sandbox=seen), agent_of("b", f"test ! -e {daemon.socket}")
    view = daemon.run(plan_of(wave_of("w", *agents), sandbox="workspace"), workspace)
    assert view["outcome"] == "succeeded", _said(daemon, view)
    assert _said(daemon, view).split() == [view["session"], "NotAllowedError"]


def test_exit_codes_and_signals_are_told(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("w", agent_of("code", "exit 7", sandbox="workspace"), agent_of("sig", ["sh", "-c", "kill -SEGV $$"])),
        sandbox="workspace",
    )
    view = daemon.run(plan, workspace)
    code, sig = _run_of(view, "code"), _run_of(view, "sig")
    assert (code["outcome"], code["exit_code"], code["reason"]) == ("exited", 7, "exited with status 7")
    assert (sig["outcome"], sig["exit_code"]) == ("exited", 139)
    assert sig["reason"] == "exited with status 139, as one does that SIGSEGV has ended in a sandbox"


def test_a_stop_is_asked_for_first_and_leaves_nothing(daemon: Daemon, workspace: Path) -> None:
    asked = "trap 'echo bye; sleep 0.2; touch said-bye; exit 0' TERM; touch up-polite; while :; do sleep 0.05; done"
    stubborn = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 600' & touch up-stubborn; while :; do sleep 1; done"
    plan = plan_of(wave_of("w", agent_of("polite", asked), agent_of("stubborn", stubborn)), sandbox="workspace")
    session = daemon.submit(plan, workspace)
    wait_for(lambda: (workspace / "up-polite").exists() and (workspace / "up-stubborn").exists())
    with daemon.client() as client:
        client.stop(session)
    view = daemon.settled(session)
    assert view["outcome"] == "stopped"
    assert (workspace / "said-bye").exists()
    assert _run_of(view, "stubborn")["signal"] == signal.SIGKILL
    assert not [line for line in processes_of(workspace) if "sleep" in line or "bwrap" in line]


def test_the_time_limit_holds_and_leftovers_are_ended(daemon: Daemon, workspace: Path) -> None:
    plan = plan_of(
        wave_of("w", agent_of("slow", "sleep 600", timeout="500ms"), agent_of("leaves", "setsid sleep 600 & exit 0")),
        sandbox="workspace",
    )
    view = daemon.run(plan, workspace)
    assert _run_of(view, "slow")["outcome"] == "timed-out"
    assert _run_of(view, "leaves")["exit_code"] == 0
    assert not [line for line in processes_of(workspace) if "sleep 600" in line]


def test_a_dead_worker_takes_the_sandbox_with_it(daemon: Daemon, workspace: Path) -> None:
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", "touch up; sleep 600", sandbox="workspace"))), workspace)
    wait_for((workspace / "up").exists)
    events = wait_for(lambda: [event for event in daemon.events(session) if event["kind"] == "run.started"])
    os.kill(events[0]["data"]["worker"], signal.SIGKILL)
    view = daemon.settled(session)
    assert assignments(view)["a"]["outcome"] == "lost"
    assert not [line for line in processes_of(workspace) if "sleep 600" in line]
    with daemon.client() as client:
        client.resume(session)


def test_memory_is_limited_inside_a_sandbox(daemon: Daemon, workspace: Path) -> None:
    eat = "import time\nb = []\nwhile True:\n    b.append(b'x' * (8 << 20))\n    time.sleep(0.01)\n"
    view = _ran(daemon, workspace, [PYTHON, "-c", eat], resources={"memory": "64MB"})
    run = _run_of(view)
    assert (run["outcome"], run["cause"], run["signal"]) == ("signalled", "oom", signal.SIGKILL)


def test_a_sandbox_that_cannot_be_had_is_said_and_never_left_out(own_daemon: Daemon, workspace: Path) -> None:
    own_daemon.end()
    tools = own_daemon.folder / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(str(shutil.which(name)))
    own_daemon.environment["PATH"] = str(tools)
    own_daemon.start()
    plan = plan_of(
        wave_of("w", agent_of("a", "touch made", sandbox="workspace"), agent_of("b", "true", sandbox="none"))
    )
    view = own_daemon.run(plan, workspace)
    (item,) = [item for item in view["checklist"] if item["item"] == "sandbox"]
    assert (view["outcome"], item["ok"], item["detail"]) == ("refused", False, "bubblewrap (bwrap) is not installed")
    view = own_daemon.run(plan, workspace, waive=["sandbox"])
    assert _run_of(view)["outcome"] == "not-started"
    assert "its plan wants a sandbox" in _run_of(view)["reason"]
    assert assignments(view)["b"]["outcome"] == "succeeded"
    assert not (workspace / "made").exists()


def test_a_program_that_is_hidden_is_said_before_anything_starts(daemon: Daemon, workspace: Path) -> None:
    program = daemon.folder / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    view = _ran(daemon, workspace, [str(program)], {"home": "hide"})
    (item,) = [item for item in view["checklist"] if item["item"] == "sandbox"]
    assert view["outcome"] == "refused"
    assert f'agent "a": its sandbox cannot be made: {program} is not to be seen inside' in item["detail"]
