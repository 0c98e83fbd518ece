"""What an agent did, as a person reads it: its program's output (JSON lines, mostly) turned into text, tools, results.

The same readers as in the workers (`waved.agents`); the output itself stays as it was printed (`wavectl logs --raw`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from waved.agents.activity import (
    Activity,
    RateLimited,
    Result,
    Retrying,
    Said,
    ToolCalled,
    ToolEnded,
    Used,
    Waiting,
)
from waved.agents.base import Deployment
from waved.agents.reader import Reader
from waved.agents.registry import find_program
from waved.domain.usage import dollars
from waved.errors import WavedError


def teller_for(program: str, workspace: str) -> Teller | None:
    """Who tells what that program prints; None where it is text already, or nobody here can read it."""
    try:
        found = find_program(program)
    except WavedError:
        return None  # a plug-in of the daemon's that is not installed here
    here = Path(workspace)
    reader = found.reader(Deployment(None, [], None, "", here, here, here, here, 1))
    # What reports in a file of its own prints for people.
    return None if reader is None or reader.side_files else Teller(reader, workspace)


class Teller:
    """Tells one run's output. Feed it what the program wrote to stdout."""

    def __init__(self, reader: Reader, workspace: str) -> None:
        self._reader = reader
        self._prefix = f"{workspace}/"
        self._tools: dict[str, str] = {}
        self._said = ""
        self._tokens = 0
        self._cost: float | None = None

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes amount to."""
        return list(self._lines(self._reader.feed(data)))

    def close(self) -> list[str]:
        """What is left at the end."""
        return list(self._lines(self._reader.close()))

    def _lines(self, activities: Iterable[Activity]) -> Iterator[str]:
        for activity in activities:
            match activity:
                case Said():
                    self._said = activity.text
                    yield from activity.text.splitlines()
                case ToolCalled():
                    yield self._called(activity)
                case ToolEnded():
                    yield from self._ended(activity)
                case Used():
                    self._tokens += activity.input + activity.output
                    if activity.cost is not None:
                        self._cost = (self._cost or 0.0) + activity.cost
                case Retrying():
                    again = f" in {activity.delay:.0f}s" if activity.delay else ""
                    yield f"↻ calls its model again{again}: {activity.error}"
                case RateLimited(refused=True):
                    until = f" until {_clock(activity.reset_at)}" if activity.reset_at is not None else ""
                    yield f"! rate-limited{until}" + (f": {activity.detail}" if activity.detail else "")
                case Waiting():
                    yield f"! waits for {activity.what}" + (f": {activity.detail}" if activity.detail else "")
                case Result():
                    yield from self._result(activity)

    def _called(self, call: ToolCalled) -> str:
        paths = [path.removeprefix(self._prefix) for path in call.paths_written or call.paths_read]
        about = call.command or ", ".join(paths) or call.detail
        self._tools[call.id] = call.tool
        first = about.splitlines()[0] if about else ""
        return f"→ {call.tool} {first}".rstrip() + (" …" if "\n" in about.strip() else "")

    def _ended(self, ended: ToolEnded) -> Iterator[str]:
        tool = self._tools.pop(ended.id, "tool")
        if ended.denied:
            yield f"  ✗ {tool} was not permitted" + (f": {ended.detail}" if ended.detail else "")
        elif ended.ok is False:
            status = f" (exit status {ended.exit_code})" if ended.exit_code else ""
            yield f"  ✗ {tool} failed{status}" + (f": {_first(ended.detail)}" if ended.detail else "")

    def _result(self, result: Result) -> Iterator[str]:
        if result.text and result.text.strip() != self._said.strip():
            yield from result.text.splitlines()
        used = f"{self._tokens:,} tokens" if self._tokens else "tokens unknown"
        cost = f", {dollars(self._cost)}" if self._cost is not None else ""
        if result.ok is False:
            yield f"✗ {result.error or result.subtype or 'failed'} ({used}{cost})"
        else:
            yield f"✓ done ({used}{cost})"


def _first(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
