"""How a process that helps the daemon out behaves: it yields to everything else, and goes with the daemon."""

from __future__ import annotations

import os
from contextlib import suppress

from waved.pool.linux import OOM_SCORE_OF_HELP, die_with_parent, offer_to_oom_killer, set_process_name


def step_back(parent: int, name: str) -> None:
    """Yield the processor, be the first to go when memory runs out, and end with the thread that started us."""
    die_with_parent(parent)
    set_process_name(name)
    with suppress(OSError):
        os.nice(19)
    offer_to_oom_killer(OOM_SCORE_OF_HELP)
