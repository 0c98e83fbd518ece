"""`wavectl list`: one line a session."""

from __future__ import annotations

import time
from typing import Any

from wavectl.views.text import Paint, columns, moment, one_line
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting


def listing(sessions: list[dict[str, Any]], paint: Paint, now: float | None = None) -> list[str]:
    """A table of summaries, newest first."""
    now = time.time() if now is None else now
    head = ["", "SESSION", "NAME", "STATE", "WAVES", "AGENTS", "SUBMITTED", "TIME", "WORKSPACE"]
    rows = [[paint(title, "dim") for title in head]]
    for one in sessions:
        word, agents, waves = word_of(one), one["agents"], one["waves"]
        counts = f"{agents['succeeded']}/{agents['total']}"
        counts += f" {agents['running']} running" if agents["running"] else ""
        counts += paint(f" {agents['failed']} failed", "red") if agents["failed"] else ""
        end = one["ended"] if one["ended"] is not None else now
        rows.append([
            glyph(word, paint), one["session"], one["name"], coloured(word, paint), f"{waves['done']}/{waves['total']}",
            counts, moment(one["submitted"], now), lasting(max(0.0, end - one["submitted"])),
            one_line(one["workspace"]),
        ])  # fmt: skip
    return columns(rows, right=(7,))
