"""Who a local client is, where its process cannot be seen: as under systemd's ProtectProc=invisible."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from waved.errors import NotAllowedError
from waved.ipc import wire
from waved.ipc.caller import Caller
from waved.ipc.server import Asked
from waved.pool import tree
from waved.reactor.admission import Admission


@pytest.fixture
def connection(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The daemon's end of a connection of a living process that nobody can see, and that process."""
    monkeypatch.setattr(tree, "look", lambda _pid: None)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(short_tmp / "s"))
        listener.listen()
        pid = os.fork()
        if pid == 0:
            client.connect(str(short_tmp / "s"))
            client.recv(1)
            os._exit(0)
        ours, _ = listener.accept()
        with ours:
            yield ours.fileno(), pid
        os.waitpid(pid, 0)


def _admission() -> Admission:
    nobody: Any = SimpleNamespace(live={}, run_of=lambda _pid: "")
    admission = Admission(nobody, nobody, nobody)
    admission.shared = True
    return admission


def _asked(descriptor: int, uid: int, pid: int) -> Asked:
    request = wire.Request(1, "session.list", {})
    return Asked(cast(Any, [b"c"]), request, Caller(uid, pid), descriptor)


def test_another_users_client_is_no_run_of_ours_though_it_cannot_be_seen(connection: tuple[int, int]) -> None:
    descriptor, pid = connection
    asked = _asked(descriptor, os.getuid() + 1, pid)
    assert _admission().admit(asked) is asked


def test_one_of_our_own_user_that_cannot_be_seen_is_refused(connection: tuple[int, int]) -> None:
    descriptor, pid = connection
    with pytest.raises(NotAllowedError, match="has ended"):
        _admission().admit(_asked(descriptor, os.getuid(), pid))
