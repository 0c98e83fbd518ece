"""One restore as it was decided: which files, to which snapshot, and what came of it. Runs on a keeper's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from waved.domain import events as ev
from waved.errors import NotFoundError
from waved.reactor.guard import Guard
from waved.reactor.rollback import Outcome, chosen, of_agent, restore_files
from waved.workspace.attribution import owns
from waved.workspace.records import Label, Snapshot
from waved.workspace.shadow import Shadow

Work = Callable[[], Outcome]
MOST_NAMED = 2000
"""Files an event names, each list."""


@dataclass(frozen=True, slots=True)
class Restoring:
    """All that is needed to carry it out."""

    session: str
    event: ev.RestoreStarting
    monitor: str
    """Whose judgement says which version is good; "" where nobody's does."""
    owns: tuple[str, ...]
    """With scope agent: the patterns it owns."""
    commits: Mapping[str, str]
    """The session's names of snapshots."""
    first: str
    guard: Guard | None

    def do(self, shadow: Shadow) -> tuple[ev.RestoreEnded, list[Snapshot]]:
        """Bring the files back; with what came of it, snapshots of what was there that had to be taken for it, because
        something was written after `present` was. Raises what `Shadow` raises.
        """
        began = time.monotonic()
        event = self.event
        label = Label(f"before {event.reaction}", self.session, name=event.present)
        if event.scope == "file" and not event.to:
            paths: list[str] | None = list(event.paths)
            outcome = self._paused(paths, lambda: self._good_files(shadow, label))
        else:
            target = self._snapshot(shadow, event.to)
            paths = self._paths(shadow, target)
            outcome = self._paused(paths, lambda: self._to(shadow, target, paths, label))
        known = set(self.commits.values())
        kept = [present for present in outcome.present if present.new and present.id not in known]
        return ended(event, outcome, time.monotonic() - began, self._name_of(outcome)), kept

    def _good_files(self, shadow: Shadow, label: Label) -> Outcome:
        first = self._snapshot(shadow, self.first)
        guard, monitor = self.guard, self.monitor

        def is_good(path: str, data: bytes) -> bool:
            return guard is None or not monitor or guard.is_good(monitor, path, data)

        return restore_files(shadow, self.event.paths, first, is_good, label)

    @staticmethod
    def _to(shadow: Shadow, target: Snapshot, paths: list[str] | None, label: Label) -> Outcome:
        outcome = Outcome()
        if paths is None or paths:
            outcome.add(shadow.restore(target, paths, label))
        return outcome

    def _paths(self, shadow: Shadow, target: Snapshot) -> list[str] | None:
        """Which files; None: all."""
        event = self.event
        if event.scope not in ("file", "agent"):
            return None
        if event.scope == "file":
            literal = all(not any(sign in path for sign in "*?[{") for path in event.paths)
            if literal:
                return list(event.paths)
            return chosen([change.path for change in shadow.changed(target)], event.paths)
        changed = [change.path for change in shadow.changed(target)]
        if self.guard is None:
            written = set(event.paths)
            return [path for path in changed if owns(self.owns, path) or path in written]
        return of_agent(changed, self.owns, set(event.paths), self.guard.last_writer, event.assignment)

    def _paused(self, paths: list[str] | None, work: Work) -> Outcome:
        if self.guard is None:
            return work()
        self.guard.pause(paths)
        try:
            return work()
        finally:
            self.guard.resume(paths)

    def _snapshot(self, shadow: Shadow, name: str) -> Snapshot:
        commit = self.commits.get(name, name)
        if not commit:
            raise NotFoundError("there is no snapshot to go back to")
        return shadow.find(commit)

    def _name_of(self, outcome: Outcome) -> str:
        by_commit = {commit: name for name, commit in self.commits.items()}
        names = dict.fromkeys(by_commit.get(to.id, to.id[:12]) for to in outcome.to)
        return ", ".join(names) or self.event.to


def ended(event: ev.RestoreStarting, outcome: Outcome, seconds: float, to: str) -> ev.RestoreEnded:
    """What came of it, for the journal. It is not `ok` when a file could not be brought back."""
    failed = [f"{failure.path}: {failure.why}" for failure in outcome.failed]
    total = len(outcome.restored) + len(outcome.removed)
    detail = f"{len(failed)} of {total + len(failed)} files could not be brought back: {failed[0]}" if failed else ""
    return ev.RestoreEnded(
        event.session,
        event.reaction,
        ok=not failed,
        restored=outcome.restored[:MOST_NAMED],
        removed=outcome.removed[:MOST_NAMED],
        failed=failed[:MOST_NAMED],
        total=total,
        to=to,
        seconds=round(seconds, 6),
        detail=detail,
    )
