"""A worker: the process that owns a run, from before its exec until nothing of it is alive.

Forked by the zygote, single-threaded, small. It owns one run at a time; when nothing of that is left it may be given
another, which costs a fraction of a new process. What it does is driven by one poll loop over the daemon's channel, the
run's output pipes and its own deadlines. It does not need the daemon (`waved.pool.line`).

Messages from the daemon: `arm` {spec} with the descriptor of a starting shot (again to change it), `limits` {timeout,
timeout_of, settle} with it or ahead of the shot (null: it is not for this worker), `withdraw`, `release` {timeout,
timeout_of, settle} without a shot, `stop` {reason, grace}, `freeze`, `thaw`. To the daemon: `armed`, `started`,
`frozen` {ok, processes, seconds, detail}, `stalled` {state, silent, limit}, `progressed`, `ended` {record}, and `hello`
after a reconnection.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import shutil
import time
from typing import Any

from waved import failpoints
from waved.pool import record, tree
from waved.pool.acting import LINGERED, Acting
from waved.pool.behind import AT_THE_END, Behind
from waved.pool.birth import Being, Cradle, be_born
from waved.pool.capture import Capture
from waved.pool.channel import Channel, ChannelClosedError
from waved.pool.claim import TakenError, claim
from waved.pool.confines import Confines
from waved.pool.ending import Ending
from waved.pool.freeze import Freezer
from waved.pool.launch import SHORTAGES, Launch, NotStartedError, ShortageError, resolve
from waved.pool.line import Line
from waved.pool.linux import boot_seconds
from waved.pool.outcome import Outcome
from waved.pool.prepare import enclose, prepare, rehearse
from waved.pool.stall import OTHER, Stall
from waved.pool.survivors import SPAWNING, main_line, pipes_line

MAX_SHOWN = 500
"""Characters of one word of a command line in the journal."""
RUNS_EACH = 200
"""Runs a worker serves in its life."""
SETTLING = 0.5
"""Seconds after the start in which a worker does nothing that can wait: others of the wave are being exec'ed."""


def main(channel: Channel, cradle: Cradle) -> None:
    """Serve runs, one after another. Called in the freshly forked worker, which ignores the signals its zygote
    ignores.
    """
    being = be_born(cradle)
    try:
        line = Line(channel)
        if line.silent():
            rehearse()
        for number in range(RUNS_EACH):
            worker = Worker(line, being, last=number == RUNS_EACH - 1)
            worker.serve()
            if not worker.free:
                return
    except ChannelClosedError:
        return
    finally:
        being.leave()


