"""Starting a private daemon for this user, and knowing when it is ready: told through a pipe, never polled for."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wavectl import transport
from waved.config import locate
from waved.errors import NoDaemonError, ResourceError

if TYPE_CHECKING:
    from wavectl.client import Client

PRIVATE_IDLE_EXIT = 600.0
"""Seconds without work after which a daemon that was started by `run` or `deploy` ends by itself."""
READY_WITHIN = 10.0
_MAX_WORD = 64 * 1024


def ensure(endpoint: str) -> bool:
    """Start a private daemon when none answers on `endpoint`; True if one was started.

    Raises NoDaemonError when none answers and the endpoint is not this user's own (nobody here could start that one).
    """
    try:
        transport.probe(endpoint)
    except NoDaemonError:
        if endpoint != locate().endpoint:
            raise
        start(idle_exit=PRIVATE_IDLE_EXIT)
        return True
    return False


def start(idle_exit: float | None = None, log_file: Path | None = None, wait: float = READY_WITHIN) -> None:
    """Start a daemon in the background and return when it is ready.

    `idle_exit`: seconds without work after which it ends by itself; never if None. `log_file`: by default `waved.log`
    in the state folder; what a daemon that cannot even start prints is there too. Raises ResourceError with what the
    daemon said when it could not start. Another caller starting one at the same instant is no error.
    """
    import subprocess  # most callers find a daemon that runs
    import threading

    reading, writing = os.pipe()
    try:
        arguments = [sys.executable, "-m", "waved", "--ready-fd", str(writing)]
        if idle_exit is not None:
            arguments += ["--idle-exit", f"{idle_exit:g}"]
        log = (log_file or locate().log).absolute()
        arguments += ["--log-file", str(log)]
        nothing = subprocess.DEVNULL
        try:
            with _log_stream(log) as errors:
                process = subprocess.Popen(
                    arguments, stdin=nothing, stdout=nothing, stderr=errors, cwd="/", start_new_session=True,
                    pass_fds=[writing],
                )  # fmt: skip
        finally:
            os.close(writing)
        # Whoever starts it may live longer than it: the daemon must not stay behind as a zombie of theirs.
        threading.Thread(target=process.wait, name="reap-waved", daemon=True).start()
        word = _first_line(reading, wait)
    finally:
        os.close(reading)
    if word == "ready":
        return
    try:
        transport.probe(locate().endpoint)
    except NoDaemonError:
        raise ResourceError(f"the daemon did not start: {word}", f"its log: {log}") from None


def _log_stream(log: Path) -> IO[bytes]:
    """The log to append to; nowhere when it cannot be written, which the daemon will say itself."""
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return log.open("ab")
    except OSError:
        return open(os.devnull, "wb")  # noqa: PTH123 — the caller closes it


def _first_line(descriptor: int, seconds: float) -> str:
    """What the daemon says of itself: "ready", or why not."""
    import select

    said = b""
    deadline = time.monotonic() + seconds
    while b"\n" not in said and len(said) < _MAX_WORD:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return f"not ready after {seconds:g} s"
        piece = os.read(descriptor, 4096)
        if not piece:
            break
        said += piece
    return said.decode("utf-8", "replace").partition("\n")[0].strip() or "it ended without a word"


def process_of(client: Client) -> int | None:
    """A descriptor of the daemon's process (pidfd_open(2)); None when it runs elsewhere, and its pid means nothing."""
    if not client.endpoint.startswith("ipc://"):
        return None
    pid = int(client.daemon_status()["pid"])
    try:
        process = os.pidfd_open(pid)
        if Path(f"/proc/{pid}/comm").read_text() == "waved\n":
            return process
        os.close(process)
    except OSError:
        pass  # it is in a container, with numbers of its own
    return None


def wait_for_end(process: int) -> None:
    """Return when the process behind this descriptor has ended; its files are closed by then."""
    import select

    try:
        poller = select.poll()
        poller.register(process, select.POLLIN)
        poller.poll()
    finally:
        os.close(process)


def foreground(arguments: list[str]) -> None:
    """Become the daemon: this process is replaced, so that signals and exit status are the daemon's own."""
    os.execv(sys.executable, [sys.executable, "-m", "waved", *arguments])  # noqa: S606 — an argument list, no shell
