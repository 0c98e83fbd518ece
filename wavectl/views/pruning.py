"""`wavectl prune`: which sessions go, or went."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint, columns, moment
from waved.amounts import size

MOST_SHOWN = 50
"""Sessions that are named; `--json` has all."""


def pruning_lines(found: dict[str, Any], paint: Paint, now: float | None = None) -> list[str]:
    """A table of what goes, and what that comes to."""
    sessions = found["sessions"]
    if not sessions:
        return ["nothing to prune"]
    rows = [[paint(title, "dim") for title in ("SESSION", "OUTCOME", "ENDED", "SIZE", "WHY")]]
    rows += [
        [one["session"], one["outcome"], moment(one["ended"], now), size(one["bytes"]), one["why"]]
        for one in sessions[-MOST_SHOWN:]
    ]
    lines = columns(rows, right=(3,))
    if len(sessions) > MOST_SHOWN:
        lines.insert(1, paint(f"… {len(sessions) - MOST_SHOWN} that ended earlier", "dim"))
    count = f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"
    kept = "" if found["kept"] is None else f", {found['kept']} that have ended stay"
    if found["dry"]:
        return [*lines, "", f"{count} would go ({size(found['bytes'])}){kept}. Nothing was done: --yes does it"]
    return [*lines, "", f"{count} pruned ({size(found['bytes'])}){kept}"]
