"""A plan given on the command line, written as the plan file it could have been (kept as the session's plan.toml)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(plan: Mapping[str, Any]) -> str:
    """TOML of a plan as JSON: `session`, then each `wave` with its `agent`s and `task`s; all else as inline tables."""
    lines = ["[session]", *_pairs(plan.get("session", {}))]
    for wave in plan.get("wave", ()):
        lines += ["", "[[wave]]", *_pairs({key: value for key, value in wave.items() if key not in ("agent", "task")})]
        for kind in ("agent", "task"):
            for table in wave.get(kind, ()):
                lines += ["", f"[[wave.{kind}]]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items() if value is not None]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return repr(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's too, but for DEL, which JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
