"""The user's document as a plan (docs/examples/parallel-deployment.toml), with agents that really go wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.guarded import git, kinds, user_state
from tests.live import Daemon, assignments
from waved.plan.load import load_plan

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "parallel-deployment.toml"
FLEET = Path(__file__).with_name("scripted_fleet.py")
FASTER = {"file-changes": {"interval": 1.0}, "progress": {"after": 1.0}}
"""What would take minutes."""


def scripted(port_url: str = "http://127.0.0.1:{port}/") -> dict[str, Any]:
    """The plan as it is, but for who its agents are, the preview's port, and how long silence may last."""
    plan: dict[str, Any] = load_plan(EXAMPLE).plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for agent in [*plan["responder"], *(agent for wave in plan["wave"] for agent in wave["agent"])]:
        agent["command"] = [sys.executable, str(FLEET), agent["name"]]
        del agent["use"]
    plan["preview"] |= {"url": port_url, "interval": 0.2}
    for monitor in plan["monitor"]:
        monitor |= FASTER.get(monitor["kind"], {})
    plan["session"] |= {"stop_grace": 1.0, "leftover_grace": 0.2}
    return plan


@pytest.mark.timeout(180)
def test_the_document_runs_and_ends_well(daemon: Daemon, workspace: Path, short_tmp: Path) -> None:
    bin_folder = short_tmp / "bin"
    bin_folder.mkdir()
    (bin_folder / "npm").write_text(f'#!/bin/sh\nexec {sys.executable} {FLEET} npm "$@"\n')
    (bin_folder / "npm").chmod(0o755)
    (workspace / "client" / "src").mkdir(parents=True)
    (workspace / "client" / "src" / "cart.tsx").write_text("const cart = 0\n")
    git(workspace, "add", ".")
    git(workspace, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "client")
    before = user_state(workspace)
    environment = {"base": {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(short_tmp)}}
    session = daemon.submit(scripted(), workspace, environment=environment)
    with daemon.client() as client:
        view = client.wait(session, timeout=150)
    events = daemon.events(session)
    assert view["outcome"] == "succeeded", (view["state"], view["reason"], view["checklist"])
    found = {finding["monitor"] for finding in kinds(events, "finding.made")}
    assert {"corruption", "progress", "preview", "file-size"} <= found
    done = {action for reaction in kinds(events, "reaction.started") for action in reaction["actions"]}
    assert {"rollback-file", "restart-agent", "stop-all", "rollback-wave", "start-agent", "alert"} <= done
    assert all(frozen.get("ok", True) for frozen in kinds(events, "run.frozen"))
    assert (workspace / "client/src/cart.tsx").read_text() == "const cart = 1\n"
    assert "broken" not in (workspace / "client/src/App.tsx").read_text()
    assert len((workspace / "client/src/page.tsx").read_text().splitlines()) <= 300
    assert all(one["outcome"] == "succeeded" for one in assignments(view).values())
    assert user_state(workspace) == before
    with daemon.client() as client:
        kept = [client.snapshot_diff("s1", one["snapshot"], session)["diff"] for one in client.snapshots(session)]
    assert any("+const const cart" in diff for diff in kept), "the corrupt version is still there"
    assert any("+throw broken" in diff for diff in kept), "what broke the preview was put aside, not lost"
