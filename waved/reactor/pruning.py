"""Past sessions that are forgotten: their events, their folders, their snapshots (docs/operations.md, "Retention").

The intent is journalled first (`session.pruned`); from then on nobody finds the session, and what the journal's table
`pruning` holds is what is yet to be done, so that a daemon that dies in between goes on with it at its next start.
Events go some at a time, a turn each; folders on a helper thread; snapshots as a job of their workspace, when nobody
works there.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import structlog

from waved import failpoints
from waved.config import Locations
from waved.domain import events as ev
from waved.domain.history import Kept, Retention
from waved.errors import ResourceError, WavedError
from waved.journal.salvage import read_only
from waved.journal.store import Journal, Past
from waved.plan.guards import Snapshots
from waved.reactor.inbox import Helpers, Inbox
from waved.reactor.keeper import Keeper
from waved.reactor.sessions import Sessions
from waved.workspace.shadow import remove_store

AUTOMATIC = "[retention]"
"""Who asked, where it is the configuration file."""

log = structlog.get_logger("waved")
Done = Callable[[], None]


class Pruning:
    """What is being forgotten. In the reactor's thread."""

    def __init__(
        self, locations: Locations, journal: Journal, sessions: Sessions, helpers: Helpers, inbox: Inbox, keeper: Keeper
    ) -> None:
        self._locations = locations
        self._journal = journal
        self._sessions = sessions
        self._helpers = helpers
        self._inbox = inbox
        self._keeper = keeper
        self._workspaces: dict[str, str] = {}
        """Sessions that are being pruned, and their workspaces."""
        self._with_events: deque[str] = deque()
        self._without_folder: dict[str, set[str]] = {}
        """By workspace: sessions of which all but snapshots is gone."""
        self._at_stores: set[str] = set()
        self._stepping = False
        self._waiting: list[tuple[set[str], Done]] = []
        self._problems: dict[str, str] = {}

    def problems(self) -> list[str]:
        """What could not be removed, for people."""
        return [
            f"session {session} is not wholly pruned: {why} (tried again at the next start)"
            for session, why in self._problems.items()
        ]

    def resume(self) -> None:
        """At a start: go on with what the daemon before had begun."""
        for session, workspace in self._journal.going().items():
            self._add(session, workspace)
        self._step_soon()

    def perform(self, events: Iterable[ev.Event]) -> None:
        """Act on intents that were just journalled."""
        begun = [event.pruned for event in events if isinstance(event, ev.SessionPruned)]
        if not begun:
            return
        failpoints.hit("prune.after-intent")
        going = self._journal.going()
        for session in begun:
            if session in going:
                self._add(session, going[session])
        self._step_soon()

    def when_gone(self, sessions: Collection[str], done: Done) -> None:
        """Call `done` when all that can go now of these sessions is gone."""
        left = set(sessions)
        if left:
            self._waiting.append((left, done))
        else:
            done()

    def look_again(self) -> None:
        """A session has ended: snapshots that had to wait for it may go now."""
        for workspace in list(self._without_folder):
            self._tidy(workspace)

    def _add(self, session: str, workspace: str) -> None:
        if session not in self._workspaces:
            self._sessions.prune(session)
            self._sessions.going.add(session)
            self._workspaces[session] = workspace
            self._with_events.append(session)

    # --- events -----------------------------------------------------------------------------------------------------

    def _step_soon(self) -> None:
        if self._with_events and not self._stepping:
            self._stepping = True
            self._inbox.put(self._step)

    def _step(self) -> None:
        self._stepping = False
        session = self._with_events[0]
        try:
            left = self._journal.prune_some(session)
        except ResourceError as error:
            self._with_events.popleft()
            self._give_up(session, error.message)
        else:
            if not left:
                self._with_events.popleft()
                self._remove_folder(session)
        self._step_soon()

    def _give_up(self, session: str, why: str) -> None:
        self._problems[session] = why
        log.warning("prune", session=session, problem=why)
        self._settle(session)

    def _settle(self, session: str) -> None:
        still: list[tuple[set[str], Done]] = []
        for left, done in self._waiting:
            left.discard(session)
            if left:
                still.append((left, done))
            else:
                done()
        self._waiting = still

    # --- folder -----------------------------------------------------------------------------------------------------

    def _remove_folder(self, session: str) -> None:
        folder = self._locations.session(session)

        def job() -> None:
            why = ""
            try:
                if folder.parent == self._locations.state / "sessions" and folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
            except OSError as error:
                why = f"{error.filename or folder}: {error.strerror}"
            failpoints.hit("prune.after-folder")
            self._inbox.put(lambda: self._folder_gone(session, why))

        self._helpers.run(job, lambda error: self._folder_gone(session, f"{type(error).__name__}: {error}"))

    def _folder_gone(self, session: str, why: str) -> None:
        if why:
            self._give_up(session, why)
            return
        workspace = self._workspaces[session]
        self._without_folder.setdefault(workspace, set()).add(session)
        if not any(self._workspaces[other] == workspace for other in self._with_events):
            self._tidy(workspace)

    # --- snapshots --------------------------------------------------------------------------------------------------

    def _tidy(self, workspace: str) -> None:
        """Have the snapshots of a workspace go that only pruned sessions knew of; all of them when nobody is left."""
        if workspace in self._at_stores:
            return
        going = frozenset(self._without_folder.get(workspace, ()))
        self._at_stores.add(workspace)

        def job() -> None:
            done = not going or tidy_store(self._journal.path, self._locations.state, workspace, going, self._keeper)
            self._inbox.put(lambda: self._tidied(workspace, going, done=done))

        def failed(error: BaseException) -> None:
            known = error.message if isinstance(error, WavedError) else f"{type(error).__name__}: {error}"
            log.warning("prune", workspace=workspace, problem=f"snapshots are left: {known}")
            self._inbox.put(lambda: self._tidied(workspace, going, done=True))

        self._keeper.run(workspace, job, failed)

    def _tidied(self, workspace: str, going: frozenset[str], *, done: bool) -> None:
        self._at_stores.discard(workspace)
        left = self._without_folder.get(workspace, set())
        more = bool(left - going)
        if done:
            self._journal.pruned(going)
            left -= going
            self._sessions.going -= going
            for session in going:
                self._workspaces.pop(session, None)
        for session in going:
            self._settle(session)
        if not left:
            self._without_folder.pop(workspace, None)
        elif more:
            self._tidy(workspace)


