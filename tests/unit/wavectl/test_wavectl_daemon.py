"""Starting a private daemon: readiness through the pipe, and what is said when it does not come."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from wavectl import Client, daemon, transport
from waved.config import locate
from waved.errors import NoDaemonError, ResourceError

HEAD = """
import os, sys, time
from pathlib import Path
runtime, state = Path(os.environ["WAVED_RUNTIME_DIR"]), Path(os.environ["WAVED_STATE_DIR"])
state.mkdir(exist_ok=True)
(state / "called").write_text(" ".join([str(os.getpid()), os.getcwd(), str(os.getsid(0)), *sys.argv[1:]]))
fd = int(sys.argv[sys.argv.index("--ready-fd") + 1])
"""


@pytest.fixture
def program(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put another program in the place of `python -m waved`; it is ended after the test."""
    package = short_folder / "lib" / "waved"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()

    def write(code: str) -> None:
        (package / "__main__.py").write_text(HEAD + code)

    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    yield write
    called = short_folder / "state" / "called"
    if called.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(called.read_text().split()[0]), signal.SIGKILL)


def test_ready_is_waited_for(program: Callable[[str], None], short_folder: Path) -> None:
    program("time.sleep(0.2); os.write(fd, b'ready\\n'); time.sleep(60)")
    before = time.monotonic()
    daemon.start(idle_exit=600)
    assert 0.2 <= time.monotonic() - before < 10
    pid, folder, session, *arguments = (short_folder / "state" / "called").read_text().split()
    assert (folder, session) == ("/", pid), "in no one's folder, in a session of its own"
    assert arguments[2:] == ["--idle-exit", "600", "--log-file", str(short_folder / "state" / "waved.log")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.write(fd, b'cannot make /x: no space\\n'); sys.exit(1)", "cannot make /x: no space"),
        ("sys.exit(3)", "ended without a word"),
        ("time.sleep(60)", "not ready after 1 s"),
    ],
)
def test_what_went_wrong_is_said(program: Callable[[str], None], code: str, said: str) -> None:
    program(code)
    with pytest.raises(ResourceError) as raised:
        daemon.start(wait=1)
    assert said in raised.value.message
    assert "waved.log" in raised.value.hint


def test_losing_the_race_against_another_starter_is_no_error(
    program: Callable[[str], None], short_folder: Path
) -> None:
    (short_folder / "run").mkdir()
    with FakeDaemon(short_folder / "run") as running:
        assert running.endpoint == locate().endpoint
        program("os.write(fd, b'another waved holds the lock\\n')")
        daemon.start()
        assert daemon.ensure(running.endpoint) is False


def test_a_daemon_is_started_only_where_it_would_listen(program: Callable[[str], None], short_folder: Path) -> None:
    program("os.write(fd, b'ready\\n'); time.sleep(60)")
    with pytest.raises(NoDaemonError):
        daemon.ensure(f"ipc://{short_folder}/elsewhere.sock")
    assert not (short_folder / "state" / "called").exists()
    Client(start=True).close()
    assert (short_folder / "state" / "called").exists()


def test_endpoints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert transport.endpoint_of("x.sock", {}) == f"ipc://{tmp_path}/x.sock"
    assert transport.endpoint_of(None, {"WAVED_SOCKET": "tcp://127.0.0.1:1"}) == "tcp://127.0.0.1:1"
    assert transport.endpoint_of(None, {"WAVED_RUNTIME_DIR": "/r", "HOME": "/"}) == "ipc:///r/control.sock"
