"""What a report needs beside the journal: prompts and output from the runs' folders, what differs in the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileChange:
    """A path that differs. `kind`: added, modified, deleted, …; lines are None of a binary file."""

    path: str
    kind: str
    added: int | None
    removed: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between the first snapshot and the end. `why`: why that is not known."""

    why: str = ""
    since: str = ""
    until: str = ""
    files: tuple[FileChange, ...] = ()
    diff: str = ""
    truncated: bool = False


@dataclass(slots=True)
class Given:
    """All of it. Texts by run id."""

    prompts: dict[str, str] = field(default_factory=dict)
    tails: dict[str, str] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    waved: str = ""