def tidy_store(journal: Path, state: Path, workspace: str, going: Collection[str], keeper: Keeper) -> bool:
    """Drop the snapshots of sessions that are pruned, unless another session knows them; False: somebody works there.

    A job of the workspace: what it sees of the journal is true until it ends, for whoever begins to work there waits.
    """
    with closing(read_only(journal)) as db:
        others = db.execute("SELECT session, ended FROM sessions WHERE workspace = ?", (workspace,)).fetchall()
        if any(not ended for _, ended in others):
            return False
        needed: set[str] = set()
        for session, _ in others:
            query = "SELECT data FROM events WHERE session = ? AND kind = 'snapshot.taken'"
            for (data,) in db.execute(query, (session,)):
                needed.add(str(msgpack.unpackb(data, raw=False).get("commit", "")))
    if not others:
        remove_store(state, Path(workspace))
    elif Path(workspace).is_dir():
        keeper.adopt(Path(workspace), Snapshots()).expire(sessions=going, keep=needed - {""})
    return True


def chosen(
    journal: Path, locations: Locations, past: list[Past], rules: Retention | None, now: float
) -> list[dict[str, Any]]:
    """Which of the past sessions go by these rules (None: all of them), and what that gives back. On a helper thread:
    it looks at files. Those that ended first come first.
    """
    with closing(read_only(journal)) as db:

        def weight(each: Past) -> int:
            return _folder_bytes(locations.session(each.session)) + _event_bytes(db, each.session)

        weigh = rules is not None and rules.max_size is not None
        kept = [Kept(each.session, each.finished, weight(each) if weigh else 0) for each in past]
        found = rules.going(kept, now) if rules is not None else [(each, "asked for") for each in reversed(kept)]
        by_name = {each.session: each for each in past}
        return [
            {
                "session": each.session,
                "name": by_name[each.session].name,
                "outcome": by_name[each.session].outcome,
                "workspace": by_name[each.session].workspace,
                "ended": each.finished,
                "bytes": each.bytes if weigh else weight(by_name[each.session]),
                "why": why,
            }
            for each, why in found
        ]


def _event_bytes(db: Any, session: str) -> int:  # noqa: ANN401 — a connection
    row = db.execute("SELECT coalesce(sum(length(data) + 40), 0) FROM events WHERE session = ?", (session,)).fetchone()
    return int(row[0])


def _folder_bytes(folder: Path) -> int:
    """What a folder takes on disk, as far as it can be read."""
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total
