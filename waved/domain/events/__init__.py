"""Everything that can happen: see `waved.domain.events.base`. Each module holds the events of one subject."""

from waved.domain.events.base import KINDS, Event, from_data
from waved.domain.events.daemon import (
    DaemonStarted,
    DaemonStopped,
    JournalSalvaged,
)
from waved.domain.events.runs import (
    AssignmentEnded,
    RetryScheduled,
    RunEnded,
    RunStarted,
    RunStarting,
    RunStopping,
)
from waved.domain.events.session import (
    ChecklistEnded,
    ChecklistItemChecked,
    SessionEnded,
    SessionHeld,
    SessionResumed,
    SessionRetried,
    SessionStarted,
    SessionStopRequested,
    SessionSubmitted,
)
from waved.domain.events.waves import (
    CheckEnded,
    CheckStarted,
    GateEnded,
    GateStarted,
    WaveEnded,
    WaveRetried,
    WaveStarted,
)

__all__ = [
    "KINDS",
    "AssignmentEnded",
    "CheckEnded",
    "CheckStarted",
    "ChecklistEnded",
    "ChecklistItemChecked",
    "DaemonStarted",
    "DaemonStopped",
    "Event",
    "GateEnded",
    "GateStarted",
    "JournalSalvaged",
    "RetryScheduled",
    "RunEnded",
    "RunStarted",
    "RunStarting",
    "RunStopping",
    "SessionEnded",
    "SessionHeld",
    "SessionResumed",
    "SessionRetried",
    "SessionStarted",
    "SessionStopRequested",
    "SessionSubmitted",
    "WaveEnded",
    "WaveRetried",
    "WaveStarted",
    "from_data",
]
