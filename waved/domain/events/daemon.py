"""The daemon and its journal (`session` is empty)."""

from __future__ import annotations

from dataclasses import dataclass

from waved.domain.events.base import Event


@dataclass(slots=True)
class DaemonStarted(Event, kind="daemon.started"):
    """A daemon took over the journal (session is empty)."""

    version: str
    pid: int
    adopted: int = 0


@dataclass(slots=True)
class DaemonStopped(Event, kind="daemon.stopped"):
    """The daemon ended on request (session is empty). `sessions`: stop, detach, upgrade (another version follows)."""

    reason: str
    sessions: str = ""


@dataclass(slots=True)
class JournalSalvaged(Event, kind="journal.salvaged"):
    """A damaged journal was put aside; `read` events of it go on in this one. Numbers before this one are missing."""

    read: int


@dataclass(slots=True)
class SessionPruned(Event, kind="session.pruned", intent=True):
    """A session that had ended is forgotten: its events, files and snapshots go (session is empty: this is kept)."""

    pruned: str
    """The session."""
    name: str
    outcome: str = ""
    reason: str = ""
    by: str = ""
