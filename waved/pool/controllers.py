"""Controllers of control groups: what limits the memory, processors and processes of a run (cgroups(7); the kernel's
cgroup-v2.rst).

Which there are is asked, never assumed. A group that hands controllers on to groups below it must hold no process of
its own ("no internal processes"). So, where limits are kept, the daemon's own processes sit in `waved-daemon`, and the
group of a worker is divided in two:

    HOME/waved-daemon           the daemon, its zygote, and workers that have stepped aside
    HOME/waved-worker-PID/self  the worker
    HOME/waved-worker-PID/run   what it started, and nothing else: this is limited

All this is made when a plan first asks for limits, and not before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waved.pool import cgroup, tree
from waved.pool.linux import read_small, write_small

CONTROLLER = {"memory": "memory", "cpu": "cpu", "processes": "pids"}
"""Which controller keeps which limit of a plan's `resources`."""
SELF, RUN = "self", "run"
PERIOD = 100_000
"""Microseconds in which a run gets its share of processor time."""
_OWN_NAMES = frozenset({"waved", "waved-zygote", "waved-worker", "waved-imager"})
_PASSES = 20


@dataclass(frozen=True, slots=True)
class Controllers:
    """The controllers that workers' groups can use, and why not all."""

    enabled: frozenset[str] = frozenset()
    problem: str = ""


def enable(home: Path | None, daemon: int) -> Controllers:
    """Have the groups below `home` get the controllers that limits need, where that can be had.

    The processes in `home` are moved to a group of their own; nothing is done when one of them is not waved's. May be
    called again at any time. Takes some milliseconds the first time.
    """
    if home is None:
        return Controllers(problem="no control group (v2) was delegated to waved")
    wanted = set(CONTROLLER.values())
    there = _words(home / "cgroup.controllers") & wanted
    enabled = _words(home / "cgroup.subtree_control") & wanted
    if not there:
        return Controllers(problem=f"the control group {home} has no controllers")
    problem = ""
    if there - enabled:
        problem = _make_room(home, daemon)
        if not problem:
            problem = _switch(home, "+", there - enabled)
    enabled = _words(home / "cgroup.subtree_control") & wanted
    missing = sorted(wanted - there)
    if missing and not problem:
        problem = f"not delegated: {', '.join(missing)}"
    return Controllers(frozenset(enabled), problem)


def in_use(home: Path) -> bool:
    """Whether `home` hands controllers on."""
    return bool(_lines(home / "cgroup.subtree_control"))


def release(home: Path) -> None:
    """Give all controllers back, so that `home` may hold processes again: systemd before 254 puts a service's new main
    process there. Limits are kept again when the next daemon has enabled them (`Confines.renew`).
    """
    for group in home.glob(f"{cgroup.PREFIX}*"):
        _switch(group, "-", CONTROLLER.values())
    _switch(home, "-", CONTROLLER.values())


def _make_room(home: Path, daemon: int) -> str:
    """Move waved's own processes out of `home`; why that cannot be, or ""."""
    if not (home / "cgroup.type").exists():
        return ""  # the topmost group of all may hold processes
    aside = home / cgroup.DAEMON
    for _ in range(_PASSES):
        inside = [int(line) for line in _lines(home / "cgroup.procs")]
        if not inside:
            return ""
        strangers = [pid for pid in inside if not _is_ours(pid, daemon)]
        if strangers:
            return f"others are in waved's control group: {_named(strangers)}"
        try:
            aside.mkdir(exist_ok=True)
            for pid in inside:
                with contextlib.suppress(ProcessLookupError):
                    write_small(f"{aside}/cgroup.procs", b"%d" % pid)
        except OSError as error:
            return f"waved cannot leave its control group: {error.strerror}"
    return "processes keep appearing in waved's control group"


def _is_ours(pid: int, daemon: int) -> bool:
    """The daemon, what it started, and zygotes of daemons before it."""
    seen = 0
    while pid > 1 and seen < 64:
        if pid == daemon:
            return True
        process = tree.look(pid)
        if process is None:
            return seen == 0  # it has just ended
        if process.name in _OWN_NAMES:
            return True
        pid, seen = process.parent, seen + 1
    return False


