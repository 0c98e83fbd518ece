"""How many descriptors this process can still open. Whoever opens many leaves some to the others (s6: a supervisor
accepts commands even when nothing more can be made).
"""

from __future__ import annotations

import os
import resource

_SPARE = 16_384
"""More than clients can open in the time of a slow turn; a quarter of the limit where that is less."""
_OWN = "/proc/self/fd"


def descriptors_left() -> int:
    """Descriptors until the limit."""
    return max(0, limit() - _count())


def _count() -> int:
    """How many are open."""
    told = os.stat(_OWN).st_size  # noqa: PTH116 — for every client that comes or goes; Linux 6.2 tells it (proc(5))
    if told:
        return told
    try:
        return len(os.listdir(_OWN)) - 1  # noqa: PTH208 — the one it is read through is not counted
    except OSError:
        return limit()


def limit() -> int:
    """The limit on descriptors."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def spare_descriptors() -> int:
    """Descriptors that neither clients nor workers may take."""
    return min(_SPARE, limit() // 4)
