"""`waved --check`: whether this version can run on a state folder. Changes nothing there."""

from __future__ import annotations

import importlib
import shutil

from waved.config import Locations
from waved.errors import ResourceError

_PARTS = (
    "waved.log",
    "waved.settings",
    "waved.ipc.server",
    "waved.journal.store",
    "waved.reactor.reactor",
    "waved.pool.zygote",
    "waved.pool.worker",
    "waved.agents.registry",
    "waved.plan.prompts",
)


def check(locations: Locations) -> None:
    """Import everything a daemon, its zygote and its workers need, and look at the journal.

    Raises whatever an import raises, JournalError for a journal this version does not know, and ResourceError when
    there is no room for the copy that is made before a migration.
    """
    for part in _PARTS:
        importlib.import_module(part)
    from waved.journal.store import needs_migration

    if needs_migration(locations.journal):
        size = sum(path.stat().st_size for path in locations.state.glob(f"{locations.journal.name}*"))
        free = shutil.disk_usage(locations.state).free
        if free < 2 * size:
            raise ResourceError(f"the journal is to be migrated, and {locations.state} has no room for a copy of it")