class Worker:
    """The state of one run as its worker sees it."""

    def __init__(self, line: Line, being: Being, *, last: bool = True) -> None:
        self.line = line
        self.being = being
        self.last = last
        """No further run is to follow this one."""
        self.free = False
        """The run is over, the daemon knows, and another may follow."""
        self.spec: dict[str, Any] = {}
        self.folder = ""
        self.lock = -1
        self.capture: Capture | None = None
        self.acting: Acting | None = None
        """Reads what the program prints; None: nobody does."""
        self.behind: Behind | None = None
        """What of that waits to be read."""
        self.launch: Launch | None = None
        self.argv: list[str] = []
        self.released = False
        self.outcome = Outcome()
        self.number = 0
        """Of what it was armed with last: what is said of another is about what is over. 0: that was not told."""
        self.limits: dict[str, Any] | None = None
        """Limits that came ahead of the shot; without them it is not for us."""
        self.ending = Ending()
        self.freezer = Freezer(being.group)
        self.stall: Stall | None = None
        """Watches for silence, where the plan wants to know of it."""
        self.confines: Confines | None = None
        """Keeps the limits of the run, where the plan sets any."""
        self.freeze_asked = False
        """Before the program was started: it is frozen as soon as it is."""
        self.settle = 0.0
        """Seconds in which others of the wave are still to be started: till then, or until something happens, nothing
        is done that can wait.
        """
        self.announced = False
        """Whether the daemon was told of the start."""
        self.described = False
        """Whether it is written down for people what is run."""

    # --- before the release -------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Wait for `arm`, then see the run through."""
        line = self.line
        try:
            while not self.released:
                message = line.next_word()
                if "arm" in message:
                    self._withdraw()
                    self.number = message.get("number", 0)
                    self.limits = message.get("limits")
                    failpoints.hit("worker.before-claim")
                    self._claim(message["arm"])
                    failpoints.hit("worker.after-claim")
                    self._arm()
                    failpoints.hit("worker.after-arm")
                    line.say({"armed": self.spec["run"], "worker": os.getpid(), "number": self.number})
                    failpoints.hit("worker.after-armed")
                elif message.get("number", self.number) != self.number:
                    continue  # it was meant for the run before, or for this one as it was to be before
                elif "limits" in message:
                    self.limits = message["limits"]
                elif "release" in message:
                    self._release(message["release"])
                elif "shot" in message and self.limits is not None:
                    self._release(self.limits)
                elif "freeze" in message or "thaw" in message:
                    self.freeze_asked = "freeze" in message and bool(self.spec)
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
            self.outcome.unstarted("withdrawn", str(error), self._clock())
            with contextlib.suppress(ChannelClosedError):
                line.say({"ended": self._record(), "number": self.number})
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

    def _claim(self, spec: dict[str, Any]) -> None:
        """Own the run, if it is not ours already. Raises TakenError when it is somebody else's."""
        again = bool(self.spec)
        self.spec = spec
        if not again:
            self.folder = self.line.folder = spec["folder"]
            self.lock = claim(self.folder, self.being.mark)

    def _arm(self) -> None:
        """Do everything that can be done before the start."""
        spec = self.spec
        record.make_room_for_exit(self.folder)
        self.capture = Capture(self.folder, spec["clock_offset"], spec["output_limit"])
        os.write(self.lock, pipes_line([os.fstat(fd).st_ino for fd in self.capture.streams]))
        invocation, self.acting = prepare(spec, self.folder)
        if self.acting is not None:
            self.behind = Behind(self.folder, self.acting.feed)
            self.capture.heed = self.behind.take
        self.argv = invocation.argv
        env = {**spec["env"], "PWD": spec["cwd"], **invocation.env}
        path, argv = resolve(self.argv, spec["cwd"], env), self.argv
        if self.acting is not None:
            self.acting.executable = path
        if spec.get("sandbox") is not None:
            argv = enclose(spec, self.folder, [path, *argv[1:]], env)
            path = argv[0]
        os.chdir(spec["cwd"])
        stdin = self._stdin(invocation.stdin)
        if spec.get("resources"):
            self.confines = Confines(spec["resources"], self.being.group)
            self.confines.prepare()
        self.launch = Launch(path, argv, env, stdin, self.capture.stdout, self.capture.stderr)

    def _stdin(self, data: bytes | None) -> int:
        if data is None:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        path = f"{self.folder}/stdin"
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(data)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _release(self, limits: dict[str, Any]) -> None:
        """Start the program. Raises NotStartedError."""
        if self.launch is None:
            return
        failpoints.hit("worker.before-spawn")
        os.write(self.lock, SPAWNING)
        pid = self.launch.start()
        failpoints.hit("worker.after-spawn")
        self.outcome.began(pid, self._clock())
        self.launch = None
        self.released = True
        if self.confines is not None:
            self.confines.begin()
        spec = self.spec
        if spec.get("stall"):
            self.stall = Stall(spec["stall"])
        if spec.get("sandbox") is not None:
            self.ending.spare, self.outcome.sandboxed = pid, True
        self.ending.begin(limits["timeout"], limits["timeout_of"], spec["stop_grace"], spec["leftover_grace"])
        self.settle = limits.get("settle", 0.0)
        if not self.settle or self.freeze_asked:  # of a freeze is told after the start
            self._announce()

    def _announce(self) -> None:
        """Tell the daemon that the program runs, and write down which process it is."""
        self.announced = True
        pid = self.outcome.pid
        self.line.tell({"started": self._started()})
        failpoints.hit("worker.after-started")
        with contextlib.suppress(OSError):
            os.write(self.lock, main_line(pid, tree.start_of(pid)))

    def _started(self) -> dict[str, Any]:
        begun = self.outcome
        return {"run": self.spec["run"], "pid": begun.pid, "at": begun.started_at, "argv": shown(self.argv)}

    def _withdraw(self) -> None:
        """Nothing was started, and nothing will be; the run's files are closed."""
        if self.launch is not None:
            self.launch.close()
            self.launch = None
        if self.capture is not None:
            self.capture.close()
            self.capture = None
        if self.confines is not None:
            self.confines.abandon()
            self.confines = None

    # --- while it runs ------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Until nothing of the run is alive and all it printed is kept."""
        assert self.capture is not None  # noqa: S101 — armed before released
        poller = select.poll()
        watched: set[int] = set()
        wakeup = self.being.wakeup
        if self.freeze_asked:
            self._freeze()
        while True:
            wanted = {wakeup, *self.capture.streams, *self.line.fds()}
            for fd in watched - wanted:
                poller.unregister(fd)
            for fd in wanted - watched:
                poller.register(fd, select.POLLIN)
            watched = wanted
            # In order of their numbers stdout comes first: what a program says on stderr at its end stays the last.
            ready = sorted(fd for fd, _ in poller.poll(self._patience()))
            if not self.announced:
                self._announce()
                continue
            printed = False
            for fd in ready:
                if fd in self.capture.streams:
                    printed = True
                    if not self.capture.pump(fd):
                        watched.discard(fd)
                        poller.unregister(fd)
                    if self.stall is not None:
                        self.stall.sign()
                elif fd == wakeup:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wakeup, 4096)
                elif fd in self.line.fds():
                    self._heed(self.line.hear())
            if not ready:
                self._describe()
            if self._over():
                return
            if self.behind is not None:
                self.behind.catch_up(busy=printed)
            if self.acting is not None:
                self._tell_of(self.acting)
            if self.stall is not None:
                self._mind_silence(self.stall)
            if self.confines is not None and self.confines.look():
                self._out_of_memory(self.confines.breach)

    def _out_of_memory(self, reason: str) -> None:
        """It has more than it may: there is no time to ask. Of what outlived its program nothing more is said."""
        if self.outcome.status is not None or self.ending.cause is not None:
            self.ending.hurry()
        else:
            self.ending.ask("signalled", reason, 0.0, at_once=True)

    def _mind_silence(self, stall: Stall) -> None:
        stall.be(self.acting.state if self.acting is not None else OTHER)
        stall.pause(paused=self.freezer.frozen is not None or self.ending.cause is not None)
        if (said := stall.look()) is not None:
            self.line.tell(said)

    def _tell_of(self, acting: Acting) -> None:
        """Report what the program is at, when that is due; end one that lingers after its result."""
        if self.behind is not None:
            acting.behind = self.behind.waiting
        report = acting.report_due(told=self.line.connected)
        if report is not None:
            self.line.tell({"acted": {"run": self.spec["run"], **report}})
        if acting.lingers() and self.outcome.status is None and self.ending.cause is None:
            self.ending.ask("exited", LINGERED, self.spec["stop_grace"])

    def _patience(self) -> float | None:
        """Milliseconds until something is to be done even if nothing happens; None: nothing is."""
        if not self.announced:
            return self.settle * 1000
        due = self.ending.patience()
        if self.behind is not None and (soon := self.behind.patience()) is not None:
            due = soon if due is None else min(due, soon)
        if self.acting is not None and (soon := self.acting.patience(told=self.line.connected)) is not None:
            due = soon if due is None else min(due, soon)
        if self.stall is not None and (soon := self.stall.patience()) is not None:
            due = soon if due is None else min(due, soon)
        if self.confines is not None and (soon := self.confines.patience()) is not None:
            due = soon if due is None else min(due, soon)
        if self.described:
            return due
        return SETTLING * 1000 if due is None else min(due, SETTLING * 1000)

    def _over(self) -> bool:
        """Collect what ended, act on what is due; True when nothing is left."""
        try:
            for pid, status, cpu, rss in tree.reap():
                self.outcome.spent(cpu, rss)
                if pid == self.outcome.pid:
                    self.outcome.ended(status, self._clock())
                    self.ending.main_ended()
        except ChildProcessError:
            return True
        if tree.no_children():
            return True
        self.ending.step()
        if self.freezer.frozen is not None:
            self._mind_freeze()
        return False

    def _heed(self, message: dict[str, Any]) -> None:
        """What the daemon says while the run goes on."""
        if "connected" in message:
            if self.confines is not None:
                self.confines.renew()
            frozen = self.freezer.frozen is not None
            hello = {"run": self.spec["run"], "worker": os.getpid(), "started": self._started(), "frozen": frozen}
            self.line.tell({"hello": hello})
        elif "stop" in message and self.outcome.status is None:
            asked = message["stop"]
            try:
                reason, grace = str(asked["reason"]), float(asked["grace"])
                at_once = bool(asked.get("at_once", False))
                if not 0.0 <= grace < math.inf:
                    raise ValueError(grace)  # noqa: TRY301
            except (TypeError, ValueError, KeyError, AttributeError):
                self.line.hang_up()  # after a crash of the daemon, somebody else may have found our socket
                return
            self.ending.ask("stopped", reason, grace, at_once=at_once)
        elif "freeze" in message and self.ending.cause is None:
            self._freeze()
        elif "thaw" in message:
            self.freezer.thaw()
            self.ending.count_on()

    def _freeze(self) -> None:
        failpoints.hit("worker.before-freeze")
        self.line.tell({"frozen": self.freezer.freeze().message()})
        failpoints.hit("worker.after-frozen")

    def _mind_freeze(self) -> None:
        """The time limit stands still as well, as long as there is a daemon that can end this; and what was asked to
        end has to move for that.
        """
        if self.ending.cause is not None:
            self.freezer.thaw()
        elif self.line.connected:
            self.ending.stand_still()
        else:
            self.ending.count_on()

    def _describe(self) -> None:
        """Write down what is run, for people; when there is time for it, and once."""
        if not self.described and self.outcome.pid:
            self.described = True
            with contextlib.suppress(OSError):  # a disk that is full costs the description, not the run
                record.write_spec(self.folder, self.spec, shown(self.argv))

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
        self.outcome.unstarted("withdrawn", reason, self._clock())
        if self.lock >= 0:  # else the folder may not be ours
            shutil.rmtree(self.folder, ignore_errors=True)
        self.line.tell({"ended": self._record(), "number": self.number})

    def _finish_unstarted(self, outcome: str, reason: str) -> None:
        self.outcome.unstarted(outcome, reason, self._clock())
        self._finish()

    def _finish(self) -> None:
        """Keep what is left in the pipes, read it, write the exit record, and only then say so.

        The record outlives us and the daemon when it is written. Without a daemon, which would journal it, it is waited
        for until the disk has it.
        """
        if self.capture is not None:
            self.capture.drain()
        if self.behind is not None and self.acting is not None:
            self.behind.rest(AT_THE_END)
            self.behind.close()
            self.acting.behind, self.acting.unread = 0, self.behind.unread
        ended = self._record()
        failpoints.hit("worker.before-exit-record")
        while True:
            try:
                record.write_exit(self.folder, ended, on_disk=not self.line.connected)
                break
            except OSError as error:
                # The daemon can still journal it; without a daemon, wait for space rather than lose the truth.
                ended["record_problem"] = f"{error.strerror}"
                if self.line.connected or not os.path.exists(self.folder):  # noqa: PTH110
                    break
                time.sleep(1.0)
        failpoints.hit("worker.after-exit-record")
        again = not self.last and not self.freezer.aside and self.line.unbroken and tree.no_children()
        if again:
            self._let_go()
        self.line.tell({"ended": ended, "free": again, "number": self.number})
        failpoints.hit("worker.after-ended")
        self._describe()
        self.free = again and self.line.unbroken

    def _let_go(self) -> None:
        """Close all that belongs to the run. Its lock goes last: whoever takes it finds the exit record."""
        os.chdir("/")
        if self.launch is not None:
            self.launch.close()
        if self.capture is not None:
            self.capture.close()
        self.line.drop_shot()
        if self.lock >= 0:
            os.close(self.lock)

    def _record(self) -> dict[str, Any]:
        told = self.outcome.record(self.spec["run"], self.ending, self.capture, self.acting)
        if self.confines is not None:
            if self.outcome.pid:
                told |= self.confines.conclude(told)
            self.confines.abandon()
        return told


def shown(argv: list[str]) -> list[str]:
    """A command line for people: long words (a whole prompt) cut short; the prompt is in its own file."""
    return [word if len(word) <= MAX_SHOWN else f"{word[:MAX_SHOWN]}… ({len(word)} characters)" for word in argv]
