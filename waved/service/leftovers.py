"""`waved --end-leftovers`: end every run that goes on although its daemon is gone for good (invariant 3).

The units call it after the daemon has ended (`ExecStopPost=`). After a crash, and in a `systemctl restart`, agents are
to live on for the next daemon, and nothing is done. When the service is stopped, and `on_stop` is not "detach", no
agent may be left: not even when the daemon hung, and systemd had to kill it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from waved.config import Locations
from waved.pool import cgroup, controllers, record, survivors
from waved.pool.messages import Ended, Lost
from waved.pool.pool import Pool
from waved.service.job import kind_of_job, property_of_unit

if TYPE_CHECKING:
    from waved.settings import Settings

REASON = "waved was stopped"
GRACE = 10.0
"""Seconds agents get between SIGTERM and SIGKILL."""
PATIENCE = 30.0
"""Seconds for all workers to write down how their runs ended; what is alive then is killed without them."""
_PAUSE = 0.02


def wanted(settings: Settings) -> bool:
    """Whether systemd is stopping the service for good, and the settings do not say that agents live on."""
    return settings.on_stop == "stop" and kind_of_job() == "stop"


def make_way() -> None:
    """Let systemd put the service's next main process where it belongs, while agents live on.

    A group whose controllers limit agents must hold no process. From 254 on systemd knows where else to put the main
    process (`DelegateSubgroup=`, which `wavectl service install` writes); before, controllers have to be given back
    until the next daemon enables them again.
    """
    home = cgroup.find_home()
    if home is None or not controllers.in_use(home):
        return
    if property_of_unit("DelegateSubgroup") != cgroup.DAEMON:
        controllers.release(home)


def end(locations: Locations, grace: float = GRACE) -> tuple[int, list[str]]:
    """End all that is left of all runs: how many were alive, and what would not die. No daemon may be running.

    Living workers end their runs themselves, and write the exit records the next daemon reads. For others their marks
    are followed (`waved.pool.survivors`). Blocks for the grace, and some seconds.
    """
    alive = dict(_alive(locations))
    _ask_workers(alive, grace)
    left: list[str] = []
    found = len(alive)
    for run, folder in _unended(locations):
        if run not in alive and not survivors.read_marks(folder).worker:
            continue  # of another boot, or never begun
        ended, stubborn = survivors.end(run, folder)
        found += bool(ended) and run not in alive
        left += stubborn
    home = cgroup.find_home()
    if home is not None:
        cgroup.sweep(home)
    return found, left


def _ask_workers(alive: dict[str, Path], grace: float) -> None:
    """Have the workers end their runs, and wait until they have."""
    pool = Pool({})
    waiting = dict(alive)
    asked: set[str] = set()
    patience = time.monotonic() + grace + PATIENCE
    while waiting and time.monotonic() < patience:
        for run, folder in list(waiting.items()):
            if run not in asked and pool.adopt(run, folder):
                pool.stop(run, REASON, grace)
                asked.add(run)
            elif not record.is_locked(folder):
                del waiting[run]
        for message in pool.poll():
            if isinstance(message, (Ended, Lost)):
                waiting.pop(message.run, None)
        time.sleep(_PAUSE)
    pool.close()


def _folders(locations: Locations) -> Iterator[Path]:
    return (locations.state / "sessions").glob("*/runs/*")


def _alive(locations: Locations) -> Iterator[tuple[str, Path]]:
    return ((_run_of(folder), folder) for folder in _folders(locations) if record.is_locked(folder))


def _unended(locations: Locations) -> Iterator[tuple[str, Path]]:
    return ((_run_of(folder), folder) for folder in _folders(locations) if record.read_exit(folder) is None)


def _run_of(folder: Path) -> str:
    """The run's id as its description has it; before that is written, what the folder's name was made of."""
    try:
        return str(json.loads((folder / record.SPEC).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        assignment, _, attempt = folder.name.replace("+", "/").rpartition(".")
        return f"{folder.parents[1].name}/{assignment}#{attempt}"
