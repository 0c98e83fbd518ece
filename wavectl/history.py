"""What the clients ask about past sessions, as parameters of the wire's methods."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

PRUNE_WAIT = 3600.0
"""Seconds that forgetting sessions may take: folders of many gigabytes go, and stores of snapshots are packed."""


def list_params(
    limit: int,
    state: str = "",
    outcome: str = "",
    name: str = "",
    workspace: str | os.PathLike[str] | None = None,
    since: float | None = None,
    until: float | None = None,
) -> dict[str, Any]:
    """Of `session.list`: what narrows nothing is left out."""
    narrowed = {"outcome": outcome, "name": name, "since": since, "until": until}
    params: dict[str, Any] = {"limit": limit, "state": state}
    params.update({key: value for key, value in narrowed.items() if value not in ("", None)})
    if workspace is not None:
        params["workspace"] = os.fspath(workspace)
    return params


def prune_params(
    sessions: Sequence[str], max_age: float | None, max_sessions: int | None, max_size: int | None, *, dry: bool
) -> dict[str, Any]:
    """Of `session.prune`."""
    rules = {"max_age": max_age, "max_sessions": max_sessions, "max_size": max_size}
    return {
        "sessions": [*sessions], "dry": dry, **{name: value for name, value in rules.items() if value is not None},
    }  # fmt: skip
