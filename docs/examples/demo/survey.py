"""Reads what the survey wrote: how one agent's output becomes another one's input."""

from __future__ import annotations

import json
from typing import Any

from session import DOCUMENTS


def surveyed_modules() -> list[dict[str, Any]]:
    """The rows of docs/session/survey/inventory.json."""
    found: dict[str, Any] = json.loads((DOCUMENTS / "survey" / "inventory.json").read_text(encoding="utf-8"))
    modules: list[dict[str, Any]] = found["modules"]
    return modules
