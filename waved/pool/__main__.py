"""The zygote as a program (`python -m waved.pool DESCRIPTOR`): sees that forking is cheap before it imports anything.

`threading` has its lists of threads and locks made anew in each forked child: a tenth of what a new worker costs here,
nearly all of it memory that is copied. That is needed by a process that forks while other threads run. The zygote has
one thread, and so has a worker when it is born: what it inherits is right as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_Hook = Callable[[], Any]


def _without_threads(register: Callable[..., None]) -> Callable[..., None]:
    """`os.register_at_fork` that passes over what `threading` wants done."""

    def choose(**hooks: _Hook) -> None:
        if any(getattr(hook, "__module__", "") == "threading" for hook in hooks.values()):
            return
        register(**hooks)

    return choose


if __name__ == "__main__":
    if "threading" not in sys.modules:
        register = os.register_at_fork
        os.register_at_fork = _without_threads(register)
        import threading  # noqa: F401

        os.register_at_fork = register
    from waved.pool.zygote import main

    main()
