"""A worker's line to its daemon: the channel it was born with, the starting shot, where the next daemon finds it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import Any

from waved import failpoints
from waved.pool import record, tree
from waved.pool.channel import Channel, ChannelClosedError


class Line:
    """One worker's. When the connection breaks after the release, the worker goes on and listens on `control.sock` in
    the run's folder.
    """

    def __init__(self, channel: Channel) -> None:
        self._born_with = channel
        self._channel: Channel | None = channel
        self._listener: socket.socket | None = None
        self._shot = -1
        """Readable once the shot that starts a whole wave is fired."""
        self.folder = ""
        """Of the run that is served."""

    @property
    def connected(self) -> bool:
        """Whether a daemon is there."""
        return self._channel is not None

    @property
    def unbroken(self) -> bool:
        """Whether the daemon is the one that the worker was born for."""
        return self._channel is self._born_with

    def fds(self) -> tuple[int, ...]:
        """What is to be watched while the run goes on: `hear` says what has come."""
        line = self._channel if self._channel is not None else self._listener
        return (line.fileno(),) if line is not None else ()

    def silent(self) -> bool:
        """Whether nothing has been said that was not heard."""
        return not select.select(self.fds(), (), (), 0)[0]

    # --- before the release -------------------------------------------------------------------------------------

    def next_word(self) -> dict[str, Any]:
        """Wait for the daemon's next message; `shot` when the starting shot that came with `arm` has been fired.

        What the daemon sent before the shot is heard before it. Raises ChannelClosedError.
        """
        channel = self._born_with
        while self._shot >= 0:
            poller = select.poll()
            # The shot first: poll(2) looks in this order, so what was sent before it is seen when the shot is.
            poller.register(self._shot, select.POLLIN)
            poller.register(channel.fileno(), select.POLLIN)
            ready = [fd for fd, _ in poller.poll()]
            if channel.fileno() in ready:
                break
            if self._shot in ready:
                self.drop_shot()
                return {"shot": True}
        message, fds = channel.receive()
        for fd in fds:
            self.drop_shot()
            self._shot = fd
        return message

    def drop_shot(self) -> None:
        """It is not waited for any more."""
        if self._shot >= 0:
            os.close(self._shot)
            self._shot = -1

    def say(self, message: dict[str, Any]) -> None:
        """Tell the daemon the worker was born for. Raises ChannelClosedError."""
        self._born_with.send(message)

    # --- while the run goes on ----------------------------------------------------------------------------------

    def tell(self, message: dict[str, Any]) -> None:
        """Tell the daemon, if there is one."""
        if self._channel is None:
            return
        try:
            self._channel.send(message)
        except ChannelClosedError:
            self._daemon_gone()

    def hear(self) -> dict[str, Any]:
        """What has come on `fds`: a message, or `connected` when another daemon has; nothing: the daemon is gone."""
        if self._channel is None:
            return self._accept()
        try:
            message, fds = self._channel.receive()
        except ChannelClosedError:
            self._daemon_gone()
            return {}
        for fd in fds:
            os.close(fd)
        return message

    def hang_up(self) -> None:
        """What was said is none of a daemon's words: whoever it is, another one is waited for."""
        self._daemon_gone()

    def _daemon_gone(self) -> None:
        """Listen for the next daemon. The path may be longer than a socket address: bind through the folder's fd."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        failpoints.hit("worker.before-listen")
        folder = os.open(self.folder, os.O_PATH | os.O_CLOEXEC)
        try:
            path = f"/proc/self/fd/{folder}/{record.CONTROL}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._listener.bind(path)
            self._listener.listen(1)
        except OSError:
            # Without it the next daemon waits for our exit record; the run itself goes on.
            self._listener = None
        finally:
            os.close(folder)

    def _accept(self) -> dict[str, Any]:
        assert self._listener is not None  # noqa: S101 — it was readable
        sock, _ = self._listener.accept()
        if not _may_be_the_daemon(sock):
            sock.close()
            return {}
        self._listener.close()
        self._listener = None
        with contextlib.suppress(OSError):
            os.unlink(f"{self.folder}/{record.CONTROL}")  # noqa: PTH108
        self._channel = Channel(sock)
        failpoints.hit("worker.after-accept")
        return {"connected": True}


def _may_be_the_daemon(sock: socket.socket) -> bool:
    """Whether a daemon can be on the other end: a process of our user (or root), and none that we have started."""
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid not in (os.getuid(), 0):
        return False
    while pid > 1:
        process = tree.look(pid)
        if process is None or process.parent == os.getpid():
            return False
        pid = process.parent
    return True
