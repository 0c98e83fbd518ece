"""Socket activation: systemd listens on the control socket, starts the daemon when somebody connects, and hands the
socket over (sd_listen_fds(3)). The socket is systemd's then: it stays when the daemon ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from pathlib import Path

from waved.errors import ConfigError

_FIRST = 3
"""The descriptor from which on systemd hands over."""
VARIABLE = "WAVED_ACTIVATED"
"""Stays with the process through an upgrade in place; its value is the socket's path."""


def take(path: Path, environ: MutableMapping[str, str] | None = None) -> socket.socket | None:
    """The socket at `path` that systemd has handed over; None when it has handed over none. Done once in a process.

    Raises ConfigError when it is another socket.
    """
    env = os.environ if environ is None else environ
    count, whose = env.pop("LISTEN_FDS", ""), env.pop("LISTEN_PID", "")
    env.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or int(count) < 1 or whose != str(os.getpid()):
        return None
    found = [socket.socket(fileno=fd) for fd in range(_FIRST, _FIRST + int(count))]
    for each in found:
        os.set_inheritable(each.fileno(), False)
    names = [str(each.getsockname()) for each in found]
    if names != [str(path)] or found[0].type != socket.SOCK_STREAM:
        for each in found:
            each.close()
        raise ConfigError(
            f"waved.socket listens on {', '.join(names)}, and the control socket is {path}",
            "name the one in the other: ListenStream= of waved.socket, or --runtime-dir",
        )
    env[VARIABLE] = str(path)
    return found[0]


def keeps(path: Path) -> bool:
    """Whether the socket at `path` is systemd's, and stays when the daemon ends."""
    return os.environ.get(VARIABLE) == str(path)
