"""Points in time and lengths of it, as they are given on the command line."""

from __future__ import annotations

import datetime
import time

import click


def duration(text: str) -> float:
    """Seconds of "30d", "12h", "1h30m". Raises click.BadParameter."""
    from waved.plan.quantities import parse_duration

    try:
        return float(str(parse_duration(text)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def moment(text: str) -> float:
    """Unix seconds of a date ("2026-11-20", "2026-11-20T10:30", local time unless it says otherwise), or of so long ago
    ("2d"). Raises click.BadParameter.
    """
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return time.time() - duration(text)
    except click.BadParameter:
        raise click.BadParameter(
            f'"{text[:60]}" is neither a date ("2026-11-20", "2026-11-20T10:30") nor a time ago ("2d", "12h")'
        ) from None


def size(text: str) -> int:
    """Bytes of "10GB". Raises click.BadParameter."""
    from waved.plan.quantities import parse_size

    try:
        return int(str(parse_size(text)))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
