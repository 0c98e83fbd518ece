"""The report of a session (requirement C3): told after its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from waved.domain.events.base import Event


@dataclass(slots=True)
class ReportWriting(Event, kind="report.writing", intent=True):
    """The session has ended: its report and its entry in the change log are to be written."""

    again: bool = False
    """Not all of it could be, then: a person has it tried once more."""
    by: str = ""


@dataclass(slots=True)
class ReportWritten(Event, kind="report.written"):
    """They are, or why not. Paths are relative to the workspace."""

    kept: bool = False
    """It lies in the session's folder under waved's state folder (`report.html`, `.md`, `.json`)."""
    files: list[str] = field(default_factory=list)
    """Where it was written in the workspace."""
    change_log: str = ""
    """The change log that has an entry of the session; "" for none."""
    snapshot: str = ""
    """The commit of the snapshot that shows the workspace as the session left it; "" where none was taken."""
    error: str = ""
    """What could not be done, for a person; "" for nothing."""
    seconds: float = 0.0
