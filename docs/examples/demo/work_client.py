"""Execution agent of domain `client`: the list of documents behind the reader, client/index.html.

It makes one mistake on purpose: as long as nobody has told it, it writes `const const`. The plan's guard sees that in
the moment it is written; the agent's next attempt is told why the first was ended, and does it right.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from session import DOCUMENTS, WORKSPACE, do_tasks
from work_release import title

CLIENT = WORKSPACE / "docs" / "examples" / "demo" / "client"
THINKING = 1.0
"""Seconds between the edit and what comes after it, as a model would need them."""


def page_list(_task: str) -> Path:
    """client/pages.js: title, path and length of each document there is."""
    rows = [
        {"title": title(page), "path": os.path.relpath(page, CLIENT), "words": len(page.read_text("utf-8").split())}
        for page in sorted(DOCUMENTS.glob("*/*.md"))
    ]
    lines = [
        "// The documents the reader lists, as the demo's agent `client-builder` found them.",
        f"{declaration()} pages = {json.dumps(rows, indent=2)};",
    ]
    written = CLIENT / "pages.js"
    written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(rows)} documents listed; looking them over", flush=True)
    time.sleep(THINKING)
    return written


def declaration() -> str:
    """How the list is declared: right, once this agent's prompt tells it what was wrong."""
    prompt = os.environ.get("WAVED_PROMPT", "")
    told = "const const" in Path(prompt).read_text(encoding="utf-8") if prompt else False
    return "const" if told else "const const"


if __name__ == "__main__":
    sys.exit(do_tasks({"page-list": page_list}))
