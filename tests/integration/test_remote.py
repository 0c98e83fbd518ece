"""A daemon on another machine: CURVE both ways, roles, revocation at once; every refusal says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.live import Daemon, agent_of, plan_of, processes_of, wait_for, wave_of
from wavectl import AsyncClient, Client, remote
from waved.errors import NoDaemonError, NotAllowedError
from waved.ipc.keys import Pair, new_pair, write_pair


def _free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


class Remote:
    """A daemon that listens on TCP, and the keys of whoever asks it."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.config = folder / "waved.toml"
        self.home = folder / "home"
        self.address = f"tcp://127.0.0.1:{_free_port()}"
        self.config.write_text(f'listen = "{self.address}"\n')

    def start(self) -> None:
        self.daemon.start("--config", str(self.config))

    def new_key(self) -> Pair:
        """A new key of ours, in place of the one before."""
        path = remote.client_key()
        path.unlink(missing_ok=True)
        pair = new_pair()
        write_pair(path, pair)
        return pair

    def local(self, method: str, **params: Any) -> dict[str, Any]:
        with self.daemon.client() as client:
            return client.request(method, params)

    def let_in(self, role: str, name: str = "me") -> Pair:
        pair = self.new_key()
        self.local("keys.authorize", key=pair.public, role=role, name=name)
        return pair

    def client(self, **options: Any) -> Client:
        return Client(self.address, **{"timeout": 10.0, **options})


@pytest.fixture
def served(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A daemon whose key is known to us, and that does not know ours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(short_tmp / "config"))
    monkeypatch.delenv("WAVED_SERVER_KEY", raising=False)
    found = Remote(Daemon(short_tmp), short_tmp)
    found.start()
    remote.trust(found.address, found.local("keys.server")["key"])
    try:
        yield found
    finally:
        found.daemon.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


def test_who_is_authorised_is_served_as_its_role_says(served: Remote, workspace: Path, tmp_path: Path) -> None:
    session = served.daemon.run(plan_of(wave_of("w", agent_of("a", "echo hello"))), workspace)["session"]
    served.let_in("view")
    with served.client() as client:
        assert client.daemon_status()["pid"] == served.daemon.pid
        assert client.status(session)["outcome"] == "succeeded"
        assert any(event["kind"] == "session.ended" for event in client.events(session))
        with pytest.raises(NotAllowedError, match=r"role `view`, which may not call session\.stop"):
            client.stop(session)
        with pytest.raises(NotAllowedError, match=r"may not call session\.prune"):
            client.prune([session])
        assert not client.export(session, tmp_path / "it.zip")["problems"]
        with zipfile.ZipFile(tmp_path / "it.zip") as archive:
            assert archive.read(f"{session}/runs/a.1/output") == b"hello\n"
        assert "hello" in client.report(session, "html")["content"]
        with pytest.raises(NotAllowedError, match=r"may not call daemon\.stop"):
            client.daemon_stop()
    served.let_in("control", "boss")
    with served.client() as client:
        plan = plan_of(wave_of("w", agent_of("a", 'printf %s "$HOME:$PATH" > seen')))
        values = {"base": {"HOME": "/elsewhere", "PATH": "/elsewhere/bin"}}
        params = {"plan": plan, "workspace": str(workspace), "environment": values, "submitted_by": "somebody else"}
        second = client.request("session.submit", params)["session"]
        view = client.wait(second, timeout=30)
        assert view["outcome"] == "succeeded"
        assert view["submitted_by"] == "the remote client boss"
        assert (workspace / "seen").read_text() == f"{os.environ['HOME']}:{os.environ['PATH']}"
        with pytest.raises(NotAllowedError, match="on the daemon's own machine"):
            client.request("keys.list", {})


def test_an_unknown_key_is_refused_before_anything_it_says_is_read(served: Remote) -> None:
    pair = served.new_key()
    with served.client() as client, pytest.raises(NotAllowedError, match="does not know this client's key") as refusal:
        client.daemon_status()
    assert pair.public in refusal.value.hint
    assert refusal.value.exit_status == 77


