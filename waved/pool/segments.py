"""How a run's output lies in its folder: in segments, so that the oldest can be dropped when there is too much.

The first segment is `output`, with `output.index` beside it; the following are `output.BASE` and `output.BASE.index`,
where BASE is the number of bytes printed before it. Names never change, so whoever reads while output is rotated away
finds either the right bytes or no file.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

OUTPUT = "output"
INDEX = "output.index"
_SUFFIX = ".index"
RECORD = struct.Struct("<QQII")
"""A record of the index: time in ns of waved's clock, offset, length, stream (1 stdout, 2 stderr)."""


class Segment(NamedTuple):
    """A piece of a run's output; `base`: how many bytes were printed before it."""

    base: int
    output: Path
    index_file: Path

    @property
    def size(self) -> int:
        """Bytes in it; 0 when it was dropped meanwhile."""
        try:
            return self.output.stat().st_size
        except OSError:
            return 0


def segment(folder: Path, base: int) -> Segment:
    """The segment that begins at `base`, whether it is there or not."""
    name = f"{OUTPUT}.{base}" if base else OUTPUT
    return Segment(base, folder / name, folder / (name + _SUFFIX))


def segments(folder: Path) -> list[Segment]:
    """Those that are there, oldest first; none when nothing can be read."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 — names, not paths
    except OSError:
        return []
    bases = [0] if OUTPUT in names else []
    for name in names:
        head, _, base = name.partition(".")
        if head == OUTPUT and base.isdigit():
            bases.append(int(base))
    return [segment(folder, base) for base in sorted(bases)]


def holding(found: list[Segment], offset: int) -> Segment | None:
    """The segment in which the byte at `offset` lies; the oldest there is when that one was dropped."""
    if not found:
        return None
    return found[max(0, bisect_right([each.base for each in found], offset) - 1)]


def last_bytes(folder: Path, limit: int) -> bytes:
    """The last `limit` bytes of output, or as many as there are; raises OSError when they cannot be read."""
    data = b""
    for each in reversed(segments(folder)):
        with each.output.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - (limit - len(data))))
            data = file.read() + data
        if len(data) >= limit:
            break
    return data[-limit:]
