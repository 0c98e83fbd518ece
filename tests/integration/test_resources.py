"""Limits of resources, without controllers: an agent that takes more memory than it may is ended, and only it.

With controllers, in a machine that has them: tests/system/test_limits.py.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.live import Daemon, agent_of, assignments, plan_of, processes_of, wait_for, wave_of
from wavectl.views.status import status
from wavectl.views.text import Paint
from waved.pool.cgroup import VARIABLE

EAT = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os.wait()
    sys.exit(0)
os.setsid()
eaten = []
while True:
    eaten.append(b"x" * (8 << 20))
    time.sleep(0.01)
"""
SHARE = """\
import os, time
held = b"x" * (40 << 20)
children = []
for _ in range(4):
    if (pid := os.fork()) == 0:
        time.sleep(1.5)
        os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""


def _without_groups(daemon: Daemon) -> None:
    """Start the daemon anew so that only looking is left to it."""
    daemon.end()
    daemon.environment[VARIABLE] = "off"
    daemon.start()


def test_who_takes_more_memory_than_allowed_is_ended_and_told_as_oom(daemon: Daemon, workspace: Path) -> None:
    _without_groups(daemon)
    (workspace / "eat.py").write_text(EAT)
    eater = agent_of("eater", [sys.executable, "eat.py"], resources={"memory": "64MB"})
    sibling = agent_of("sibling", "touch up; while [ ! -e go ]; do sleep 0.05; done")
    session = daemon.submit(plan_of(wave_of("w", eater, sibling)), workspace)
    wait_for(lambda: assignments(daemon.view(session))["eater"]["state"] == "ended")
    seen = assignments(daemon.view(session))
    assert seen["sibling"]["state"] == "running"
    run = seen["eater"]["runs"][0]
    assert (run["outcome"], run["cause"], run["signal"], run["exit_code"]) == ("signalled", "oom", signal.SIGKILL, None)
    assert run["reason"].startswith("out of memory: its processes have ")
    assert run["memory_peak"] > 64 << 20
    assert not [line for line in processes_of(workspace) if "eat.py" in line]
    assert any("oom" in line and "eater" in line for line in status(daemon.view(session), Paint(False)))
    (workspace / "go").touch()
    view = daemon.settled(session)
    assert assignments(view)["sibling"]["outcome"] == "succeeded"
    assert assignments(view)["eater"]["outcome"] == "failed"


def test_what_parent_and_children_share_is_counted_once(daemon: Daemon, workspace: Path) -> None:
    _without_groups(daemon)
    (workspace / "share.py").write_text(SHARE)
    # The limit is the session's; five processes have 40 MB each, which are the same 40 MB.
    view = daemon.run(plan_of(wave_of("w", agent_of("a", [sys.executable, "share.py"])),
                              resources={"memory": "100MB"}), workspace)  # fmt: skip
    run = assignments(view)["a"]["runs"][0]
    assert (view["outcome"], run["cause"]) == ("succeeded", "")
    assert 40 << 20 < run["memory_peak"] < 100 << 20


def test_the_checklist_says_which_limits_are_kept_how(daemon: Daemon, workspace: Path) -> None:
    _without_groups(daemon)
    limits = {"memory": "1GB", "cpu": 1.5, "processes": 100}
    view = daemon.run(plan_of(wave_of("w", agent_of("a", "true", resources=limits))), workspace)
    (item,) = [item for item in view["checklist"] if item["item"] == "resources"]
    assert item["ok"]
    assert item["detail"] == (
        "memory: by a look at each run once a second; cpu, processes: NOT kept; "
        "no control group (v2) was delegated to waved"
    )
    plain = daemon.run(plan_of(wave_of("w", agent_of("a", "true"))), workspace)
    assert "resources" not in [item["item"] for item in plain["checklist"]]


def test_what_runs_use_is_told_when_asked_and_shown_where_there_is_room(daemon: Daemon, workspace: Path) -> None:
    hold = (
        "import os, time\nheld = b'x' * (40 << 20)\nopen('up', 'w')\nwhile not os.path.exists('go'): time.sleep(0.05)"
    )
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", [sys.executable, "-c", hold]))), workspace)
    wait_for((workspace / "up").exists)
    with daemon.client() as client:
        usage = wait_for(lambda: client.request("runs.usage", {"session": session})["runs"])
    (used,) = usage.values()
    assert used["processes"] == 1
    assert 40 << 20 < used["memory"] < 90 << 20
    assert used["cpu_seconds"] > 0
    (line,) = [line for line in status(daemon.view(session), Paint(False), usage) if " a " in line]
    assert f"{used['memory'] / 1024**2:.1f} MB" in line
    assert "cpu " in line
    (workspace / "go").touch()
    view = daemon.settled(session)
    (line,) = [line for line in status(view, Paint(False), {}) if " a " in line]
    assert "MB" in line
    assert "MB" not in "\n".join(status(view, Paint(False)))
