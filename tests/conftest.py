"""What all tests share: nothing may be left behind, and a real daemon in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Daemon, processes_of, wait_for

# A report at the end of each of hundreds of sessions would cost more than what is tested; those of it ask for it.
os.environ.setdefault("WAVED_REPORTS", "0")


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary folder whose path is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="waved-t-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    assert not folder.exists(), f"{folder} could not be removed"


@pytest.fixture
def own_daemon(short_tmp: Path) -> Iterator[Daemon]:
    """A daemon of the test's own. When the test is over it is ended, and not one process of it may be left."""
    running = Daemon(short_tmp)
    running.start()
    try:
        yield running
    finally:
        running.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


@pytest.fixture
def daemon(own_daemon: Daemon) -> Daemon:
    """A running daemon. A module whose tests do nothing to it has them share one (`lent_daemon`)."""
    return own_daemon


@pytest.fixture(scope="module")
def shared_daemon() -> Iterator[Daemon]:
    """The daemon of a module whose tests do nothing to it: started once. Nothing of any of them may be left."""
    folder = Path(tempfile.mkdtemp(prefix="waved-t-"))
    running = Daemon(folder)
    running.start()
    try:
        yield running
    finally:
        running.end()
    wait_for(lambda: not processes_of(folder), 10, lambda: f"left behind: {processes_of(folder)}")
    shutil.rmtree(folder)


@pytest.fixture
def lent_daemon(shared_daemon: Daemon, short_tmp: Path) -> Iterator[Daemon]:
    """The module's daemon for one test, of whose folder no process may be left."""
    yield shared_daemon
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


@pytest.fixture
def unstarted_daemon(short_tmp: Path) -> Iterator[Daemon]:
    """A daemon that the test starts, as it wants it. Of this one too no process may be left."""
    running = Daemon(short_tmp)
    try:
        yield running
    finally:
        running.end()
    wait_for(lambda: not processes_of(short_tmp), 10, lambda: f"left behind: {processes_of(short_tmp)}")


@pytest.fixture
def workspace(short_tmp: Path) -> Path:
    """A git repository with one commit."""
    folder = short_tmp / "ws"
    folder.mkdir()
    (folder / "README.md").write_text("# a repository\n")
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org"}
    who |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True, env={**os.environ, **who})
    return folder
