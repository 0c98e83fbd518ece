"""The zygote: a small single-threaded process that forks workers, with everything a worker needs imported before.

It is the subreaper of its workers: when one dies (OOM, `kill -9`), what it ran falls to the zygote and is ended here,
so nothing outlives its worker. When the daemon is gone it stays as long as workers of it live, for the same reason.

Message from the daemon: `fork` with descriptors, each a worker's end of a channel. To the daemon: `gone` {worker,
killed} after a worker ended and nothing below it is left.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from waved import failpoints
from waved.pool import cgroup, tree, worker
from waved.pool.birth import Cradle
from waved.pool.channel import Channel, ChannelClosedError
from waved.pool.linux import become_subreaper, set_process_name


def main() -> None:
    """Serve on the descriptor named in the first argument until the daemon is gone and no worker is left."""
    set_process_name("waved-zygote")  # first: until then we would look like an orphan in a session of its own
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    os.setsid()
    become_subreaper()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _preload()
    gc.collect()
    gc.freeze()
    home = cgroup.find_home()
    if home is not None:
        cgroup.sweep(home)
    Zygote(channel, home).serve()
    if home is not None:
        cgroup.sweep(home)  # workers of a zygote that was killed left theirs behind


def _preload() -> None:
    """Import what runs need, once, before any fork."""
    import resource  # noqa: F401 — os.wait4 would, in each worker

    from waved.agents.registry import find_program, program_names
    from waved.plan import prompts

    prompts.render("{{ x }}", {"x": ""})
    for name in program_names():
        # A plug-in that cannot be imported costs the runs that name it, in their own worker.
        with contextlib.suppress(Exception):
            find_program(name)


class Zygote:
    """Forks on request, reaps, and ends what a dead worker left."""

    def __init__(self, channel: Channel, home: Path | None) -> None:
        channel.sock.setblocking(False)
        self.channel: Channel | None = channel
        self.home = home
        """The control group in which workers make theirs; None: they have none."""
        self.cradle = Cradle.here(home)
        self.workers: set[int] = set()
        self.wakeup, self._wakeup_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the daemon is gone and no worker is left."""
        while self.channel is not None or self.workers:
            poller = select.poll()
            poller.register(self.wakeup, select.POLLIN)
            if self.channel is not None:
                poller.register(self.channel.fileno(), select.POLLIN)
            for fd, _ in poller.poll():
                if fd == self.wakeup:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wakeup, 4096)
                    self._reap()
                elif self.channel is not None:  # it may have been found broken a moment ago
                    self._obey()

    def _obey(self) -> None:
        assert self.channel is not None  # noqa: S101 — it was readable
        try:
            message, fds = self.channel.receive()
        except ChannelClosedError:
            self._leave_daemon()
            return
        if "fork" in message:
            for fd in fds:
                failpoints.hit("zygote.before-fork")
                try:
                    pid = os.fork()
                except OSError as error:
                    # The daemon sees the channel close, and reports the run as not started.
                    self._tell({"failed": str(error.strerror)})
                    break
                if pid == 0:
                    self._become_worker(fd, fds)
                failpoints.hit("zygote.after-fork")
                self.workers.add(pid)
        for fd in fds:
            os.close(fd)

    def _become_worker(self, fd: int, others: list[int]) -> None:
        """In the child: serve one run and exit, whatever happens."""
        code = 70
        try:
            os.close(self.wakeup)
            os.close(self._wakeup_write)
            if self.channel is not None:
                self.channel.close()
            for other in others:
                if other != fd:
                    os.close(other)
            worker.main(Channel(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fd)), self.cradle)
            code = 0
        except BaseException:  # noqa: BLE001 — the last line of defence of a forked process: it must not return
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        ended = []
        try:
            ended = [pid for pid, *_ in tree.reap() if pid in self.workers]
        except ChildProcessError:
            ended = list(self.workers)
        if not ended:
            return
        self.workers.difference_update(ended)
        failpoints.hit("zygote.before-orphans")
        killed = self._end_orphans(ended)
        failpoints.hit("zygote.after-orphans")
        for pid in ended:
            self._tell({"gone": {"worker": pid, "killed": killed}})

    def _end_orphans(self, ended: list[int]) -> list[str]:
        """End everything below us that is no worker and below no worker: its own worker is dead.

        Workers that end meanwhile are added to `ended`.
        """
        killed: dict[int, str] = {}
        own = os.getpid()
        if self.home is not None:
            for pid in ended:
                self._end_group(cgroup.group_of(self.home, pid), killed)
        while True:
            orphans = [pid for pid in tree.children(own) if pid not in self.workers]
            living = [process for pid in orphans if (process := tree.look(pid)) is not None]
            if not living:
                return list(killed.values())
            for process in living:
                killed[process.pid] = f"{process.pid} {process.name}"
                tree.send(process, signal.SIGSTOP)
                tree.kill(process.pid)
                tree.send(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                for pid, *_ in tree.reap():
                    if pid in self.workers:
                        self.workers.discard(pid)
                        ended.append(pid)

    @staticmethod
    def _end_group(group: Path, killed: dict[int, str]) -> None:
        """Remove a dead worker's control group, and end whatever is still in it."""
        if cgroup.remove(group):
            return
        left = (tree.look(pid) for pid in cgroup.members(group))
        killed.update({process.pid: f"{process.pid} {process.name}" for process in left if process is not None})
        cgroup.end(group)

    def _leave_daemon(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def _tell(self, message: dict[str, Any]) -> None:
        if self.channel is not None:
            try:
                self.channel.send(message)
            except ChannelClosedError:
                self._leave_daemon()
            except BlockingIOError:
                # It hangs. Ending what dead workers left must not wait for it; it finds out about them by itself.
                return
