"""Execution agent of domain `survey`: reads the source once, for everybody after it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import source
from session import DOCUMENTS, WORKSPACE, do_tasks


def inventory(_task: str) -> Path:
    """What there is, for the tasks that require it: modules, functions, how long and how branched they are."""
    rows = [
        {
            "name": module.name,
            "room": module.room,
            "path": str(module.path.relative_to(WORKSPACE)),
            "lines": module.lines,
            "documented": sum(1 for node in module.public if source.first_line(node)),
            "public": len(module.public),
            "functions": [
                {"name": function.name, "line": function.lineno, "branches": source.branches(function)}
                for function in source.functions(module)
            ],
        }
        for module in source.modules()
    ]
    written = DOCUMENTS / "survey" / "inventory.json"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(json.dumps({"modules": rows}, indent=1) + "\n", encoding="utf-8")
    return written


if __name__ == "__main__":
    sys.exit(do_tasks({"inventory": inventory}))
