"""Reading what runs printed: pieces of output with their index put together to lines, each with its time and stream.

The daemon keeps raw bytes in the order they were read, and an index of who wrote which piece when
(docs/architecture.md, "Files"). Lines are made here, at the reader's expense.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wavectl.client import Client

if TYPE_CHECKING:
    from wavectl.activity import Teller

STDOUT, STDERR = 1, 2
NOTICE = 0
"""The stream of lines that the agent did not print: what became of its output."""
BOTH = frozenset({STDOUT, STDERR})
LONGEST_LINE = 64 * 1024
"""Bytes; a longer line is handed on in pieces of this size, so that no output can fill our memory."""
_PIECE = 262144
_MOST_TAIL = 8 * 1024 * 1024
"""Bytes searched backwards for the last lines."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output without its line end; `time`: when it was complete, in unix seconds (0 when not known)."""

    time: float
    stream: int
    data: bytes

    @property
    def text(self) -> str:
        """For a person: what is no UTF-8 is replaced."""
        return self.data.decode("utf-8", "replace")


class Assembler:
    """Puts pieces together to lines, each stream for itself: a line of one is not torn by one of the other."""

    def __init__(self) -> None:
        self._open: dict[int, bytes] = {}
        self._last = 0.0

    def feed(self, time: float, stream: int, data: bytes) -> Iterator[Line]:
        """The lines that are complete with this piece."""
        self._last = max(self._last, time)
        *complete, rest = (self._open.pop(stream, b"") + data).split(b"\n")
        for line in complete:
            yield from _in_pieces(self._last, stream, line.removesuffix(b"\r"))
        if len(rest) >= LONGEST_LINE:
            whole = len(rest) // LONGEST_LINE * LONGEST_LINE
            yield from _in_pieces(self._last, stream, rest[:whole])
            rest = rest[whole:]
        if rest:
            self._open[stream] = rest

    def flush(self) -> list[Line]:
        """What was begun and will not be ended any more."""
        lines = [Line(self._last, stream, begun) for stream, begun in self._open.items()]
        self._open.clear()
        return lines


def _in_pieces(time: float, stream: int, line: bytes) -> Iterator[Line]:
    for start in range(0, max(1, len(line)), LONGEST_LINE):
        yield Line(time, stream, line[start : start + LONGEST_LINE])


class OutputReader:
    """Makes sense of the replies of `logs.read`, from `offset` on: what to ask for next, and lines of what came."""

    def __init__(
        self, run: str, *, offset: int = 0, streams: frozenset[int] = BOTH, teller: Teller | None = None
    ) -> None:
        self.run = run
        self.offset = offset
        self.ended = False
        """The run is over and all it printed was handed on."""
        self.skipped = 0
        """Bytes that were passed over because they had been rotated away, and were not spoken of yet."""
        self.drained = False
        """All there was at the last step was handed on."""
        self._streams = streams
        self._assembler = Assembler()
        self._teller = teller
        self._last = 0.0

    def question(self) -> dict[str, Any]:
        """The parameters of the next `logs.read`, but for the session."""
        return {"run": self.run, "offset": self.offset, "limit": _PIECE, "index": True}

    def taken(self, reply: dict[str, Any]) -> list[tuple[float, int, bytes]]:
        """The pieces that a reply brought as (time, stream, bytes)."""
        self.skipped += reply.get("skipped", 0)
        self.offset = max(self.offset, reply["offset"])
        found, covered = _by_record(reply["data"], self.offset, reply.get("records") or [])
        end = self.offset + len(reply["data"])
        if covered == self.offset and covered < end and reply["ended"]:
            # Bytes whose record was never written: the worker was cut off. (Of a live run it comes in a moment.)
            found, covered = [(self._last, STDOUT, reply["data"])], end
        if found:
            self._last = found[-1][0]
        self.drained = covered >= reply["size"] or covered == self.offset
        self.offset = covered
        self.ended = bool(reply["ended"]) and covered >= reply["size"]
        return [piece for piece in found if piece[1] in self._streams]

    def lines_of(self, reply: dict[str, Any]) -> list[Line]:
        """The lines that are complete with a reply; at the run's end what is left, too."""
        return self._lines(self.taken(reply))

    def _lines(self, pieces: list[tuple[float, int, bytes]]) -> list[Line]:
        found = self._notice(pieces[0][0] if pieces else self._last)
        found += [line for time, stream, data in pieces for line in self._read(time, stream, data)]
        return found + (self.rest() if self.ended else [])

    def _read(self, time: float, stream: int, data: bytes) -> Iterator[Line]:
        if self._teller is None or stream != STDOUT:
            return self._assembler.feed(time, stream, data)
        return (Line(time, stream, text.encode()) for text in self._teller.feed(data))

    def missing(self) -> str:
        """What is to be said of output that was passed over since this was asked last; "" when there was none."""
        if not self.skipped:
            return ""
        said = f"… {_amount(self.skipped)} of output were rotated away (session.output_limit)"
        self.skipped = 0
        return said

    def _notice(self, time: float) -> list[Line]:
        said = self.missing()
        return [*self._assembler.flush(), Line(time, NOTICE, said.encode())] if said else []

    def rest(self) -> list[Line]:
        """A line that was begun and not ended, for a reader who will not come back."""
        told = self._teller.close() if self._teller is not None else []
        return [*(Line(self._last, STDOUT, text.encode()) for text in told), *self._assembler.flush()]


