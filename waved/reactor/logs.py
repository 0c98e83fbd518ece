"""A run's output for clients: raw bytes by offset, and the index of times and streams. Read on a helper thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from waved.pool.segments import RECORD, Segment, holding, segments

MAX_READ = 4 * 1024 * 1024
"""Bytes a client may ask for at once."""
_MAX_RECORDS = 50_000


def read_output(folder: Path, offset: int, limit: int, *, index: bool, ended: bool) -> dict[str, Any]:
    """`logs.read` of docs/architecture.md. A negative offset counts from the end. A missing file reads as empty.

    Offsets count all that was printed. What was rotated away is passed over: `skipped` says how many bytes that were.
    """
    there = segments(folder)
    size = there[-1].base + there[-1].size if there else 0
    wanted = max(0, size + offset) if offset < 0 else min(offset, size)
    chosen = holding(there, wanted)
    start, data = wanted, b""
    if chosen is not None:
        start = max(wanted, chosen.base)
        try:
            with chosen.output.open("rb") as file:
                file.seek(start - chosen.base)
                data = file.read(min(limit, MAX_READ))
        except FileNotFoundError:
            # Rotated away this very moment: what is asked for next is there, or is passed over.
            following = [each.base for each in segments(folder) if each.base > start]
            start = following[0] if following else start
        except OSError:
            data = b""
    result: dict[str, Any] = {
        "data": data,
        "offset": start,
        "next": start + len(data),
        "size": max(size, start + len(data)),
        "ended": ended and start + len(data) >= size,
        "skipped": start - wanted,
        "records": [],
    }
    if index and data and chosen is not None:
        complete = ended or chosen is not there[-1]
        result["records"] = _records(chosen, start, start + len(data), complete=complete)
    return result


def _records(segment: Segment, start: int, end: int, *, complete: bool) -> list[list[float]]:
    """Index records that touch [start, end): [time in seconds, stream, offset, length].

    `complete`: nothing will be added. Bytes whose record could not be written (disk full) are then said to be stdout's,
    printed when the last were that are known of.
    """
    found = _recorded(segment, start, end)
    covered = int(found[-1][2] + found[-1][3]) if found else start
    if complete and covered < end and len(found) < _MAX_RECORDS:
        found.append([found[-1][0] if found else 0.0, 1, covered, end - covered])
    return found


def _recorded(segment: Segment, start: int, end: int) -> list[list[float]]:
    """What the index says of [start, end), found by bisection."""
    try:
        with segment.index_file.open("rb") as file:
            count = os.fstat(file.fileno()).st_size // RECORD.size

            def record(number: int) -> tuple[int, int, int, int]:
                file.seek(number * RECORD.size)
                time_ns, offset, length, stream = RECORD.unpack(file.read(RECORD.size))
                return time_ns, offset, length, stream

            low, high = 0, count
            while low < high:
                middle = (low + high) // 2
                _, offset, length, _ = record(middle)
                if offset + length <= start:
                    low = middle + 1
                else:
                    high = middle
            found: list[list[float]] = []
            for number in range(low, min(count, low + _MAX_RECORDS)):
                time_ns, offset, length, stream = record(number)
                if offset >= end:
                    break
                found.append([time_ns / 1e9, stream, offset, length])
            return found
    except OSError:
        return []
