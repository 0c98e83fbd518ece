"""What an agent program needs of waved: its environment variables. Any program in any language can read the same."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WORKSPACE = Path(os.environ.get("WAVED_WORKSPACE") or ".").resolve()
"""The folder this agent may change."""
DOCUMENTS = WORKSPACE / "docs" / "session"
"""Where this session's documents are written (`session.folder` in the plan)."""


def context() -> dict[str, Any]:
    """What earlier waves produced, as waved hands it on ($WAVED_CONTEXT); empty when run by hand."""
    file = os.environ.get("WAVED_CONTEXT", "")
    if not file or not Path(file).is_file():
        return {}
    loaded: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    return loaded


def do_tasks(known: Mapping[str, Callable[[str], Path]]) -> int:
    """Does each task of $WAVED_TASKS (or of the command line) and says which file came of it; the exit status."""
    names = sys.argv[1:] or os.environ.get("WAVED_TASKS", "").split()
    if not names:
        print("error: no task was given, neither in WAVED_TASKS nor as an argument", file=sys.stderr)
        return 2
    for name in names:
        if name not in known:
            print(f"error: this agent does not know task {name!r}; it knows {', '.join(known)}", file=sys.stderr)
            return 2
        print(f"{name}: started", flush=True)
        written = known[name](name)
        print(f"{name}: wrote {written.relative_to(WORKSPACE)}", flush=True)
    return 0
