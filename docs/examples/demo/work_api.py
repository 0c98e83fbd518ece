"""Execution agent of domain `api-docs`: one page a room, then an index over the pages."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import source
from importing import import_milliseconds
from markdown import Document, quoted
from session import DOCUMENTS, do_tasks
from survey import surveyed_modules

CORE = ("waved.plan", "waved.domain")
"""Rooms of the task api-core; api-client takes those of wavectl, api-daemon what is left."""


def task_of(room: str) -> str:
    """Which task writes the page of a room."""
    if room.startswith("wavectl"):
        return "api-client"
    return "api-core" if room in CORE else "api-daemon"


def pages(task: str) -> Path:
    """The pages of this task's rooms."""
    written = DOCUMENTS / "api"
    wanted = dict.fromkeys(row["room"] for row in surveyed_modules() if task_of(row["room"]) == task)
    rooms = source.by_room()
    for room in wanted:
        page(room, rooms[room])
        print(f"  {room}: {len(rooms[room])} modules", flush=True)
    return written


def page(room: str, modules: list[source.Module]) -> Path:
    """docs/session/api/ROOM.md: every public class and function with its signature and purpose."""
    cost = import_milliseconds(*(module.name for module in modules if module.importable))
    document = Document(f"API of {room}")
    document.paragraph(f"Importing it takes {cost:.1f} ms." if cost is not None else "It cannot be imported.")
    for module in modules:
        if module.public:
            document.heading(f"`{module.name}`").paragraph(quoted(module.summary) or "No docstring.").items(
                entry(module)
            )
    return document.write(DOCUMENTS / "api" / f"{room}.md")


def entry(module: source.Module) -> list[str]:
    """One line a class, function and public method."""
    lines = []
    for node in module.public:
        lines.append(f"`{source.signature(node)}`: {quoted(source.first_line(node))}")
        methods = node.body if isinstance(node, ast.ClassDef) else []
        for method in methods:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not method.name.startswith("_"):
                lines.append(f"`{node.name}.{source.signature(method)}`: {quoted(source.first_line(method))}")
    return lines


def index(_task: str) -> Path:
    """docs/session/api/index.md: links to each page, and each public name with its page."""
    document = Document("API index")
    found = sorted(path for path in (DOCUMENTS / "api").glob("*.md") if path.name != "index.md")
    document.items(f"[{path.stem}]({path.name})" for path in found)
    rooms = source.by_room()
    names = sorted(
        (node.name, path.stem, module.name)
        for path in found
        for module in rooms.get(path.stem, [])
        for node in module.public
    )
    document.heading("Names").table(
        ("name", "module"), [(f"[`{name}`]({page}.md)", f"`{module}`") for name, page, module in names]
    )
    return document.write(DOCUMENTS / "api" / "index.md")


if __name__ == "__main__":
    sys.exit(do_tasks({"api-core": pages, "api-daemon": pages, "api-client": pages, "api-index": index}))
