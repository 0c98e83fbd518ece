"""A time axis on which long pauses are short, so that what was done is seen beside a night of waiting.

Pure, and shared by the pictures of the report and those on a terminal. Lengths that are told stay as they were; only
where things are drawn changes, and each pause that is drawn short is to be marked and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[float, float]
SHORTEST = 60.0
"""Seconds: no pause below that is drawn short, """
SHARE = 0.25
"""nor one below that share of the time in which something was done."""
_DRAWN, _ALL_DRAWN = 0.06, 0.3
"""How long a pause is drawn, and all of them together, of what is drawn besides."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing was done from `start` to `end`."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


class Axis:
    """Where instants are drawn: seconds from its beginning, of which its pauses take up few."""

    def __init__(self, busy: Iterable[Span], start: float, end: float) -> None:
        """`busy`: when something was done, in any order; only what lies between `start` and `end` counts."""
        self.start, self.end = start, max(start, end)
        spans = merged((max(start, one), min(self.end, other)) for one, other in busy)
        least = max(SHORTEST, SHARE * sum(other - one for one, other in spans))
        edges = [self.start, *(edge for span in spans for edge in span), self.end]
        gaps = [Pause(one, other) for one, other in zip(edges[::2], edges[1::2], strict=True)]
        self.pauses = [gap for gap in gaps if gap.seconds > least] if spans else []
        rest = (self.end - self.start) - sum(pause.seconds for pause in self.pauses)
        self.drawn = rest * min(_DRAWN, _ALL_DRAWN / len(self.pauses)) if self.pauses else 0.0
        """Seconds of the axis that each pause takes up."""
        self.length = rest + self.drawn * len(self.pauses)

    def at(self, time: float) -> float:
        """Where an instant is, from 0 to `length`."""
        time = min(max(self.start, time), self.end)
        cut = 0.0
        for pause in self.pauses:
            if time <= pause.start:
                break
            passed = min(time, pause.end) - pause.start
            cut += passed - self.drawn * passed / pause.seconds
        return time - self.start - cut

    def between(self, start: float, end: float) -> float:
        """How long the time between two instants is drawn."""
        return max(0.0, self.at(end) - self.at(start))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time without overlaps, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def without(span: Span, gone: Iterable[Span]) -> list[Span]:
    """What is left of a span: of a run, without the time it stood still."""
    found, at = [], span[0]
    for start, end in merged(gone):
        if start > at:
            found.append((at, min(start, span[1])))
        at = max(at, end)
    return [*found, (at, span[1])] if at < span[1] else found
