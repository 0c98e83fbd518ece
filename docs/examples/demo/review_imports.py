"""Quality agent: every module still imports, each in an interpreter of its own, several at a time."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import source
from importing import import_milliseconds
from junit import Case, write_junit
from session import DOCUMENTS


def main() -> int:
    """Writes docs/session/review/imports.xml; exit status 1 when a module cannot be imported."""
    names = [module.name for module in source.modules() if module.importable]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = list(pool.map(import_milliseconds, names))
    problems = ["" if cost is not None else "cannot be imported" for cost in costs]
    return write_junit("imports", list(map(Case, names, problems)), DOCUMENTS / "review" / "imports.xml")


if __name__ == "__main__":
    sys.exit(main())
