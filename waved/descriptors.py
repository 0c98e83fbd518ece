"""How many descriptors this process can still open. Whoever opens many leaves some to the others (s6: a supervisor
accepts commands even when nothing more can be made).
"""

from __future__ import annotations

import os
import resource

_SPARE = 16_384
"""More than clients can open in the time of a slow turn; a quarter of the limit where that is less."""


def descriptors_left() -> int:
    """Descriptors until the limit, counted from the lowest free one: at least as many as that are left."""
    try:
        lowest = os.open("/", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return 0
    os.close(lowest)
    return limit() - lowest


def limit() -> int:
    """The limit on descriptors."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def spare_descriptors() -> int:
    """Descriptors that neither clients nor workers may take."""
    return min(_SPARE, limit() // 4)