def _named(pids: Iterable[int]) -> str:
    found = [f"{pid} {process.name}" if (process := tree.look(pid)) else str(pid) for pid in pids]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _switch(group: Path, sign: str, controllers: Iterable[str]) -> str:
    """Hand controllers on (`+`) to the groups below, or no longer (`-`): each for itself. Why one could not be."""
    problem = ""
    for name in sorted(controllers):
        try:
            write_small(f"{group}/cgroup.subtree_control", f"{sign}{name}".encode())
        except OSError as error:
            problem = f"the {name} controller cannot be used: {error.strerror}"
    return problem


def _words(path: Path) -> set[str]:
    return {word for line in _lines(path) for word in line.split()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def divide(group: str, limits: Mapping[str, Any]) -> str:
    """Make the group of a run below the worker's, and enter it, so that what is started next is in it from its first
    instant; "" when no limit can be kept there. Nothing is limited yet: see `settle`.
    """
    usable = _words(Path(group, "cgroup.controllers")) & {CONTROLLER[name] for name in limits}
    if not usable:
        return ""
    run = f"{group}/{RUN}"
    try:
        Path(group, SELF).mkdir(exist_ok=True)
        write_small(f"{group}/{SELF}/cgroup.procs", b"0")
        _switch(Path(group), "+", usable)
        Path(run).mkdir(exist_ok=True)
        write_small(f"{run}/cgroup.procs", b"0")
    except OSError:
        drop(run)
        return ""
    return run


def settle(group: str) -> None:
    """This process leaves the group of the run it has started: limits are not for the worker. Raises OSError."""
    write_small(f"{group}/{SELF}/cgroup.procs", b"0")


def drop(run: str) -> None:
    """Remove the group of a run of which nothing is left."""
    cgroup.remove(Path(run))


def limit(run: str, limits: Mapping[str, Any]) -> frozenset[str]:
    """Put limits into force for all in the group of a run; which of them are."""
    kept = set()
    if "memory" in limits and _put(run, "memory.max", str(limits["memory"])):
        kept.add("memory")
        # All of the run or nothing: half of a build, or an agent without its tools, is worse than an end that is told.
        _put(run, "memory.oom.group", "1")
        # What is more than the limit is not to crawl on in swap.
        _put(run, "memory.swap.max", "0")
    if "processes" in limits and _put(run, "pids.max", str(limits["processes"])):
        kept.add("processes")
    if "cpu" in limits and _put(run, "cpu.max", f"{max(1000, round(limits['cpu'] * PERIOD))} {PERIOD}"):
        kept.add("cpu")
    return frozenset(kept)


def restore(group: str, run: str, limits: Mapping[str, Any]) -> None:
    """Have the limits of a run kept again, after a new daemon has enabled controllers again."""
    _switch(Path(group), "+", _words(Path(group, "cgroup.controllers")) & {CONTROLLER[name] for name in limits})
    limit(run, limits)


def holds(run: str, limits: Mapping[str, Any]) -> bool:
    """Whether the memory limit of a run is in force."""
    lines = _lines(Path(run, "memory.max"))
    return bool(lines) and lines[0].isdigit() and int(lines[0]) <= limits["memory"]


def _put(group: str, name: str, value: str) -> bool:
    path = f"{group}/{name}"
    try:
        write_small(path, value.encode())
    except OSError:
        return False
    return True


def killed_for_memory(run: str) -> bool:
    """Whether the kernel has ended processes of a run because it came to its limit (memory.events, oom_kill)."""
    counts = dict(line.split() for line in _lines(Path(run, "memory.events")))
    return int(counts.get("oom_kill", 0)) > 0


def peak(run: str) -> int | None:
    """The most memory all in the group had at once, in bytes (Linux 5.19)."""
    return _number(f"{run}/memory.peak")


def _number(path: str) -> int | None:
    try:
        return int(read_small(path))
    except (OSError, ValueError):
        return None


def processor_seconds(run: str) -> float | None:
    """Processor time of all that ever was in the group."""
    for line in _lines(Path(run, "cpu.stat")):
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / 1e6
    return None
