"""Process trees: who descends from us, and signals that cannot hit the wrong process.

A process is known by pid *and* start time; a signal goes through a pidfd opened and checked against both, so a pid
that was reused in between is never signalled. Groups are never signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from waved.pool.linux import read_small


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was seen: `start` in clock ticks since boot, as in proc(5) stat field 22."""

    pid: int
    start: int
    parent: int
    name: str
    session: int


def look(pid: int) -> Process | None:
    """The process with this pid, or None when there is none (a zombie is none: nothing of it runs)."""
    try:
        stat = read_small(f"/proc/{pid}/stat")  # called thousands of times while killing
    except OSError:
        return None
    opening, closing = stat.index(b"("), stat.rindex(b")")
    fields = stat[closing + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    name = stat[opening + 1 : closing].decode(errors="replace")
    return Process(pid, int(fields[19]), int(fields[1]), name, int(fields[3]))


def state_of(process: Process) -> str:
    """The state of the process that moves most of all its threads (proc(5)): "T" only when all of them are stopped.

    "X" when it is gone.
    """
    states = set()
    try:
        for thread in os.listdir(f"/proc/{process.pid}/task"):  # noqa: PTH208 — hot while freezing
            with open(f"/proc/{process.pid}/task/{thread}/stat", "rb") as file:  # noqa: PTH123
                stat = file.read()
            fields = stat[stat.rindex(b")") + 2 :].split(None, 1)
            states.add(fields[0].decode())
    except OSError:
        if look(process.pid) is None:
            return "X"
        return "R"  # a thread has just ended: it moves
    return next((state for state in "RSDItTZ" if state in states), "X")


def waits_for_vfork(process: Process) -> bool:
    """Whether it stands in vfork(2) until its child has exec'ed: it does nothing before, and can't even be stopped."""
    try:
        with open(f"/proc/{process.pid}/wchan", "rb") as file:  # noqa: PTH123 — hot while freezing
            return file.read() in (b"kernel_clone", b"wait_for_vfork_done", b"_do_fork")
    except OSError:
        return False


def used(pid: int) -> tuple[float, int]:
    """What a process, with its children that were collected, has used: seconds of processor time; bytes it has read
    and written, of files, pipes and sockets (proc(5), io). Zeros when it is gone or not ours to look at.
    """
    seconds, count = 0.0, 0
    try:
        stat = read_small(f"/proc/{pid}/stat")
        fields = stat[stat.rindex(b")") + 2 :].split()
        seconds = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        lines = read_small(f"/proc/{pid}/io").split(b"\n")
        count = sum(int(line.split()[1]) for line in lines if line[:6] in (b"rchar:", b"wchar:"))
    except (OSError, ValueError, IndexError):
        pass
    return seconds, count


def start_of(pid: int) -> int:
    """When a process started (see `Process`); 0 when there is none."""
    process = look(pid)
    return process.start if process is not None else 0


def session_of(pid: int) -> int | None:
    """The session (setsid(2)) of a process, living or dead and not yet collected; None when there is none."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def children(pid: int) -> list[int]:
    """Pids of the direct children (zombies included), of all threads of `pid`."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 — hot while killing
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123 — hot while killing
                found += [int(child) for child in file.read().split()]
        except FileNotFoundError:
            if not Path("/proc/self/task").joinpath(str(os.getpid()), "children").exists():
                return _children_by_parent(pid)
        except OSError:
            continue
    return found


def _children_by_parent(pid: int) -> list[int]:
    """`children` for kernels built without CONFIG_PROC_CHILDREN."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 — names, not paths
    return [other for other in pids if (seen := look(other)) is not None and seen.parent == pid]


def descendants(pid: int) -> list[Process]:
    """Every living process below `pid`, parents before children."""
    found: list[Process] = []
    waiting = children(pid)
    seen: set[int] = set()
    while waiting:
        following = waiting.pop()
        if following in seen:
            continue
        seen.add(following)
        process = look(following)
        if process is not None:
            found.append(process)
        waiting += children(following)
    return found


def send(process: Process, signal_number: int) -> bool:
    """Signal exactly this process; False when it is gone. Never signals pid 1 or ourselves."""
    if process.pid <= 1 or process.pid == os.getpid():
        return False
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        now = look(process.pid)
        if now is None or now.start != process.start:
            return False
        signal.pidfd_send_signal(pidfd, signal_number)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def terminate(pid: int, spare: int = 0) -> list[Process]:
    """Ask everything below `pid` but `spare` to end (SIGTERM; stopped processes are woken to hear it)."""
    asked = [process for process in descendants(pid) if process.pid != spare and send(process, signal.SIGTERM)]
    for process in asked:
        send(process, signal.SIGCONT)
    return asked


def kill(pid: int) -> int:
    """One pass of killing everything below `pid`; how many were hit. Repeat until nothing is left.

    First everything is stopped, until a look finds nothing new: a process that forks in a loop cannot outrun us.
    """
    return kill_found(lambda: descendants(pid))


def kill_found(find: Callable[[], list[Process]]) -> int:
    """`kill` for everything that `find` finds."""
    stopped: dict[int, Process] = {}
    while True:
        new = [process for process in find() if process.pid not in stopped]
        if not new:
            break
        for process in new:
            send(process, signal.SIGSTOP)
            stopped[process.pid] = process
    for process in stopped.values():
        send(process, signal.SIGKILL)
    return len(stopped)


def reap() -> list[tuple[int, int, float, int]]:
    """Collect ended children: (pid, wait status, CPU seconds, peak resident bytes).

    Raises ChildProcessError when there is no child at all. Only for a process all of whose children are its to
    collect (a worker, the zygote).
    """
    ended: list[tuple[int, int, float, int]] = []
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            if ended:
                return ended
            raise
        if pid == 0:
            return ended
        ended.append((pid, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024))


def no_children() -> bool:
    """Whether this process has no child left, living or dead. As a subreaper: whether nothing below it is left."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return False
    return True
