"""The asyncio client: many requests at once, following, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from wavectl import AsyncClient
from waved.errors import NoDaemonError, NotFoundError

TWO = [{"name": "a", "command": "true"}, {"name": "b", "command": "true"}]


def test_requests_run_beside_a_follower(daemon: FakeDaemon) -> None:
    daemon.hold = {"a"}

    async def main() -> tuple[list[int], str]:
        async with AsyncClient(daemon.endpoint, timeout=5) as client:
            session = (await client.deploy(TWO, wait=False))["session"]

            async def read() -> list[int]:
                return [event["seq"] async for event in client.events(session, follow=True)]

            reader = asyncio.create_task(read())
            views = await asyncio.gather(*(client.status(session) for _ in range(20)))
            assert all(view["state"] == "running" for view in views)
            with pytest.raises(NotFoundError):
                await client.status("nothing")
            daemon.finish("a")
            return await reader, (await client.wait(session))["outcome"]

    seen, outcome = asyncio.run(main())
    assert seen == [event.seq for event in daemon.journal]
    assert outcome == "succeeded"


def test_a_submission_is_sent_again_and_accepted_once(daemon: FakeDaemon) -> None:
    async def main() -> str:
        async with AsyncClient(daemon.endpoint, timeout=10) as client:
            daemon.drop_after = "session.submit"
            asking = asyncio.create_task(client.deploy(TWO, wait=False))
            while not daemon.asked:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(lambda: (daemon.stop(), daemon.start()))
            return str((await asking)["session"])

    session = asyncio.run(main())
    assert list(daemon.sessions) == [session]


def test_deploy_waits_and_hands_events_on(daemon: FakeDaemon) -> None:
    kinds: list[str] = []

    async def main() -> dict[str, object]:
        async with AsyncClient(daemon.endpoint, timeout=5) as client:
            return await client.deploy(TWO, on_event=lambda event: kinds.append(event["kind"]))

    assert asyncio.run(main())["outcome"] == "succeeded"
    assert kinds[-1] == "session.ended"


def test_a_follower_survives_a_restart(daemon: FakeDaemon) -> None:
    daemon.hold = {"a"}

    async def main() -> list[int]:
        async with AsyncClient(daemon.endpoint, timeout=5, reconnect=20) as client:
            session = (await client.deploy(TWO, wait=False))["session"]
            seen = []
            async for event in client.events(session, follow=True):
                seen.append(event["seq"])
                if event["kind"] == "run.started" and event["data"]["run"] == seen_first_run(daemon):
                    await asyncio.to_thread(daemon.restart)
                    daemon.finish("a")
            return seen

    assert asyncio.run(main()) == [event.seq for event in daemon.journal]


def seen_first_run(daemon: FakeDaemon) -> str:
    session = next(iter(daemon.sessions.values()))
    return session.nodes["a"].runs[0].id


def test_nobody_there_and_no_answer(daemon: FakeDaemon, short_folder: Path) -> None:
    async def main() -> None:
        async with AsyncClient(str(short_folder / "none.sock")) as client:
            with pytest.raises(NoDaemonError, match="no such socket"):
                await client.daemon_status()
        daemon.silent = True
        async with AsyncClient(daemon.endpoint, timeout=0.2) as client:
            with pytest.raises(NoDaemonError, match="no answer"):
                await client.daemon_status()
        daemon.silent = False
        async with AsyncClient(daemon.endpoint, timeout=5) as client:
            await client.daemon_status()
            daemon.drop_after = "session.submit"
            with pytest.raises(NoDaemonError, match="may have been done"):
                await client.deploy(TWO, wait=False)

    asyncio.run(main())


def test_who_is_cancelled_while_he_lets_go_leaves_nothing_open(daemon: FakeDaemon) -> None:
    async def main() -> None:
        client = AsyncClient(daemon.endpoint, timeout=5)
        await client.daemon_status()
        line = client._line
        assert line is not None
        letting_go = asyncio.create_task(client._drop())
        await asyncio.sleep(0)
        letting_go.cancel()
        await asyncio.gather(letting_go, return_exceptions=True)
        assert line._socket.closed
        assert line._monitor.closed
        await client.close()  # and does not wait for ever

    asyncio.run(main())
