"""waved's clock: unix seconds that never jump while the machine is up, the same for daemons and workers.

It is the boot clock (suspended time included) plus an offset that is remembered in the journal for as long as the
machine is not booted anew. An administrator setting the system time moves neither deadlines nor durations.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from waved.errors import ResourceError
from waved.journal.store import Journal
from waved.pool.linux import boot_seconds

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Reads the boot clock; `offset` turns it into unix seconds."""

    def __init__(self, journal: Journal) -> None:
        boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
        known = journal.meta("clock")
        if known is not None and known.partition(" ")[0] == boot:
            self.offset = float(known.partition(" ")[2])
        else:
            self.offset = time.time() - boot_seconds()
            # On a full disk the next daemon takes the system's time anew: times may differ by what that was set by.
            with contextlib.suppress(ResourceError):
                journal.set_meta("clock", f"{boot} {self.offset!r}")

    def now(self) -> float:
        """Unix seconds."""
        return boot_seconds() + self.offset
