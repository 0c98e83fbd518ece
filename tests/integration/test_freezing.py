"""A person freezes an agent: its processes stand still, through a crash of the daemon, until they are thawed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil

from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of


def state_of(pid: int) -> str:
    return str(psutil.Process(pid).status())


def test_a_frozen_agent_stands_still_through_a_crash_until_it_is_thawed(daemon: Daemon, workspace: Path) -> None:
    tick = "import time\nwhile True: print('tick', flush=True); time.sleep(0.02)"
    ticking = [sys.executable, "-c", tick]
    session = daemon.submit(plan_of(wave_of("w", agent_of("a", ticking), agent_of("b", ticking))), workspace)
    wait_for(lambda: [daemon.output(run["run"]) for run in runs(daemon, session) if run["pid"]][1:])
    both = runs(daemon, session)
    pid, other = both[0]["pid"], both[1]["pid"]
    with daemon.client() as client:
        (run,) = client.freeze(session, ["a"])
        wait_for(lambda: runs(daemon, session)[0]["frozen"])
        assert runs(daemon, session)[0]["frozen_for"] == ["person"]
        assert state_of(pid) == psutil.STATUS_STOPPED
        size = len(daemon.output(run))

    daemon.kill()
    daemon.start()

    wait_for(lambda: runs(daemon, session)[0]["frozen"])
    assert state_of(pid) == psutil.STATUS_STOPPED
    assert state_of(other) != psutil.STATUS_STOPPED
    assert len(daemon.output(run)) == size
    with daemon.client() as client:
        assert client.thaw(session) == [run]
        wait_for(lambda: len(daemon.output(run)) > size, what="it prints again")
        assert not runs(daemon, session)[0]["frozen"]
        client.stop(session)
    assert daemon.settled(session)["outcome"] == "stopped"


def runs(daemon: Daemon, session: str) -> list[dict[str, Any]]:
    return [one["runs"][-1] for one in daemon.view(session)["waves"][0]["assignments"] if one["runs"]]
