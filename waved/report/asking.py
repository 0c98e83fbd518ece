"""What the daemon asks of the process that makes reports, and what comes back: one JSON document each way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from waved.report.given import Changes, FileChange

PROGRAM = "waved.report.program"
KEPT = "report"
"""The name of a report, without its ending, in the session's folder under waved's state folder."""


def kept_path(folder: Path, form: str) -> Path:
    """Where a rendering is kept in the session's folder."""
    return folder / f"{KEPT}.{form}"


@dataclass(frozen=True, slots=True)
class Request:
    """One report of one session."""

    journal: str
    session: str
    until: int
    """The number of the last event that counts."""
    now: float
    """On waved's clock."""
    folder: str
    """The session's folder under the state folder."""
    form: str = ""
    """Which rendering is wanted back; "": the report is to be written."""
    secrets: dict[str, str] = field(default_factory=dict)
    """What must not be told: variable by value. It travels on standard input, where nobody else sees it."""
    changes: Changes = field(default_factory=Changes)
    again: bool = False
    """It was tried before: what lies in `folder` of the same end of the session is that report."""

    def packed(self) -> bytes:
        """For standard input."""
        return json.dumps(asdict(self)).encode("utf-8", "surrogatepass")

    @classmethod
    def unpacked(cls, data: bytes) -> Request:
        """From standard input; raises ValueError, KeyError or TypeError for anything else."""
        values: dict[str, Any] = json.loads(data)
        changes = values.pop("changes")
        changes["files"] = tuple(FileChange(**each) for each in changes["files"])
        return cls(**values, changes=Changes(**changes))


@dataclass(slots=True)
class Answer:
    """What was made or written. `problem`: why there is no report at all."""

    content: str = ""
    kept: bool = False
    files: list[str] = field(default_factory=list)
    change_log: str = ""
    errors: list[str] = field(default_factory=list)
    problem: str = ""

    def packed(self) -> bytes:
        """For standard output."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Answer:
        """From standard output; raises ValueError or TypeError for anything else."""
        return cls(**json.loads(data))
