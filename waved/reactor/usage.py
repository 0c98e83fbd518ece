"""What runs use at this moment: looked at when somebody asks, and at no other time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waved.pool import tree
from waved.pool.confines import resident


def usage_now(workers: Mapping[str, int]) -> dict[str, Any]:
    """By run: seconds of processor time of the processes it has (with what they have collected), bytes of their own
    memory, and how many they are. `workers`: pid by run. Takes less than a millisecond a process: for a helper thread.
    """
    found = {}
    for run, worker in workers.items():
        processes = [process.pid for process in tree.descendants(worker)]
        found[run] = {
            "cpu_seconds": round(sum(tree.used(pid)[0] for pid in processes), 2),
            "memory": sum(resident(pid) for pid in processes),
            "processes": len(processes),
        }
    return {"runs": found}
