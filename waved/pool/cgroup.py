"""Control groups (cgroup v2): what a worker started stays in its group, whatever it forks, scrubs or calls itself.

Where waved may make groups below its own, each worker enters one of its own before it starts anything, and nothing it
starts ever leaves it. When the worker is dead, one write to `cgroup.kill` ends all that is left, forks in progress
included (cgroups(7)). No controller is needed, so nothing has to be enabled. Elsewhere `waved.pool.survivors` does what
can be done without.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from waved.pool import tree
from waved.pool.linux import write_small

VARIABLE = "WAVED_CGROUP"
"""`off`, or the folder of a group (cgroup v2) below which waved may make groups; by default its own, if it may."""
PREFIX = "waved-worker-"
DAEMON = "waved-daemon"
"""Below that group, where the daemon's own processes are when groups below it have controllers; the units say so, too
(`DelegateSubgroup=`).
"""
_INSIDE = (DAEMON, ".control")
"""Groups in which a process of the service finds itself instead of in ours; systemd makes `.control` for `Exec…=`."""
_GONE_PATIENCE = 2.0
"""Seconds for killed processes to leave their group."""


def find_home(environ: Mapping[str, str] | None = None) -> Path | None:
    """The group below which workers may make theirs; None: there is none, or it is not ours to divide.

    A group is ours when the administrator of groups says so (systemd's `Delegate=` sets an attribute), when it belongs
    to an ordinary user who may write to it, or when it is the topmost one we see (a container, a machine without
    systemd). As root, being able to write says nothing.
    """
    chosen = (os.environ if environ is None else environ).get(VARIABLE, "")
    if chosen == "off":
        return None
    home = Path(chosen) if chosen else _own()
    if home is None or not (chosen or _is_ours(home)):
        return None
    return home if _can_divide(home) else None


def _own() -> Path | None:
    """The group this process is in, or the one it is a part of, where the hierarchy is mounted."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return None
    for line in mounts:
        fields = line.split()
        root, place, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        if kind == "cgroup2" and Path(path).is_relative_to(root):
            own = Path(place) / Path(path).relative_to(root)
            return own.parent if own.name in _INSIDE else own
    return None


def _is_ours(home: Path) -> bool:
    for attribute in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(home, attribute) == b"1":
                return True
    return os.getuid() != 0 or home.is_mount()


def _can_divide(home: Path) -> bool:
    """Whether a group can be made here, and has `cgroup.kill` (Linux 5.14)."""
    if not os.access(home / "cgroup.procs", os.W_OK):
        return False
    probe = home / f"waved-probe-{os.getpid()}"
    try:
        probe.mkdir()
        usable = (probe / "cgroup.kill").exists()
        probe.rmdir()
    except OSError:
        return False
    return usable


def group_of(home: Path, worker: int) -> Path:
    """The group of the worker with this pid."""
    return home / f"{PREFIX}{worker}"


def worker_of(pid: int) -> int:
    """The worker in whose group a process is; 0 when it is in none's, or has gone."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return 0
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    names = [part.removeprefix(PREFIX) for part in path.split("/") if part.startswith(PREFIX)]
    return int(names[-1]) if names and names[-1].isdigit() else 0


def enter(home: str) -> str:
    """Put this process into a group of its own; "" when that cannot be had."""
    group = f"{home}/{PREFIX}{os.getpid()}"
    for _ in range(3):
        try:
            os.mkdir(group)  # noqa: PTH102 — in every forked worker: no more memory is touched than must be
        except FileExistsError:
            end(Path(group))  # of a worker that had our pid before us and is dead
            continue
        except OSError:
            return ""
        try:
            write_small(f"{group}/cgroup.procs", b"0")
        except FileNotFoundError:
            continue  # removed by a sweep that found it empty
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(group)  # noqa: PTH106
            return ""
        return group
    return ""


def leave(home: str, group: str) -> None:
    """Step out of a group of our own and remove it; for when nobody will do that for us."""
    with contextlib.suppress(OSError):
        write_small(f"{_beside(home)}/cgroup.procs", b"0")
        remove(Path(group))


def step_out(group: Path) -> None:
    """Leave one's own group for the daemon's, so that the group can be frozen. Raises OSError."""
    Path(_beside(str(group.parent)), "cgroup.procs").write_text("0")


def _beside(home: str) -> str:
    """Where processes may be that are in no worker's group."""
    aside = f"{home}/{DAEMON}"
    return aside if os.path.isdir(aside) else home  # noqa: PTH112 — in forked workers


def freeze(group: Path, *, frozen: bool) -> None:
    """Have everything in a group stand still, forks in progress included; or go on. Raises OSError."""
    (group / "cgroup.freeze").write_text("1" if frozen else "0")


def is_frozen(group: Path) -> bool:
    """Whether everything in a group stands still. Raises OSError."""
    return "frozen 1" in (group / "cgroup.events").read_text()


def members(group: Path) -> list[int]:
    """Pids in a group and the groups below it; none when it is gone."""
    found: list[int] = []
    for folder, _, _ in os.walk(group):
        with contextlib.suppress(OSError, ValueError):
            found += [int(line) for line in Path(folder, "cgroup.procs").read_text().split()]
    return found


def kill(group: Path) -> None:
    """SIGKILL to everything in a group and below it, at once."""
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")


def remove(group: Path) -> bool:
    """Remove a group nobody is in; False when somebody is."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def end(group: Path) -> bool:
    """Kill everything in a group and remove it; False when something would not die in time."""
    if remove(group):
        return True
    patience = time.monotonic() + _GONE_PATIENCE
    while time.monotonic() < patience:
        kill(group)
        if remove(group):
            return True
        time.sleep(0.005)
    return False


def sweep(home: Path) -> None:
    """End and remove the groups of dead workers. A worker lives exactly as long as it is in its own group; one that has
    frozen its group has stepped out of it, and stays in ours.
    """
    try:
        groups = [entry for entry in home.iterdir() if entry.name.startswith(PREFIX)]
    except OSError:
        return
    for group in groups:
        pid = group.name.removeprefix(PREFIX)
        # In this order: nobody ever goes back.
        if pid.isdigit() and int(pid) not in members(group) and not _has_stepped_out(home, int(pid)):
            end(group)


def _has_stepped_out(home: Path, worker: int) -> bool:
    process = tree.look(worker)
    if process is None or process.name != "waved-worker":
        return False
    try:
        return str(worker) in Path(_beside(str(home)), "cgroup.procs").read_text().split()
    except OSError:
        return False
