"""Execution agent of domain `quality`: measures the source, then judges what was measured."""

from __future__ import annotations

import re
import sys
import tokenize
from pathlib import Path

import source
from markdown import Document, quoted
from session import DOCUMENTS, WORKSPACE, do_tasks
from survey import surveyed_modules

LINES_ALLOWED = 300
BRANCHES_ALLOWED = 10
MARKER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def markers(_task: str) -> Path:
    """Comments that promise work, found by Python's own tokenizer (a marker inside a string is none)."""
    rows = []
    for module in source.modules():
        if not MARKER.search(module.text):
            continue
        with tokenize.open(module.path) as file:
            for token in tokenize.generate_tokens(file.readline):
                if token.type == tokenize.COMMENT and MARKER.search(token.string):
                    rows.append(
                        (f"{module.path.relative_to(WORKSPACE)}:{token.start[0]}", quoted(token.string.strip("# ")))
                    )
    document = Document("Open markers").paragraph(f"{len(rows)} comments promise work.")
    return document.table(("where", "what"), rows).write(DOCUMENTS / "quality" / "markers.md")


def sizes(_task: str) -> Path:
    """How long the files are, against the limit."""
    rows = sorted(((row["lines"], row["path"]) for row in surveyed_modules()), reverse=True)
    within = sum(lines <= LINES_ALLOWED for lines, _ in rows)
    document = Document("File sizes")
    document.paragraph(f"{within} of {len(rows)} files have at most {LINES_ALLOWED} lines.")
    document.table(
        ("lines", "file", "verdict"),
        [(lines, f"`{path}`", "ok" if lines <= LINES_ALLOWED else "too long") for lines, path in rows],
    )
    return document.write(DOCUMENTS / "quality" / "sizes.md")


def complexity(_task: str) -> Path:
    """The most branched functions, and which public names say nothing about themselves."""
    modules = surveyed_modules()
    rows = sorted(
        (
            (function["branches"], f"`{row['name']}.{function['name']}`", f"{row['path']}:{function['line']}")
            for row in modules
            for function in row["functions"]
        ),
        reverse=True,
    )
    above = sum(branches > BRANCHES_ALLOWED for branches, _, _ in rows)
    public, documented = (sum(row[key] for row in modules) for key in ("public", "documented"))
    document = Document("Complexity")
    document.paragraph(f"{above} of {len(rows)} functions have more than {BRANCHES_ALLOWED} branches.")
    document.paragraph(f"{documented} of {public} public names have a docstring.")
    document.table(("branches", "function", "where"), rows[:25])
    return document.write(DOCUMENTS / "quality" / "complexity.md")


def report(_task: str) -> Path:
    """One page over the three measurements: their first findings, with links."""
    document = Document("Quality")
    for name in ("sizes", "complexity", "markers"):
        text = (DOCUMENTS / "quality" / f"{name}.md").read_text(encoding="utf-8")
        title, finding = text.split("\n\n")[:2]
        document.heading(title.lstrip("# ")).paragraph(f"{finding} See [{name}]({name}.md).")
    return document.write(DOCUMENTS / "quality" / "report.md")


if __name__ == "__main__":
    sys.exit(do_tasks({"markers": markers, "sizes": sizes, "complexity": complexity, "quality-report": report}))
