"""A workspace with something to guard, and what is asked of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

CORRUPTION = {"kind": "corruption", "paths": ["src/**"], "patterns": ["const const"], "parse": False}
"""As the user's own document has it."""
GOOD = "const a = 1\nconst b = 1\n"


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def user_state(folder: Path) -> dict[str, Any]:
    """What belongs to the user alone (invariant 5)."""
    return {
        "head": (folder / ".git" / "HEAD").read_bytes(),
        "index": (folder / ".git" / "index").read_bytes(),
        "refs": git(folder, "for-each-ref"),
        "stash": git(folder, "stash", "list"),
    }


def kinds(events: list[dict[str, Any]], *wanted: str) -> list[dict[str, Any]]:
    """The data of events of these kinds."""
    return [event["data"] for event in events if event["kind"] in wanted]


def with_cart(workspace: Path) -> None:
    """A file that is good, committed, with something stashed beside it."""
    (workspace / "src").mkdir()
    (workspace / "src" / "cart.ts").write_text(GOOD)
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    git(workspace, "add", ".")
    git(workspace, *who, "commit", "-qm", "cart")
    (workspace / "README.md").write_text("# stashed\n")
    git(workspace, *who, "stash")
    (workspace / "README.md").write_text("# uncommitted work\n")
