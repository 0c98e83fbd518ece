"""Quality agent: every room still imports, each in an interpreter of its own, several at a time."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import source
from importing import import_milliseconds
from junit import Case, write_junit
from session import DOCUMENTS


def main() -> int:
    """Writes docs/session/review/imports.xml; exit status 1 when a room's modules cannot all be imported."""
    rooms = {
        room: [module.name for module in modules if module.importable] for room, modules in source.by_room().items()
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = list(pool.map(lambda names: import_milliseconds(*names), rooms.values()))
    for room, cost in zip(rooms, costs, strict=True):
        print(f"{room}: {'cannot be imported' if cost is None else f'{cost:.0f} ms'}")
    problems = ["" if cost is not None else "cannot be imported" for cost in costs]
    return write_junit("imports", list(map(Case, rooms, problems)), DOCUMENTS / "review" / "imports.xml")


if __name__ == "__main__":
    sys.exit(main())
