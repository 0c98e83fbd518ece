"""What the tests of the gates share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="waved-gates-"))
    folder.chmod(0o755)
    yield folder
    for found, _, _ in os.walk(folder):
        Path(found).chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def no_privileges() -> Callable[[], AbstractContextManager[None]]:
    """A context in which one is an ordinary user, to whom permissions mean something, also where tests run as root."""
    return _no_privileges


@contextmanager
def _no_privileges() -> Iterator[None]:
    user = os.geteuid()
    if user != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
