"""The three forms of a report: each a function of its plain values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from waved.report import html, markdown

MADE_BY = "made_by"


def as_json(report: dict[str, Any]) -> str:
    """One JSON document."""
    return json.dumps({MADE_BY: "waved", **report}, ensure_ascii=False, indent=1) + "\n"


RENDERERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "html": html.render, "md": markdown.render, "json": as_json,
}  # fmt: skip


def is_ours(form: str, beginning: bytes) -> bool:
    """Whether a file that begins so is a report that waved has written."""
    mark = {
        "html": b'<meta name="generator" content="waved ', "md": markdown.MARK.encode(),
        "json": f'"{MADE_BY}": "waved"'.encode(),
    }[form]  # fmt: skip
    return mark in beginning[:2_000]
