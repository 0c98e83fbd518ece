"""The daemon's side of the pool: workers kept warm, armed, released, stopped, found again.

Used by the reactor's thread alone. Nothing here blocks: what workers have to say arrives through one epoll
descriptor (`fileno`), and `poll` turns it into messages.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waved import failpoints
from waved.pool import record, survivors
from waved.pool.channel import Channel, ChannelClosedError
from waved.pool.linux import boot_seconds
from waved.pool.messages import (
    WORKER_DIED,
    Acted,
    Ended,
    Found,
    Frozen,
    Limits,
    Lost,
    Message,
    Progressed,
    Spec,
    Stalled,
    Start,
    Started,
    session_of,
)
from waved.pool.roster import Roster, Worker
from waved.pool.shot import Shot, Shots
from waved.pool.warm import Warm
from waved.pool.zygotes import Zygotes

ARM_PATIENCE = 2.0
"""Seconds a batch waits for its slowest member before the others go without it."""
GONE_PATIENCE = 5.0
"""Seconds to wait for the zygote to have ended what a dead worker left, before the run is reported lost."""


@dataclass(slots=True)
class _Batch:
    """Runs that are to exec at the same instant."""

    workers: list[Worker]
    due: float


class Pool:
    """All workers of one daemon. `environment` is what the zygote itself runs in; runs get their own."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._roster = Roster()
        self._zygotes = Zygotes(self._roster.epoll, dict(os.environ if environment is None else environment))
        self._warm = Warm(self._roster, self._zygotes)
        self._workers: dict[str, Worker] = {}
        """By run."""
        self._batches: list[_Batch] = []
        self._dead: dict[str, tuple[int, float]] = {}
        """Runs whose worker died, until the zygote has cleaned up: (worker pid, give up at)."""
        self._unstartable: dict[str, tuple[Spec, dict[str, Any]]] = {}
        """Specs and exit records of runs that could not be armed ahead, for when their start is decided."""
        self._news: list[Message] = []
        self._strays = False
        """A zygote has died: its workers are our children."""
        self._shots = Shots()
        self._armed = 0
        """How often a worker was armed, each time a number of its own."""

    def fileno(self) -> int:
        """Readable when `poll` has something to do."""
        return self._roster.epoll.fileno()

    @property
    def problem(self) -> str:
        """What kept workers from being made or reached a moment ago; "" when nothing did."""
        return self._roster.shortage.problem

    @property
    def busy(self) -> int:
        """Runs that have a worker."""
        return len(self._workers)

    def run_of(self, pid: int) -> str:
        """The run that the worker with this pid owns; "" when it is no worker's."""
        return next((run for run, worker in self._workers.items() if worker.pid == pid), "")

    @property
    def starting(self) -> bool:
        """Whether a released run has neither begun nor ended yet."""
        return any(worker.released and not worker.started for worker in self._workers.values())

    @property
    def warm(self) -> int:
        """Workers that wait for a run."""
        return len(self._warm)

    # --- making workers -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the zygote; it makes itself ready while we go on."""
        self._zygotes.start()

    def inherit(self, pids: list[int]) -> None:
        """Collect these zygotes, of the program that was this process before an upgrade, when they end."""
        self._zygotes.inherit(pids)

    def prepare(self, count: int) -> None:
        """Have at least `count` warm workers, 256 at most. Returns at once; they are usable at once."""
        self._warm.prepare(count)

    def keep(self, session: str, count: int) -> None:
        """Keep so many workers, whose runs are over, for what follows in a session; 0: nothing does. To be used again
        costs a worker a fraction of being born.
        """
        self._warm.keep(session, count)

    # --- runs ---------------------------------------------------------------------------------------------------

    def arm(self, run: str, spec: Spec, limits: Limits | None = None) -> bool:
        """Have a worker make everything ready for a run that may follow; False when no worker can be had.

        `limits`: those it will have if it starts with others, so that nothing has to be said to it by then.
        """
        worker = self._workers.get(run)
        if worker is not None and (worker.released or worker.spec == spec):
            return True
        if worker is None:
            worker = self._warm.take()
            if worker is None:
                return False
            worker.run = run
            self._workers[run] = worker
        try:
            worker.shot = self._shots.load(session_of(run))
        except OSError as error:
            self._roster.shortage.met(f"no run can be started: {error.strerror}")
            self._drop(worker)
            return False
        self._armed += 1
        worker.spec, worker.armed, worker.number, worker.told = spec, False, self._armed, limits
        message = {"arm": spec} if limits is None else {"arm": spec, "limits": limits.message()}
        if not self._roster.send(worker, message, (worker.shot.fileno(),)):
            self._drop(worker)
            return False
        return True

    def release(self, starts: list[Start]) -> None:
        """Start runs, all at the same instant. Those armed before with the same spec only need the word."""
        batch: list[Worker] = []
        failpoints.hit("pool.before-arm")
        self.prepare(sum(1 for start in starts if start.run not in self._workers))
        for start in starts:
            spec, ended = self._unstartable.pop(start.run, (None, None))
            if ended is not None and spec == start.spec:
                self._news.append(Ended(start.run, ended))
                continue
            if not self.arm(start.run, start.spec):
                reason = self.problem or "its worker could not be reached"
                self._news.append(Lost(start.run, reason, certain_unstarted=True))
                continue
            worker = self._workers[start.run]
            worker.limits = start.limits
            batch.append(worker)
        if len(batch) == 1 or all(worker.armed for worker in batch):
            self._go(batch)
        else:
            self._batches.append(_Batch(batch, boot_seconds() + ARM_PATIENCE))

    def _go(self, batch: list[Worker]) -> None:
        """Release them. Those who wait for the same shot start on it: a single write wakes them all."""
        failpoints.hit("pool.before-release")
        here = [worker for worker in batch if self._workers.get(worker.run) is worker]
        together: dict[Shot, list[Worker]] = {}
        for worker in here:
            if worker.shot is not None and not worker.shot.fired:
                together.setdefault(worker.shot, []).append(worker)
        for shot, workers in together.items():
            if len(workers) > 1:
                self._fire(shot, workers)
        for worker in here:
            if not worker.released and worker.limits is not None:
                worker.released, worker.shot = True, None
                self._roster.send(worker, {"release": worker.limits.message()})
                failpoints.hit("pool.between-releases")
        failpoints.hit("pool.after-release")

    def _fire(self, shot: Shot, workers: list[Worker]) -> None:
        """Start all of `workers`, and nobody else. What is said before a shot is heard before it."""
        for worker in workers:
            worker.released = True
        for worker in list(self._workers.values()):
            if worker.shot is not shot:
                continue
            if not worker.released and worker.told is not None:
                worker.told = None
                if not self._roster.send(worker, {"limits": None}):
                    self._drop(worker)
                    if worker.limits is not None:  # it waits for others that are to start with it
                        self._news.append(Lost(worker.run, self.problem, certain_unstarted=True))
            elif worker.released and worker.limits is not None and not worker.limits.same_as(worker.told):
                self._roster.send(worker, {"limits": worker.limits.among(len(workers)).message()})
            failpoints.hit("pool.between-releases")
        shot.fire()

    def stop(self, run: str, reason: str, grace: float, *, at_once: bool = False) -> None:
        """Ask a run's worker to end its tree. The run ends like any other, with outcome `stopped`. `at_once`: killed as
        it stands, without being asked first.
        """
        worker = self._workers.get(run)
        if worker is not None:
            failpoints.hit("pool.before-stop")
            self._roster.send(worker, {"stop": {"reason": reason, "grace": grace, "at_once": at_once}})
            failpoints.hit("pool.after-stop")

    def freeze(self, run: str, *, frozen: bool = True) -> None:
        """Have all processes of a run stand still (`Frozen` tells when they do), or go on. One that has not begun yet
        is frozen at its start.
        """
        worker = self._workers.get(run)
        if worker is not None:
            failpoints.hit("pool.before-freeze")
            self._roster.send(worker, {"freeze": True} if frozen else {"thaw": True})
            failpoints.hit("pool.after-freeze")

    def withdraw(self, runs: list[str]) -> None:
        """Forget runs that were armed ahead and are not to be started after all."""
        for run in runs:
            worker = self._workers.get(run)
            if worker is not None and not worker.released:
                self._roster.send(worker, {"withdraw": True})
                self._drop(worker)

    def _drop(self, worker: Worker) -> None:
        """Let go of a worker whose run is not to be started. It ends when it hears that nobody is there any more."""
        del self._workers[worker.run]
        self._roster.forget(worker)

    def armed_ahead(self, prefix: str = "") -> list[str]:
        """Runs with this prefix that are armed or being armed, and not released."""
        return [run for run, worker in self._workers.items() if not worker.released and run.startswith(prefix)]

    def readiness(self, prefix: str) -> tuple[int, int]:
        """How many of the runs with this prefix are armed, and how many are still being armed."""
        workers = [worker for run, worker in self._workers.items() if run.startswith(prefix) and not worker.released]
        armed = sum(1 for worker in workers if worker.armed)
        return armed, len(workers) - armed

    def adopt(self, run: str, folder: Path) -> bool:
        """Connect to the worker of a run that an earlier daemon started; False when it does not listen (yet)."""
        failpoints.hit("recovery.before-adopt")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            folder_fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                sock.connect(f"/proc/self/fd/{folder_fd}/{record.CONTROL}")
            finally:
                os.close(folder_fd)
        except OSError:
            sock.close()
            return False
        sock.setblocking(False)
        worker = Worker(Channel(sock), run, {"folder": str(folder)}, armed=True, released=True)
        self._workers[run] = worker
        self._roster.add(worker)
        failpoints.hit("recovery.after-adopt")
        return True

    # --- what workers say ---------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `poll` is to be called even if nothing arrives; seconds since boot."""
        if self._news:
            return boot_seconds()
        times = [batch.due for batch in self._batches] + [due for _, due in self._dead.values()]
        return min(times, default=None)

    def poll(self) -> list[Message]:
        """Everything that workers have said since the last call. Never blocks."""
        for fd, _ in self._roster.epoll.poll(0):
            if self._zygotes.is_line(fd):
                self._hear_zygote()
            elif (worker := self._roster.at(fd)) is not None:
                self._hear(worker)
            elif self._zygotes.collect(fd):
                self._strays = True  # had it been killed, its workers would be our children now
        if self._strays:
            survivors.reap_orphans()
        now = boot_seconds()
        self._batches = [batch for batch in self._batches if not self._try_batch(batch, now)]
        for run, (_, due) in list(self._dead.items()):
            if now >= due:
                del self._dead[run]
                self._news.append(Lost(run, WORKER_DIED))
        news, self._news = self._news, []
        return news

    def _try_batch(self, batch: _Batch, now: float) -> bool:
        here = [worker for worker in batch.workers if self._workers.get(worker.run) is worker]
        if all(worker.armed for worker in here):
            self._go(here)
            return True
        if now < batch.due:
            return False
        self._go(here)  # the slow ones exec as soon as they have armed: the word waits for them in the channel
        return True

    def _hear(self, worker: Worker) -> None:
        try:
            while True:
                message, fds = worker.channel.receive()
                for fd in fds:
                    os.close(fd)
                self._heed(worker, message)
                if self._roster.at(worker.channel.fileno()) is not worker:
                    return  # it is free, and known under no run
        except BlockingIOError:
            return
        except (ChannelClosedError, LookupError, TypeError, AttributeError):
            # It has ended, or says what no worker says: it is not listened to any more.
            self._worker_ended(worker)

    def _heed(self, worker: Worker, message: dict[str, Any]) -> None:
        if worker.number and message.get("number", worker.number) != worker.number:
            # About what it was armed with before. If that could not be, it turns to what it was told since; if it does
            # not, it ends, and nothing was started.
            worker.turned_away = "ended" in message and not message.get("free")
        elif "armed" in message:
            worker.armed, worker.pid = True, message["worker"]
        elif "started" in message:
            self._heed_started(worker, message["started"])
        elif "acted" in message:
            self._news.append(Acted(message["acted"].pop("run"), message["acted"]))
        elif "hello" in message:
            worker.pid = message["hello"]["worker"]
            if message["hello"]["started"]["at"] is not None:
                self._heed_started(worker, message["hello"]["started"])
            self._news.append(Found(worker.run, message["hello"].get("frozen", False)))
        elif "stalled" in message:
            self._news.append(Stalled(worker.run, **message["stalled"]))
        elif "progressed" in message:
            self._news.append(Progressed(worker.run))
        elif "frozen" in message:
            self._news.append(Frozen(worker.run, **message["frozen"]))
        elif "ended" in message:
            self._workers.pop(worker.run, None)
            if worker.released or message["ended"]["outcome"] != "not-started":
                self._news.append(Ended(worker.run, message["ended"]))
            else:
                self._unarmable(worker, message["ended"])
            if message.get("free"):
                self._warm.put_back(worker)

    def _heed_started(self, worker: Worker, started: dict[str, Any]) -> None:
        worker.started = True
        self._news.append(Started(worker.run, started["pid"], worker.pid, started["at"], started["argv"]))

    def _unarmable(self, worker: Worker, ended: dict[str, Any]) -> None:
        """It could not be armed. If its start has been decided, that is its end; else it is found out at the start."""
        if worker.limits is not None:
            self._news.append(Ended(worker.run, ended))
        elif worker.spec is not None:
            self._unstartable[worker.run] = (worker.spec, ended)

    def _worker_ended(self, worker: Worker) -> None:
        self._roster.forget(worker)
        self._warm.lose(worker)
        if self._workers.get(worker.run) is not worker:
            return
        del self._workers[worker.run]
        left = record.read_exit(Path(worker.spec["folder"])) if worker.spec and not worker.turned_away else None
        if worker.turned_away:
            self._news.append(Lost(worker.run, "its worker could not be armed anew", certain_unstarted=True))
        elif left is not None:
            self._news.append(Ended(worker.run, left))
        elif not worker.released or _claim(worker):
            self._news.append(Lost(worker.run, "its worker died before the start", certain_unstarted=True))
        elif worker.zygote and worker.zygote == self._zygotes.pid:
            self._dead[worker.run] = (worker.pid, boot_seconds() + GONE_PATIENCE)
        else:
            self._news.append(Lost(worker.run, WORKER_DIED))  # its zygote cannot tell us

    def _hear_zygote(self) -> None:
        said, alive = self._zygotes.hear()
        for message in said:
            if "failed" in message:
                self._roster.shortage.met(f"no process can be made: {message['failed']}")
            elif "gone" in message:
                self._heed_gone(message["gone"]["worker"], message["gone"]["killed"])
        if not alive:
            self._zygote_died()

    def _heed_gone(self, pid: int, killed: list[str]) -> None:
        worker = next((worker for worker in self._workers.values() if worker.pid == pid), None)
        if worker is not None:
            self._hear(worker)  # its own end has not been read yet
        run = next((run for run, (worker, _) in self._dead.items() if worker == pid), None)
        if run is not None:
            del self._dead[run]
            reason = WORKER_DIED + (f"; ended what it left: {', '.join(killed)}" if killed else "")
            self._news.append(Lost(run, reason))

    def _zygote_died(self) -> None:
        """Start another; workers live on without it, as our children now: the daemon is a subreaper too."""
        self._strays = True
        for run in list(self._dead):
            del self._dead[run]
            self._news.append(Lost(run, WORKER_DIED))
        self._zygotes.bury()
        try:
            self._zygotes.start()
        except OSError as error:
            self._roster.shortage.met(f"no process can be made: {error.strerror}")

    def close(self) -> None:
        """Let go of everything: warm and armed workers exit, running ones go on, the zygote goes with the last.

        What was armed ahead is forgotten. A run whose start was decided must leave a record that it never began, so
        that the next daemon starts it again: its worker writes that when the connection breaks.
        """
        self.withdraw([run for run in self.armed_ahead() if self._workers[run].limits is None])
        self._warm.clear()
        for worker in self._workers.values():
            self._roster.forget(worker)
        self._workers.clear()
        self._zygotes.close()
        self._roster.close()


def _claim(worker: Worker) -> bool:
    """Whether nothing was exec'ed for certain: its folder was never made (it is made now, so nobody can any more), or
    the worker died before it came to that.
    """
    if worker.spec is None:
        return False
    folder = Path(worker.spec["folder"])
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return survivors.never_began(folder)
    except OSError:
        return not folder.exists()  # nobody else would make it now: its worker is dead
    return True
