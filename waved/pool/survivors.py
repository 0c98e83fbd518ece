"""What a run left alive although its worker is dead: found and ended (invariant 3).

Normally nothing is left: a worker ends its tree, and what a killed worker leaves falls to its zygote, which ends it.
This is for the case in which the zygote is dead too, or belongs to a daemon of the past. What belongs to a run is known
by marks, each of them enough: its control group; processes that fell to its zygote or to this daemon; the session its
program was started in; its pipes; WAVED_RUN in the environment; and descent from any of these.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from waved.pool import cgroup, record, tree
from waved.pool.linux import read_small

PATIENCE = 5.0
"""Seconds to wait for a worker's death, and again for all that it left to be gone."""
PASS = 0.01
"""Seconds between two looks."""
OWN_NAMES = frozenset({"waved-worker", "waved-zygote"})
"""Children of a subreaper of ours that are no orphans: they end by themselves."""


SPAWNING = b'{"spawning": true}\n'
"""The mark that says that the run's program may begin at any moment."""


@dataclass(slots=True)
class Marks:
    """What the processes of a run are known by; kept in its folder's lock file, in lines of JSON: what is found out
    later is added, durable against everything but a power cut (after which marks mean nothing).
    """

    boot: str = ""
    """Pids and times mean something only on the boot they were seen on."""
    worker: int = 0
    worker_start: int = 0
    zygote: int = 0
    zygote_start: int = 0
    spawning: bool = False
    """Written right before the run's program is started: a run whose worker died without it certainly never began."""
    main: int = 0
    """The run's program, leader of its own session; 0 until it was started."""
    main_start: int = 0
    pipes: list[int] = field(default_factory=list)
    """Inodes of the run's stdout and stderr."""
    group: str = ""
    """The worker's control group; empty when it has none."""


def zygote_line(zygote: int, start: int) -> bytes:
    """The marks that all workers of a zygote share."""
    return json.dumps({"boot": boot_id(), "zygote": zygote, "zygote_start": start}).encode() + b"\n"


def worker_line(pid: int, start: int) -> bytes:
    """The mark of a worker itself."""
    return b'{"worker": %d, "worker_start": %d}\n' % (pid, start)


def group_line(group: str) -> bytes:
    """The mark of a worker's control group."""
    return json.dumps({"group": group}).encode() + b"\n"


def pipes_line(pipes: list[int]) -> bytes:
    """The mark by which a run's pipes are known."""
    return b'{"pipes": [%s]}\n' % b", ".join(b"%d" % inode for inode in pipes)


def main_line(pid: int, start: int) -> bytes:
    """The mark by which a run's program is known."""
    return b'{"main": %d, "main_start": %d}\n' % (pid, start)


def read_marks(folder: Path) -> Marks:
    """The marks of a run; empty ones when it has none (its worker died early) or they are of another boot."""
    try:
        lines = (folder / record.LOCK).read_bytes().splitlines()
        found: dict[str, Any] = {}
        for line in lines:
            try:
                found.update(json.loads(line))
            except ValueError:
                found["spawning"] = True  # torn: it may have been that
        marks = Marks(**{name: found[name] for name in Marks.__dataclass_fields__ if name in found})
    except (OSError, ValueError, TypeError):
        return Marks()
    return marks if marks.boot == boot_id() else Marks()


def never_began(folder: Path) -> bool:
    """Whether a run whose worker is dead, and left no exit record, certainly never started its program."""
    marks = read_marks(folder)
    return bool(marks.worker) and not marks.spawning


def boot_id() -> str:
    """Different after each boot of the machine."""
    try:
        return read_small("/proc/sys/kernel/random/boot_id").decode().strip()
    except OSError:
        return ""


