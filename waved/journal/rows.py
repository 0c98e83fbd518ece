"""Events as they are stored, and how they are read back, by the daemon or beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack

from waved.domain.events import KINDS, Event, from_data

_AT_ONCE = 1_000
"""Events that are decoded together."""


class Row(NamedTuple):
    """An event as it is stored; `data` is msgpack."""

    seq: int
    session: str
    time: float
    kind: str
    data: bytes

    def fields(self) -> dict[str, Any]:
        """The event's own fields; raises ValueError when the bytes are damaged."""
        try:
            unpacked = msgpack.unpackb(self.data, raw=False, strict_map_key=False)
        except Exception as error:  # noqa: BLE001 — msgpack raises many kinds for damaged bytes; all mean the same here
            raise ValueError(f"event {self.seq} ({self.kind}) is damaged: {type(error).__name__}") from None
        if not isinstance(unpacked, dict):
            raise ValueError(f"event {self.seq} ({self.kind}) is damaged: no map")  # noqa: TRY004 — as above
        return unpacked

    def event(self) -> Event:
        """The event itself; raises ValueError when it is damaged, or of a kind this version does not know."""
        try:
            return from_data(self.kind, self.session, self.seq, self.time, self.fields())
        except KeyError:
            raise ValueError(f"event {self.seq} is of a kind this version does not know: {self.kind}") from None
        except TypeError as error:
            raise ValueError(f"event {self.seq} ({self.kind}) is damaged: {error}") from None


def events_of(db: sqlite3.Connection, session: str, after: int = 0) -> Iterator[Event]:
    """Every event of a session with a number above `after`, oldest first, without holding them all in memory.

    Raises ValueError at one that is damaged, or of a kind this version does not know.
    """
    query = "SELECT seq, time, kind, data FROM events WHERE session = ? AND seq > ? ORDER BY seq"
    found = db.execute(query, (session, after))
    while rows := found.fetchmany(_AT_ONCE):
        try:
            yield from _decoded(session, rows)
        except Exception:  # noqa: BLE001 — damaged bytes raise many kinds: looked at one by one, they are named
            yield from [Row(seq, session, time, kind, data).event() for seq, time, kind, data in rows]


def _decoded(session: str, rows: list[tuple[Any, ...]]) -> list[Event]:
    """The events of rows. One unpacker for all: a start reads a million events."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=0)
    unpacker.feed(b"".join([row[3] for row in rows]))
    unpack, tell = unpacker.unpack, unpacker.tell
    events: list[Event] = []
    position = 0
    for seq, time, kind, data in rows:
        fields = unpack()
        position += len(data)
        if tell() != position:
            raise ValueError(f"event {seq} is damaged")
        # Into the same dict: given beside it, they would be copied together into another.
        fields["session"], fields["seq"], fields["time"] = session, seq, time
        try:
            events.append(KINDS[kind](**fields))
        except TypeError:  # a field of a newer version
            events.append(from_data(kind, session, seq, time, fields))
    return events
