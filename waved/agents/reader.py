"""What reads a program's output: bytes in, activities out, and at the end a judgement (requirement O8, docs/agents.md).

A reader lives in the worker of its run. It does no input or output of its own, starts nothing and keeps little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from waved.agents.activity import Activity

STDOUT, STDERR = 1, 2
SIDE = 3
"""`feed(data, SIDE + n)`: data of the reader's side file number n."""

Cause = Literal[
    "",
    "rate-limited",
    "overloaded",
    "login",
    "budget",
    "turns",
    "denied",
    "interrupted",
    "no-result",
    "no-session",
]
"""Why an agent did not succeed, as far as it matters to what waved does next:

rate-limited   the provider refuses for now: no attempt need be used up
overloaded     the provider or the way to it fails: the same
login          wrong or no credentials: to try again is useless
budget, turns  the program's own limit was reached
denied         it needed what its permissions do not allow
interrupted    it was ended from outside
no-result      it ended without saying how
no-session     what it was to resume is not there (any more, or yet when it was killed): begin anew
""                 anything else
"""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a run went, from its terminal event, exit status and error flags together; never the exit status alone."""

    ok: bool | None
    """None: nothing but the exit status tells, and what that says is left to the caller."""
    reason: str = ""
    """For a person; "" when it went well."""
    cause: Cause = ""
    reset_at: float | None = None
    """When the provider will take calls again (cause "rate-limited"), if it said so."""


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file in which a program reports what it does not print."""

    path: Path
    whole: bool = False
    """The program writes it anew each time: each `feed` gets all of it. Else what was appended since the last."""


class Reader(Protocol):
    """Reads one run. Nothing that it is fed makes it raise, or keep more than about a megabyte."""

    side_files: tuple[SideFile, ...]
    """Usually none. `waved.agents.side_files.SideFileTail` reads them."""
    finished: bool
    """A `Result` has been seen and nothing was begun since: a program that is still there lingers."""
    too_long: int
    """Lines skipped because they were longer than a reader looks at."""

    def feed(self, data: bytes | memoryview, stream: int = STDOUT) -> list[Activity]:
        """What the next bytes of that stream tell. They may begin and end anywhere, in the middle of a character too.

        A memoryview is only looked at during the call.
        """
        ...

    def close(self) -> list[Activity]:
        """What the end of all streams tells: a last line without a newline. Once, before `judge`."""
        ...

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """How it went, after `close`. `exit_code`: 0 to 255, None when a signal (its number in `signal`) ended it."""
        ...
