"""A run's output for clients: raw bytes by offset, and the index of times and streams. Read on a helper thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from waved.pool.capture import INDEX, OUTPUT, RECORD

MAX_READ = 4 * 1024 * 1024
"""Bytes a client may ask for at once."""
_MAX_RECORDS = 50_000


def read_output(folder: Path, offset: int, limit: int, *, index: bool, ended: bool) -> dict[str, Any]:
    """`logs.read` of docs/architecture.md. A negative offset counts from the end. A missing file reads as empty."""
    try:
        with (folder / OUTPUT).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(start)
            data = file.read(min(limit, MAX_READ))
    except OSError:
        size, start, data = 0, max(offset, 0), b""
    result: dict[str, Any] = {
        "data": data,
        "offset": start,
        "next": start + len(data),
        "size": size,
        "ended": ended and start + len(data) >= size,
        "records": [],
    }
    if index and data:
        result["records"] = _records(folder, start, start + len(data))
    return result


def _records(folder: Path, start: int, end: int) -> list[list[float]]:
    """Index records that touch [start, end): [time in seconds, stream, offset, length]; found by bisection."""
    try:
        with (folder / INDEX).open("rb") as file:
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
