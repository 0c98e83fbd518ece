"""What was done to files: changed, and verified after the last change (requirements S3, S5)."""

from __future__ import annotations

from waved.domain import events as ev


class Work:
    """A fold over a session's events."""

    def __init__(self) -> None:
        self.changed: dict[str, set[str]] = {}
        """Files changed, by assignment ("" where nobody can say whose doing it was)."""
        self._last: dict[str, tuple[str, str]] = {}
        """By file: who changed it last, and how."""
        self._unverified: dict[str, None] = {}
        self._under_check: dict[str, tuple[str, set[str]]] = {}
        """By gate: its assignment ("" for a wave's), and the files that had changed when it began."""
        self.untold = 0
        """Files that large restores brought back or removed without naming them."""

    def heed(self, event: ev.Event) -> None:
        """Take in an event."""
        match event:
            case ev.FilesChanged():
                self._note(event)
            case ev.GateStarted():
                self._under_check[event.gate] = (event.assignment, set(self._of(event.assignment)))
            case ev.GateEnded():
                _, files = self._under_check.pop(event.gate, ("", set()))
                if event.verdict == "passed":
                    for path in files:
                        self._unverified.pop(path, None)
            case ev.RestoreEnded():
                self.untold += max(0, event.total - len(event.restored) - len(event.removed))
                for path in event.removed:
                    self._last.pop(path, None)
                    self._unverified.pop(path, None)

    def _note(self, event: ev.FilesChanged) -> None:
        for assignment, changes in event.changes.items():
            for path, how in changes:
                self.changed.setdefault(assignment, set()).add(path)
                self._last[path] = (assignment, how)
                self._unverified[path] = None
                for _, files in self._under_check.values():
                    files.discard(path)  # what changes while it is checked was not what is checked

    def _of(self, assignment: str) -> list[str]:
        if not assignment:
            return list(self._last)
        return [path for path, (writer, _) in self._last.items() if writer == assignment]

    @property
    def files(self) -> set[str]:
        """All files that were changed."""
        return set().union(*self.changed.values()) if self.changed else set()

    @property
    def present(self) -> set[str]:
        """Those of them that are there at the end."""
        return {path for path, (_, how) in self._last.items() if how != "removed"}

    @property
    def verified(self) -> set[str]:
        """Those of them that a gate has passed since they were changed last."""
        return {path for path in self.present if path not in self._unverified}
