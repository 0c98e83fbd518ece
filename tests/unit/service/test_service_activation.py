"""Sockets that systemd hands over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from waved.service import activation

SCRIPT = """
import os, sys
from pathlib import Path
from waved.errors import ConfigError
from waved.service import activation
os.environ["LISTEN_PID"] = str(os.getpid()) if sys.argv[2] == "ours" else "1"
try:
    found = activation.take(Path(sys.argv[1]))
except ConfigError as error:
    print("refused:", error.message)
else:
    name = found.getsockname() if found else None
    print(name, activation.keeps(Path(sys.argv[1])), sorted(k for k in os.environ if k.startswith("LISTEN")))
    print(os.get_inheritable(3))
"""


def handed_over(listener: socket.socket, path: Path, whose: str = "ours") -> list[str]:
    """What a process says that was given a socket as descriptor 3."""
    program = f"import os; os.dup2({listener.fileno()}, 3); os.set_inheritable(3, True); exec({SCRIPT!r})"
    environ = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "waved.socket"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), whose],
        env=environ, pass_fds=[listener.fileno()], capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.fixture
def path(short_tmp: Path) -> Path:
    return short_tmp / "control.sock"


def test_the_control_socket_is_taken_once_and_not_handed_on(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert handed_over(listener, path) == [f"{path} True []", "False"]


def test_what_was_meant_for_another_process_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert handed_over(listener, path, "another's") == ["None False []", "True"]


def test_another_socket_is_refused_with_both_names(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        [said] = handed_over(listener, path.with_name("other.sock"))
    assert said == f"refused: waved.socket listens on {path}, and the control socket is {path.with_name('other.sock')}"


def test_without_systemd_there_is_none(path: Path) -> None:
    assert activation.take(path, {}) is None
    assert not activation.keeps(path)