def end(run: str, folder: Path) -> tuple[list[str], list[str]]:
    """End all that is left of a run whose worker is dead or dying: (what was killed, what would not die), "pid name".

    Blocks, for two patiences at most: for a helper thread.
    """
    marks = read_marks(folder)
    if marks.worker:
        _await_death(marks)
    killed: dict[int, str] = {}
    left: list[str] = []
    patience = time.monotonic() + PATIENCE
    while found := _with_descendants(_known(marks)) or _with_descendants(_marked(run, marks)):
        killed.update({process.pid: f"{process.pid} {process.name}" for process in found})
        if time.monotonic() > patience:
            left = [f"{process.pid} {process.name}" for process in found]
            break
        if marks.group:
            cgroup.kill(Path(marks.group))
        tree.kill_found(lambda: _with_descendants(chain(_known(marks), _marked(run, marks))))
        time.sleep(PASS)
    if marks.group:
        cgroup.end(Path(marks.group))
    reap_orphans()
    return list(killed.values()), left


def _await_death(marks: Marks) -> None:
    """A worker's children fall to the next subreaper when it dies: before that there is nothing to find."""
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience:
        worker = tree.look(marks.worker)
        if worker is None or worker.start != marks.worker_start:
            return
        time.sleep(PASS)


def _with_descendants(roots: Iterable[tree.Process]) -> list[tree.Process]:
    """These and every living descendant, each once."""
    found: dict[int, tree.Process] = {}
    for root in roots:
        found.update({one.pid: one for one in (root, *tree.descendants(root.pid)) if one.pid != os.getpid()})
    return list(found.values())


def _known(marks: Marks) -> Iterator[tree.Process]:
    """Who fell to a subreaper of ours, or is in the run's group: quick to look up."""
    yield from orphans_of(os.getpid())
    zygote = tree.look(marks.zygote) if marks.zygote else None
    if zygote is not None and zygote.start == marks.zygote_start:
        yield from orphans_of(zygote.pid)
    if marks.group:
        for pid in cgroup.members(Path(marks.group)):
            if (process := tree.look(pid)) is not None:
                yield process


def _marked(run: str, marks: Marks) -> Iterator[tree.Process]:
    """Who bears another mark: every process there is has to be looked at."""
    for process in _everybody():
        if process.start >= marks.worker_start and _is_of(process, run, marks):
            yield process


def _is_of(process: tree.Process, run: str, marks: Marks) -> bool:
    if marks.main and process.session == marks.main and process.start >= marks.main_start:
        # The leader's pid is not given away while its session has members; a leader of another age is another session.
        leader = tree.look(marks.main)
        return leader is None or leader.start == marks.main_start
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:  # noqa: PTH123 — once for each process there is
            if f"\0WAVED_RUN={run}\0".encode() in b"\0" + file.read():
                return True
        if marks.pipes and not marks.group:  # a group knows better, and this is slow
            return any(_inode(process.pid, name) in marks.pipes for name in os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208
    except OSError:
        return False  # gone meanwhile, or not ours to look at
    return False


def _inode(pid: int, fd: str) -> int:
    try:
        target = os.readlink(f"/proc/{pid}/fd/{fd}")  # noqa: PTH115
    except OSError:
        return 0
    return int(target[6:-1]) if target.startswith("pipe:[") else 0


def _everybody() -> Iterator[tree.Process]:
    for name in os.listdir("/proc"):  # noqa: PTH208 — names, not paths
        if name.isdigit() and (process := tree.look(int(name))) is not None and process.name not in OWN_NAMES:
            yield process


def orphans_of(reaper: int) -> list[tree.Process]:
    """Living children of a subreaper of ours whose worker is dead.

    What waved starts for itself (git) is in the daemon's own session; workers and zygotes have their names.
    """
    own = os.getsid(0)
    found = (tree.look(pid) for pid in tree.children(reaper))
    return [one for one in found if one is not None and one.session != own and one.name not in OWN_NAMES]


def reap_orphans() -> None:
    """Collect dead children that others started: workers whose zygote is dead, and what those left."""
    own = os.getsid(0)
    for pid in tree.children(os.getpid()):
        if tree.session_of(pid) not in (own, None):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
