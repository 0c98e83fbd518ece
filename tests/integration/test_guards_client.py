"""Guards through both clients, and what the command line shows of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.guarded import CORRUPTION, with_cart
from tests.integration.test_guards_rollback import wavectl
from tests.live import Daemon, agent_of, plan_of, wait_for, wave_of
from wavectl import AsyncClient
from waved.errors import BadRequestError, ConflictError, NotFoundError


def test_the_asynchronous_client_asks_the_same(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    view = shared_daemon.run(plan_of(wave_of("a", agent_of("one", "echo 1 > src/new.ts"))), workspace)

    async def ask() -> None:
        async with AsyncClient(str(shared_daemon.socket)) as client:
            session = view["session"]
            taken = await client.snapshot_take(session)
            assert taken["files"] == 3
            assert len(await client.snapshots(session)) == 2
            assert (await client.snapshot_show(taken["snapshot"], session))["changes"][0]["path"] == "src/new.ts"
            assert "+1" in (await client.snapshot_diff("s1", session=session))["diff"]
            assert (await client.rollback("session", session=session, dry=True))["files"] == ["src/new.ts"]
            assert (await client.rollback("file", ["src/new.ts"], session))["removed"] == ["src/new.ts"]
            done = await client.snapshot_restore(taken["snapshot"], session)
            assert done["restored"] == ["src/new.ts"]
            with pytest.raises(ConflictError):
                await client.approve(session)

    asyncio.run(ask())


def test_what_makes_no_sense_is_refused_with_a_reason(shared_daemon: Daemon, workspace: Path) -> None:
    view = shared_daemon.run(plan_of(wave_of("a", agent_of("one", "true"))), workspace)
    session = view["session"]
    with shared_daemon.client() as client:
        with pytest.raises(NotFoundError, match="s77"):
            client.snapshot_show("s77", session)
        with pytest.raises(NotFoundError, match="nobody"):
            client.rollback("agent", ["nobody"], session)
        with pytest.raises(NotFoundError, match="no wave"):
            client.rollback("wave", ["z"], session)
        with pytest.raises(BadRequestError, match="targets"):
            client.rollback("file", [], session)
        with pytest.raises(BadRequestError, match="scope"):
            client.rollback("planet", [], session)
    wavectl(shared_daemon, "rollback", session, "--yes", status=2)
    wavectl(shared_daemon, "snapshots", "show", "s77", status=66)
    plan = {**plan_of(wave_of("a", agent_of("one", "true"))), "snapshots": {"enabled": False}}
    off = shared_daemon.run(plan, workspace)
    with shared_daemon.client() as client, pytest.raises(ConflictError, match="enabled"):
        client.snapshots(off["session"])


def test_the_command_line_shows_findings_and_lets_a_person_approve(shared_daemon: Daemon, workspace: Path) -> None:
    with_cart(workspace)
    agent = agent_of("one", "echo const const > src/cart.ts; while [ ! -e go ]; do sleep 0.02; done")
    plan = {**plan_of(wave_of("a", agent)), "monitor": [{**CORRUPTION, "reactions": ["hold"]}]}
    session = shared_daemon.submit(plan, workspace)
    wait_for(lambda: shared_daemon.view(session)["state"] == "held")
    shown = wavectl(shared_daemon, "status", session)
    assert "f1 corruption in src/cart.ts:1 by one" in shown
    assert "holding" in shown
    assert "finding.made" in wavectl(shared_daemon, "events", session)
    assert wavectl(shared_daemon, "approve", "f1") == "approved: f1\n"
    (workspace / "go").write_text("")
    assert shared_daemon.settled(session)["outcome"] == "succeeded"