def test_a_server_with_another_key_than_the_known_one_is_told_nothing(served: Remote) -> None:
    served.let_in("control")
    remote.trust(served.address, new_pair().public)
    with served.client() as client, pytest.raises(NotAllowedError, match="has not the key that is known for it"):
        client.daemon_status()


def test_a_server_nobody_vouched_for_is_not_spoken_to(served: Remote) -> None:
    served.let_in("view")
    remote.distrust(served.address)
    with served.client() as client, pytest.raises(NotAllowedError, match="is not known") as refusal:
        client.daemon_status()
    assert f"wavectl keys trust {served.address}" in refusal.value.hint


def test_nobody_listens_and_nobody_answers(served: Remote) -> None:
    served.let_in("view")
    nowhere = f"tcp://127.0.0.1:{_free_port()}"
    remote.trust(nowhere, new_pair().public)
    with Client(nowhere) as client, pytest.raises(NoDaemonError, match=r"no daemon answers on tcp://.*refused"):
        client.request("session.stop", {"session": ""})
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        mute = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        remote.trust(mute, new_pair().public)
        with Client(mute, timeout=0.5) as client, pytest.raises(NoDaemonError, match="no answer within"):
            client.request("session.stop", {"session": ""})


def test_without_curve_nothing_is_answered(served: Remote) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as channel:
        channel.linger = 0
        channel.connect(served.address)
        channel.send(b"\x84\xa1v\x01\xa2id\x01\xa6method\xaddaemon.status\xa6params\x80")
        assert not channel.poll(500)
    # A stranger's bytes, too, cost the daemon nothing.
    with socket.create_connection(("127.0.0.1", int(served.address.rpartition(":")[2]))) as raw:
        raw.sendall(os.urandom(1000))
    assert served.local("daemon.status")["pid"] == served.daemon.pid


def test_revocation_holds_at_once_for_who_is_connected_and_who_waits(served: Remote, workspace: Path) -> None:
    served.let_in("control", "laptop")
    heard: list[object] = []
    with served.client() as client, served.client() as waiting:
        assert client.daemon_status()["pid"] == served.daemon.pid
        waiting.daemon_status()

        def follow() -> None:
            try:
                heard.append(waiting.request("events.read", {"after": 2**40, "wait": 3.0}, wait=3.0))
            except NotAllowedError as error:
                heard.append(error)

        thread = threading.Thread(target=follow)
        thread.start()
        served.local("keys.revoke", key="laptop")
        with pytest.raises(NotAllowedError, match="not authorised any more"):
            client.daemon_status()
        with pytest.raises(NotAllowedError, match="not authorised any more"):
            client.request("session.stop", {"session": ""})
        thread.join(20)
    assert len(heard) == 1
    assert isinstance(heard[0], NotAllowedError)
    with served.client() as client, pytest.raises(NotAllowedError, match="does not know"):
        client.daemon_status()


def test_keys_outlive_the_daemon_and_are_its_users_alone(served: Remote) -> None:
    pair = served.let_in("view", "laptop")
    key = served.local("keys.server")["key"]
    for name in ("server.key", "clients"):
        assert (served.daemon.state / "keys" / name).stat().st_mode & 0o777 == 0o600
    served.daemon.end()
    served.start()
    assert served.local("keys.server")["key"] == key
    [known] = served.local("keys.list")["clients"]
    assert (known["key"], known["role"], known["name"]) == (pair.public, "view", "laptop")
    with served.client() as client:
        assert client.daemon_status()["pid"] == served.daemon.pid


def test_remote_clients_survive_a_restart_and_an_upgrade(served: Remote) -> None:
    served.let_in("control")
    with served.client() as client:
        first = client.daemon_status()["pid"]
        served.daemon.kill()
        served.start()
        second = client.daemon_status()["pid"]
        assert second != first
        assert client.daemon_upgrade()["pid"] == second
        assert client.daemon_status()["pid"] == second


