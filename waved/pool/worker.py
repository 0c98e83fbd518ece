"""A worker: the process that owns a run, from before its exec until nothing of it is alive.

Forked by the zygote, single-threaded, small. It owns one run at a time; when nothing of that is left it may be given
another, which costs a fraction of a new process. What it does is driven by one poll loop over the daemon's channel, the
run's output pipes and its own deadlines. It does not need the daemon: when the channel breaks after the release it
goes on, and listens on `control.sock` in the run's folder for the next daemon.

Messages from the daemon: `arm` {spec} with the descriptor of a starting shot (again to change it), `withdraw`, `limits`
{timeout, timeout_of} ahead of the shot, `release` {timeout, timeout_of} without one, `stop` {reason, grace}. To the
daemon: `armed`, `started`, `ended` {record}, and `hello` after a reconnection.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

from waved import failpoints
from waved.pool import cgroup, record, tree
from waved.pool.capture import Capture
from waved.pool.channel import Channel, ChannelClosedError
from waved.pool.claim import TakenError, claim
from waved.pool.ending import Ending
from waved.pool.launch import SHORTAGES, Launch, NotStartedError, ShortageError, resolve
from waved.pool.linux import become_subreaper, boot_seconds, offer_to_oom_killer, set_process_name
from waved.pool.prepare import prepare, rehearse
from waved.pool.survivors import Marks, boot_id

TAIL_BYTES = 4096
MAX_SHOWN = 500
"""Characters of one word of a command line in the journal."""
RUNS_EACH = 200
"""Runs a worker serves in its life."""


def main(channel: Channel, home: Path | None, zygote_start: int) -> None:
    """Serve runs, one after another. Called in the freshly forked worker, which ignores the signals its zygote
    ignores. `home`: where it makes a control group of its own; `zygote_start`: see `Marks`.
    """
    set_process_name("waved-worker")
    offer_to_oom_killer()
    os.setsid()
    become_subreaper()
    group = cgroup.enter(home) if home is not None else None
    own = os.getpid()
    boot, start, zygote = boot_id(), tree.start_of(own), os.getppid()
    try:
        for number in range(RUNS_EACH):
            marks = Marks(boot, own, start, zygote, zygote_start, group=str(group or ""))
            worker = Worker(channel, marks, last=number == RUNS_EACH - 1)
            worker.serve()
            if not worker.free:
                return
    except ChannelClosedError:
        return
    finally:
        if home is not None and group is not None and os.getppid() != zygote:
            cgroup.leave(home, group)  # our zygote, which would remove it, is dead


class Worker:
    """The state of one run as its worker sees it."""

    def __init__(self, channel: Channel, marks: Marks, *, last: bool = True) -> None:
        self.channel: Channel | None = channel
        self.born_with = channel
        self.last = last
        """No further run is to follow this one."""
        self.free = False
        """The run is over, the daemon knows, and another may follow."""
        self.marks = marks
        self.listener: socket.socket | None = None
        self.spec: dict[str, Any] = {}
        self.folder = Path()
        self.lock = -1
        self.capture: Capture | None = None
        self.launch: Launch | None = None
        self.argv: list[str] = []
        self.released = False
        self.started_at: float | None = None
        self.pid = 0
        self.status: int | None = None
        self.ended_at = 0.0
        self.shot = -1
        """Readable once the shot that starts a whole wave is fired."""
        self.limits: dict[str, Any] | None = None
        """Limits that came ahead of the shot; without them the shot is not for us."""
        self.ending = Ending()
        self.cpu = 0.0
        self.rss = 0
        self.wakeup = -1

    # --- before the release -------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Wait for `arm`, then see the run through."""
        assert self.channel is not None  # noqa: S101 — a new worker is connected
        try:
            if not select.select([self.channel.fileno()], [], [], 0)[0]:
                rehearse()
            while not self.released:
                message = self._next_word(self.channel)
                if "arm" in message:
                    self._withdraw()
                    failpoints.hit("worker.before-claim")
                    self._claim(message["arm"])
                    failpoints.hit("worker.after-claim")
                    self._arm()
                    failpoints.hit("worker.after-arm")
                    self.channel.send({"armed": self.spec["run"], "worker": os.getpid()})
                    failpoints.hit("worker.after-armed")
                elif "limits" in message:
                    self.limits = message["limits"]
                elif "release" in message:
                    self._release(message["release"])
                elif "shot" in message and self.limits is not None:
                    self._release(self.limits)
                elif "withdraw" in message:
                    self._withdraw()
                    if self.spec:
                        shutil.rmtree(self.folder, ignore_errors=True)
                    return
                elif "stop" in message and self.spec:  # without one: it was meant for the run before, which is over
                    self._withdraw()
                    self._finish_unstarted("stopped", message["stop"]["reason"])
                    return
        except ChannelClosedError:
            # The daemon ended before it said go: nothing was exec'ed, and this record says so for certain.
            if self.spec:
                self._withdraw()
                self._finish_unstarted("withdrawn", "the daemon ended before the start")
            return
        except TakenError as error:
            # Another daemon decided about this run: nothing of it is ours to write. Its start is tried under a new id.
            self.ending.cause, self.ended_at = ("withdrawn", str(error)), self._clock()
            with contextlib.suppress(ChannelClosedError):
                self.channel.send({"ended": self._record()})
            return
        except ShortageError as error:
            self._give_back(str(error))
            return
        except NotStartedError as error:
            self._finish_unstarted("not-started", str(error))
            return
        except OSError as error:
            if not self.spec:
                return  # there is no run yet that this could be the end of
            if error.errno in SHORTAGES:
                self._give_back(f"cannot make the run's files: {error.strerror}")
                return
            self._finish_unstarted("not-started", f"cannot make the run's files: {error}")
            return
        self._loop()
        self._finish()

    def _next_word(self, channel: Channel) -> dict[str, Any]:
        """The daemon's next message; `shot` when the starting shot that came with `arm` has been fired.

        What the daemon sent before the shot is heard before it.
        """
        while self.shot >= 0:
            poller = select.poll()
            poller.register(channel.fileno(), select.POLLIN)
            poller.register(self.shot, select.POLLIN)
            ready = {fd for fd, _ in poller.poll()}
            if self.shot in ready and not select.select([channel.fileno()], [], [], 0)[0]:
                os.close(self.shot)
                self.shot = -1
                return {"shot": True}
            if channel.fileno() in ready:
                break
        message, fds = channel.receive()
        for fd in fds:
            if self.shot >= 0:
                os.close(self.shot)
            self.shot = fd
        return message

    def _claim(self, spec: dict[str, Any]) -> None:
        """Own the run, if it is not ours already. Raises TakenError when it is somebody else's."""
        again = bool(self.spec)
        self.spec = spec
        if not again:
            self.folder = Path(spec["folder"])
            self.lock = claim(self.folder, self.marks)

    def _arm(self) -> None:
        """Do everything that can be done before the start."""
        spec = self.spec
        record.make_room_for_exit(self.folder)
        self.capture = Capture(self.folder, spec["clock_offset"], spec["output_limit"])
        self.marks.pipes = [os.fstat(fd).st_ino for fd in self.capture.streams]
        self.marks.write(self.lock)
        invocation = prepare(spec, self.folder)
        self.argv = invocation.argv
        env = {**spec["env"], "PWD": spec["cwd"], **invocation.env}
        path = resolve(self.argv, spec["cwd"], env)
        os.chdir(spec["cwd"])
        stdin = self._stdin(invocation.stdin)
        self.launch = Launch(path, self.argv, env, stdin, self.capture.stdout, self.capture.stderr)
        if self.wakeup < 0:
            self._watch_children()

    def _stdin(self, data: bytes | None) -> int:
        if data is None:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        path = self.folder / "stdin"
        path.write_bytes(data)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _watch_children(self) -> None:
        """Make SIGCHLD wake the poll loop."""
        self.wakeup, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def _release(self, limits: dict[str, Any]) -> None:
        """Start the program. Raises NotStartedError."""
        if self.launch is None:
            return
        failpoints.hit("worker.before-spawn")
        self.marks.spawning = True
        self.marks.write(self.lock)
        self.pid = self.launch.start()
        failpoints.hit("worker.after-spawn")
        self.started_at = self._clock()
        self.launch = None
        self.released = True
        spec = self.spec
        self.ending.begin(limits["timeout"], limits["timeout_of"], spec["stop_grace"], spec["leftover_grace"])
        self._tell({"started": self._started()})
        failpoints.hit("worker.after-started")
        self.marks.main, self.marks.main_start = self.pid, tree.start_of(self.pid)
        with contextlib.suppress(OSError):
            self.marks.write(self.lock)
        with contextlib.suppress(OSError):  # a disk that is full costs the description, not the run
            record.write_spec(self.folder, self.spec, shown(self.argv))

    def _started(self) -> dict[str, Any]:
        return {"run": self.spec["run"], "pid": self.pid, "at": self.started_at, "argv": shown(self.argv)}

    def _withdraw(self) -> None:
        """Nothing was started, and nothing will be; the run's files are closed."""
        if self.launch is not None:
            self.launch.close()
            self.launch = None
        if self.capture is not None:
            self.capture.close()
            self.capture = None

    # --- while it runs ------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Until nothing of the run is alive and all it printed is kept."""
        assert self.capture is not None  # noqa: S101 — armed before released
        poller = select.poll()
        watched: set[int] = set()
        while True:
            wanted = {self.wakeup, *self.capture.streams}
            if self.channel is not None:
                wanted.add(self.channel.fileno())
            if self.listener is not None:
                wanted.add(self.listener.fileno())
            for fd in watched - wanted:
                poller.unregister(fd)
            for fd in wanted - watched:
                poller.register(fd, select.POLLIN)
            watched = wanted
            ready = [fd for fd, _ in poller.poll(self.ending.patience())]
            for fd in ready:
                if fd in self.capture.streams:
                    if not self.capture.pump(fd):
                        watched.discard(fd)
                        poller.unregister(fd)
                elif fd == self.wakeup:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wakeup, 4096)
                elif self.channel is not None and fd == self.channel.fileno():
                    self._listen_to_daemon()
                elif self.listener is not None and fd == self.listener.fileno():
                    self._accept()
            if self._over():
                return

    def _over(self) -> bool:
        """Collect what ended, act on what is due; True when nothing is left."""
        try:
            for pid, status, cpu, rss in tree.reap():
                self.cpu += cpu
                self.rss = max(self.rss, rss)
                if pid == self.pid:
                    self.status = status
                    self.ended_at = self._clock()
                    self.ending.main_ended()
        except ChildProcessError:
            return True
        if tree.no_children():
            return True
        self.ending.step()
        return False

    # --- the daemon ---------------------------------------------------------------------------------------------

    def _listen_to_daemon(self) -> None:
        assert self.channel is not None  # noqa: S101 — it was readable
        try:
            message, fds = self.channel.receive()
        except ChannelClosedError:
            self._daemon_gone()
            return
        for fd in fds:
            os.close(fd)
        if "stop" in message and self.status is None:
            self.ending.ask("stopped", message["stop"]["reason"], message["stop"]["grace"])

    def _daemon_gone(self) -> None:
        """Listen for the next daemon. The path may be longer than a socket address: bind through the folder's fd."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        failpoints.hit("worker.before-listen")
        folder = os.open(self.folder, os.O_PATH | os.O_CLOEXEC)
        try:
            path = f"/proc/self/fd/{folder}/{record.CONTROL}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.listener.bind(path)
            self.listener.listen(1)
        except OSError:
            # Without it the next daemon waits for our exit record; the run itself goes on.
            self.listener = None
        finally:
            os.close(folder)

    def _accept(self) -> None:
        assert self.listener is not None  # noqa: S101 — it was readable
        sock, _ = self.listener.accept()
        self.listener.close()
        self.listener = None
        with contextlib.suppress(OSError):
            os.unlink(self.folder / record.CONTROL)  # noqa: PTH108
        self.channel = Channel(sock)
        failpoints.hit("worker.after-accept")
        self._tell({"hello": {"run": self.spec["run"], "worker": os.getpid(), "started": self._started()}})

    def _tell(self, message: dict[str, Any]) -> None:
        if self.channel is None:
            return
        try:
            self.channel.send(message)
        except ChannelClosedError:
            self._daemon_gone()

    # --- the end ------------------------------------------------------------------------------------------------

    def _clock(self) -> float:
        """Seconds on waved's clock."""
        offset: float = self.spec["clock_offset"]
        return boot_seconds() + offset

    def _give_back(self, reason: str) -> None:
        """The machine is short of something, and nothing was exec'ed: no trace is left, so the run is tried again."""
        if not self.spec:
            return  # it was not even told which run: its daemon sees that it is gone
        self._withdraw()
        self.ending.cause, self.ended_at = ("withdrawn", reason), self._clock()
        if self.lock >= 0:  # else the folder may not be ours
            shutil.rmtree(self.folder, ignore_errors=True)
        self._tell({"ended": self._record()})

    def _finish_unstarted(self, outcome: str, reason: str) -> None:
        self.ending.cause = (outcome, reason)
        self.ended_at = self._clock()
        self._finish()

    def _finish(self) -> None:
        """Keep what is left in the pipes, write the exit record, and only then say so."""
        if self.capture is not None:
            self.capture.drain()
        ended = self._record()
        failpoints.hit("worker.before-exit-record")
        while True:
            try:
                record.write_exit(self.folder, ended)
                break
            except OSError as error:
                # The daemon can still journal it; without a daemon, wait for space rather than lose the truth.
                ended["record_problem"] = f"{error.strerror}"
                if self.channel is not None or not self.folder.exists():
                    break
                time.sleep(1.0)
        failpoints.hit("worker.after-exit-record")
        again = not self.last and self.channel is self.born_with and tree.no_children()
        if again:
            self._let_go()
        self._tell({"ended": ended, "free": again})
        failpoints.hit("worker.after-ended")
        self.free = again and self.channel is self.born_with

    def _let_go(self) -> None:
        """Close all that belongs to the run. Its lock goes last: whoever takes it finds the exit record."""
        os.chdir("/")
        if self.launch is not None:
            self.launch.close()
        if self.capture is not None:
            self.capture.close()
        if self.wakeup >= 0:
            os.close(signal.set_wakeup_fd(-1))
            os.close(self.wakeup)
        for fd in (self.shot, self.lock):
            if fd >= 0:
                os.close(fd)

    def _record(self) -> dict[str, Any]:
        outcome, reason = self.ending.cause or ("exited", "")
        code = number = None
        if self.status is not None:
            if os.WIFSIGNALED(self.status):
                number = os.WTERMSIG(self.status)
                if self.ending.cause is None:
                    outcome, reason = "signalled", f"ended by {signal.Signals(number).name}"
            else:
                code = os.WEXITSTATUS(self.status)
                if self.ending.cause is None and code:
                    reason = f"exited with status {code}"
        capture = self.capture
        failed = outcome not in ("exited",) or code != 0
        return {
            "run": self.spec["run"],
            "outcome": outcome,
            "exit_code": code,
            "signal": number,
            "reason": reason,
            "pid": self.pid or None,
            "started": self.started_at,
            "ended": self.ended_at,
            "output_bytes": capture.written if capture else 0,
            "dropped_bytes": capture.dropped if capture else 0,
            "rotated_bytes": capture.rotated if capture else 0,
            "tail": capture.tail(TAIL_BYTES) if capture and failed else "",
            "leftovers": list(self.ending.leftovers.values()),
            "cpu_seconds": round(self.cpu, 6),
            "max_rss": self.rss or None,
        }


def shown(argv: list[str]) -> list[str]:
    """A command line for people: long words (a whole prompt) cut short; the prompt is in its own file."""
    return [word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}… ({len(word)} characters)" for word in argv]
