"""Pieces of Markdown: texts from elsewhere mean nothing in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waved.report.words import one_line


def text(value: str) -> str:
    """Text in one line that means nothing to Markdown, and nothing to HTML."""
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", one_line(value)).replace("\\&", "&amp;").replace("\\<", "&lt;")


def code(value: str) -> str:
    """Text as code, whatever is in it."""
    value = one_line(value).replace("|", "¦") or " "
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", value)), default=0) + 1)
    space = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{ticks}{space}{value}{space}{ticks}"


def fenced(value: str) -> Iterator[str]:
    """A block of text as it is."""
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", value)), default=0) + 1)
    yield f"{fence}text"
    yield from value.split("\n")
    yield fence
    yield ""


def quoted(value: str) -> Iterator[str]:
    """A quotation."""
    yield from (f"> {text(line)}  " if line.strip() else ">" for line in value.strip().split("\n")[:20])
    yield ""


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """A table; its cells are Markdown already."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""


def bare(value: str) -> str:
    """A name within a comment or a command line."""
    return re.sub(r"[^\w.+-]", "_", value)
