from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_daemon import FakeDaemon

from wavectl import Client
from wavectl.cli import cli


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path: unix socket names have room for about 100 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="wv-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def no_other_daemon(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a daemon of the person who runs it."""
    for name in ("WAVED_SOCKET", "NO_COLOR", "WAVED_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WAVED_RUNTIME_DIR", str(short_folder / "run"))
    monkeypatch.setenv("WAVED_STATE_DIR", str(short_folder / "state"))


@pytest.fixture
def daemon(short_folder: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(short_folder) as running:
        yield running


@pytest.fixture
def client(daemon: FakeDaemon) -> Iterator[Client]:
    with Client(daemon.endpoint, timeout=5, reconnect=10) as connected:
        yield connected


@pytest.fixture
def wavectl(daemon: FakeDaemon) -> Callable[..., Result]:
    """Run a command against the fake daemon, in this process."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--socket", daemon.endpoint, *arguments], standalone_mode=False)

    return run