def test_no_address_without_keys_and_none_that_is_taken(short_tmp: Path, daemon: Daemon) -> None:
    with daemon.client() as client:
        assert client.daemon_status()["problems"] == []
    assert not (daemon.state / "keys").exists()
    other = Daemon(short_tmp / "other")
    (short_tmp / "other").mkdir()
    config = short_tmp / "waved.toml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config.write_text(f'listen = "tcp://127.0.0.1:{taken.getsockname()[1]}"\n')
        said = other.start("--config", str(config), may_die=True)
    assert "cannot listen on tcp://127.0.0.1" in said
    assert other.process is not None
    assert other.process.wait(30) == 78


async def _async_status(address: str) -> dict[str, Any]:
    async with AsyncClient(address, timeout=10) as client:
        return await client.daemon_status()


def test_the_asyncio_client_says_the_same(served: Remote) -> None:
    import asyncio

    served.let_in("view")
    assert asyncio.run(_async_status(served.address))["pid"] == served.daemon.pid
    served.new_key()
    with pytest.raises(NotAllowedError, match="does not know this client's key"):
        asyncio.run(_async_status(served.address))
    remote.distrust(served.address)
    with pytest.raises(NotAllowedError, match="is not known"):
        asyncio.run(_async_status(served.address))


def test_the_command_line_from_nothing_to_a_revoked_key(served: Remote) -> None:
    remote.distrust(served.address)
    server = {**served.daemon.environment, "WAVED_SOCKET": str(served.daemon.socket)}

    def wavectl(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from wavectl.cli import main; main()", *words]
        return subprocess.run(command, env=env or dict(os.environ), capture_output=True, text=True, check=False)

    host = served.address
    assert wavectl("--host", host, "daemon", "status").returncode == 77
    assert wavectl("keys", "trust", host, wavectl("keys", "show-server", env=server).stdout.strip()).returncode == 0
    nobody = wavectl("--host", host, "daemon", "status")
    assert nobody.returncode == 77
    assert "wavectl keys new" in nobody.stderr
    key = wavectl("keys", "new").stdout.strip()
    stranger = wavectl("--host", host, "daemon", "status")
    assert stranger.returncode == 77
    assert key in stranger.stderr
    assert wavectl("keys", "authorize", key, "--name", "laptop", env=server).returncode == 0
    welcome = wavectl("--host", host, "daemon", "status", "--json")
    assert json.loads(welcome.stdout)["pid"] == served.daemon.pid
    refused = wavectl("--host", host, "daemon", "stop")
    assert (refused.returncode, "role `view`" in refused.stderr) == (77, True)
    assert "laptop" in wavectl("keys", "list", env=server).stdout
    assert wavectl("keys", "revoke", "laptop", env=server).returncode == 0
    assert wavectl("--host", host, "daemon", "status").returncode == 77
    assert wavectl("keys", "revoke", "laptop", env=server).returncode == 66
    assert wavectl("keys", "new").returncode == 1
    assert wavectl("--host", "127.0.0.1:1", "daemon", "status").returncode in (69, 77)
    assert wavectl("--host", "what is this", "list").returncode == 2
    wrong = wavectl("keys", "authorize", "abc", env=server)
    assert (wrong.returncode, "64 hexadecimal digits" in wrong.stderr) == (2, True)


def test_many_strangers_are_dropped_and_the_local_socket_never_notices(served: Remote) -> None:
    port = int(served.address.rpartition(":")[2])
    strangers = []
    with served.daemon.client() as client:
        try:
            for _ in range(700):
                with contextlib.suppress(ConnectionError):  # the door is shut for a moment
                    strangers.append(socket.create_connection(("127.0.0.1", port), 10))
                if len(strangers) % 50 == 0:
                    assert client.daemon_status()["pid"] == served.daemon.pid
        finally:
            for one in strangers:
                one.close()
        begin = time.monotonic()
        assert client.daemon_status()["problems"] == []
        assert time.monotonic() - begin < 5
    served.let_in("view")
    with served.client() as client:
        assert wait_for(lambda: client.daemon_status()["pid"] == served.daemon.pid)
