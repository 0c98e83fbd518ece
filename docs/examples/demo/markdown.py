"""Markdown documents, built up piece by piece and written at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path


class Document:
    """A Markdown document: `Document("Title").paragraph("…").table(…).write(path)`."""

    def __init__(self, title: str) -> None:
        self._parts = [f"# {title}"]

    def heading(self, text: str) -> Document:
        """A section's heading."""
        self._parts.append(f"## {text}")
        return self

    def paragraph(self, text: str) -> Document:
        """A paragraph, as it is."""
        self._parts.append(text)
        return self

    def items(self, lines: Iterable[str]) -> Document:
        """A list; "none" when there is nothing in it."""
        self._parts.append("\n".join(f"- {line}" for line in lines) or "none")
        return self

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Document:
        """A table; columns that hold only numbers stand to the right."""
        body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
        rules = [
            "--:" if body and all(_is_number(row[index]) for row in body) else "---" for index in range(len(header))
        ]
        lines = [header, rules, *body]
        self._parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return self

    def write(self, path: Path) -> Path:
        """Writes the document under a temporary name first, so that nobody ever reads half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text("\n\n".join(self._parts) + "\n", encoding="utf-8")
        unfinished.replace(path)
        return path


def quoted(text: str) -> str:
    """Text of others as text: a link in a docstring leads somewhere from its own place, not from where it is quoted."""
    return text.replace("](", "]\\(")


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).rstrip(" %ms").isdigit()
