"""Lengths of time and sizes as a person reads them: the same in reports and on terminals. Imports nothing."""

from __future__ import annotations


def lasting(seconds: float | None, gap: str = "") -> str:
    """A length of time, short and exact enough to compare: "0.8ms", "4.21s", "1m05s", "2h05m"; "–" for None.

    `gap` stands before each unit and between two: documents have a space there, tables of a terminal none.
    """
    if seconds is None:
        return "–"
    if seconds < 0:
        return "-" + lasting(-seconds, gap)
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f}{gap}ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}{gap}ms"
    if seconds < 9.995:
        return f"{seconds:.2f}{gap}s"
    if seconds < 59.95:
        return f"{seconds:.1f}{gap}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}{gap}m{gap}{whole % 60:02d}{gap}s"
    if whole < 86400:
        return f"{whole // 3600}{gap}h{gap}{whole % 3600 // 60:02d}{gap}m"
    return f"{whole // 86400}{gap}d{gap}{whole % 86400 // 3600:02d}{gap}h"


def size(count: float | None) -> str:
    """Bytes: "512 B", "3.4 MB"; "–" for None."""
    if count is None:
        return "–"
    amount, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