class RunOutput(OutputReader):
    """The output of one run, read step by step through a client."""

    def __init__(
        self, client: Client, session: str, run: str, *, offset: int = 0, streams: frozenset[int] = BOTH,
        patience: float = 0.0, teller: Teller | None = None,
    ) -> None:  # fmt: skip
        super().__init__(run, offset=offset, streams=streams, teller=teller)
        self._client, self._session, self._patience = client, session, patience

    def pieces(self) -> list[tuple[float, int, bytes]]:
        """The next piece of output as (time, stream, bytes); empty when there is nothing new."""
        reply = self._client.logs(self._session, self.run, self.offset, _PIECE, index=True, patience=self._patience)
        return self.taken(reply)

    def lines(self) -> list[Line]:
        """The lines that are complete after the next piece; at the run's end what is left, too."""
        return self._lines(self.pieces())

    def all_lines(self) -> Iterator[Line]:
        """All lines there are now, piece by piece."""
        while not self.ended:
            yield from self.lines()
            if self.drained:
                break


def _amount(count: int) -> str:
    """Bytes for a person."""
    for unit, size in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _by_record(data: bytes, offset: int, records: Iterable[Any]) -> tuple[list[tuple[float, int, bytes]], int]:
    """The data cut by the index, and the offset up to which the index covers it without a gap."""
    found: list[tuple[float, int, bytes]] = []
    covered, end = offset, offset + len(data)
    for time, stream, start, length in records:
        first, last = max(start, covered), min(start + length, end)
        if last <= covered:
            continue
        if first > covered:
            break
        found.append((float(time), stream, data[first - offset : last - offset]))
        covered = last
    return found, covered


def merged(outputs: dict[str, RunOutput]) -> Iterator[tuple[str, Line]]:
    """All lines there are now of several runs (by label), in the order they were printed."""
    return heapq.merge(*(_labelled(label, output) for label, output in outputs.items()), key=lambda item: item[1].time)


def _labelled(label: str, output: RunOutput) -> Iterator[tuple[str, Line]]:
    for line in output.all_lines():
        yield label, line


def tail_offset(client: Client, session: str, run: str, count: int) -> int:
    """The offset at which the last `count` lines of a run begin."""
    first = client.logs(session, run, 0, 1)
    size, oldest = int(first["size"]), int(first["offset"])
    if count <= 0:
        return size
    start, found = size, b""
    while start > oldest and size - start < _MOST_TAIL:
        start = max(oldest, start - _PIECE)
        found = _read_exactly(client, session, run, start, size - len(found)) + found
        # The newline at the very end closes the last line; it begins none.
        body = found.removesuffix(b"\n")
        if body.count(b"\n") >= count:
            position = len(body)
            for _ in range(count):
                position = body.rindex(b"\n", 0, position)
            return start + position + 1
    return start


def _read_exactly(client: Client, session: str, run: str, start: int, end: int) -> bytes:
    data = b""
    while start + len(data) < end:
        piece = client.logs(session, run, start + len(data), end - start - len(data))["data"]
        if not piece:
            break
        data += piece
    return data


def tail(client: Client, session: str, run: str, count: int) -> list[str]:
    """The last `count` lines of a run as text."""
    offset = tail_offset(client, session, run, count)
    output = RunOutput(client, session, run, offset=offset)
    lines = [line.text for line in output.all_lines()] + [line.text for line in output.rest()]
    return lines[-count:]
