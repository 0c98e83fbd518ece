"""kill -9 of the daemon in mid-reaction, where something is about to be done or has just been: the next daemon goes on,
and nothing is lost.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.guarded import CORRUPTION, GOOD, kinds, user_state, with_cart
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of

AGENT = r"""
echo "$WAVED_ATTEMPT" >> starts
if [ "$WAVED_ATTEMPT" = 1 ]; then printf 'const const b = 2\n' > src/cart.ts; sleep 60; fi
sleep 0.3
"""
PLACES = [
    "pool.before-freeze", "pool.after-freeze", "worker.before-freeze", "worker.after-frozen", "guard.before-snapshot~1",
    "guard.after-snapshot~1", "guard.before-restore", "guard.after-restore", "pool.before-stop", "pool.after-stop",
]  # fmt: skip
"""The first pass of `guard.*-snapshot` is the session's first snapshot."""


SMOKE = ("guard.after-snapshot~1", "guard.before-restore", "guard.after-restore", "worker.before-freeze")
"""Those of each run; all with `-m torture` as well."""


@pytest.mark.parametrize(
    "place", [each if each in SMOKE else pytest.param(each, marks=pytest.mark.torture) for each in PLACES]
)
def test_the_next_daemon_finishes_the_reaction(unstarted_daemon: Daemon, workspace: Path, place: str) -> None:
    daemon = unstarted_daemon
    with_cart(workspace)
    before = user_state(workspace)
    name, _, skip = place.partition("~")
    rule = f"{name}=delay:0.3*1" if name.startswith("worker.") else f"{name}=kill{f'~{skip}' if skip else ''}"
    daemon.environment["WAVED_FAILPOINTS"] = rule
    daemon.environment["WAVED_FAILPOINTS_LOG"] = str(daemon.folder / "acted")
    daemon.start()
    plan = plan_of(wave_of("build", agent_of("frontend", AGENT, owns=["src/**", "starts"])))
    plan["monitor"] = [{**CORRUPTION, "reactions": [{"do": ["rollback-file", "restart-agent"], "times": 2}]}]
    session = daemon.submit(plan, workspace)
    wait_for(lambda: (daemon.folder / "acted").exists(), what=place)
    if name.startswith("worker."):
        daemon.kill()  # while its worker is at it
    assert daemon.process is not None
    daemon.process.wait(30)
    del daemon.environment["WAVED_FAILPOINTS"]
    daemon.start()
    view = daemon.settled(session)
    events = daemon.events(session)
    assert view["outcome"] == "succeeded", (view["reason"], view["state"])
    assert (workspace / "src" / "cart.ts").read_text() == GOOD
    runs = assignments(view)["frontend"]["runs"]
    assert [run["outcome"] for run in runs] == ["stopped", "exited"]
    assert (workspace / "starts").read_text() == "1\n2\n"
    assert kinds(events, "restore.ended")[-1]["ok"]
    present = next(event["data"]["present"] for event in events if event["kind"] == "restore.starting")
    with daemon.client() as client:
        diff = client.snapshot_diff(present, "s1", session, ["src/cart.ts"])["diff"]
    assert "-const const b = 2" in diff, "what it wrote is kept"
    assert user_state(workspace) == before


def test_what_changed_while_no_daemon_lived_is_judged(daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = r"""
    if [ "$WAVED_ATTEMPT" = 1 ]; then
      echo > ready; while [ ! -e go ]; do sleep 0.01; done
      printf 'const const b = 2\n' > src/cart.ts; echo > wrote; sleep 60
    fi
    """
    plan = plan_of(wave_of("build", agent_of("frontend", agent)))
    plan["monitor"] = [{**CORRUPTION, "reactions": [["rollback-file", "restart-agent"]]}]
    session = daemon.submit(plan, workspace)
    wait_for(lambda: (workspace / "ready").exists())
    daemon.kill()
    (workspace / "go").write_text("")
    wait_for(lambda: (workspace / "wrote").exists())
    daemon.start()
    view = daemon.settled(session)
    assert view["outcome"] == "succeeded", (view["reason"], view["state"])
    assert (workspace / "src" / "cart.ts").read_text() == GOOD


def test_what_stands_still_does_so_under_the_next_daemon(daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    command = "printf 'const const b\\n' > src/cart.ts; while [ ! -e go ]; do sleep 0.02; done; echo done > done"
    plan = plan_of(wave_of("build", agent_of("frontend", command, timeout="20s")))
    plan["monitor"] = [{**CORRUPTION, "reactions": ["hold"]}]
    session = daemon.submit(plan, workspace)
    wait_for(lambda: daemon.view(session)["state"] == "held")
    daemon.kill()
    (workspace / "go").write_text("")
    daemon.start()
    view = daemon.view(session)
    assert view["state"] == "held"
    (run,) = assignments(view)["frontend"]["runs"]
    assert run["frozen"]
    assert not (workspace / "done").exists()
    with daemon.client() as client:
        client.approve(session)
    view = daemon.settled(session)
    assert view["outcome"] == "succeeded", view["reason"]
    assert (workspace / "done").exists()


def test_a_preview_and_its_probes_go_on_under_the_next_daemon(daemon: Daemon, workspace: Path) -> None:
    server = "import http.server, os; http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), "
    server += "http.server.SimpleHTTPRequestHandler).serve_forever()"
    plan = plan_of(wave_of("build", agent_of("a", "while [ ! -e go ]; do sleep 0.02; done")))
    plan["preview"] = {
        "command": [sys.executable, "-c", server],
        "url": "http://127.0.0.1:{port}/",
        "interval": "100ms",
    }
    session = daemon.submit(plan, workspace)
    wait_for(lambda: assignments(daemon.view(session))["a"]["state"] == "running")
    before = daemon.view(session)["preview"]
    daemon.kill()
    daemon.start()
    after = daemon.view(session)["preview"]
    assert (after["run"], after["url"], after["state"]) == (before["run"], before["url"], "up")
    pid = kinds(daemon.events(session), "run.started")[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(kinds(daemon.events(session), "preview.up")) == 2)
    (workspace / "go").write_text("")
    view = daemon.settled(session)
    assert view["outcome"] == "succeeded", view["reason"]
