"""What watches one live session's workspace: its engine of monitors, told by the reactor who works, telling it facts.

The engine (`waved.monitors.engine`) has a thread of its own. Whatever it reports is taken in by the reactor's thread;
nothing is changed or decided here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.state_guards import Finding, Reaction, key_of
from waved.errors import ResourceError
from waved.monitors.base import Batch, Change, Judged, Sighting, Site, Watching
from waved.monitors.base import Running as AtWork
from waved.workspace.attribution import attribute

_OPEN = "open"
LABEL = "guard"
"""The monitor of what hinders the guard itself: told, never reacted to."""
MOST_DIRTY = 5_000
"""Paths known to have changed since the last snapshot; with more, the next one looks at all files."""
BEGIN_TIME = 120.0
"""Seconds a restore waits for the engine: one that was cut off is done again while the next daemon's is being made."""
Maker = Callable[[Sequence[object], Site, Callable[[Batch], None]], Watching]


class Guard:
    """One session's. `tell` puts facts into the reactor's hands; `post` has a function called in its thread."""

    def __init__(
        self,
        session: Session,
        tell: Callable[[ev.Event], None],
        post: Callable[[Callable[[], None]], None],
        on_clean: Callable[[Session], None],
    ) -> None:
        self._session = session
        self._tell = tell
        self._post = post
        self._on_clean = on_clean
        self.ready = False
        """Every change from now on is seen; or none will be."""
        self._closed = False
        self._engine: Watching | None = None
        self._decided = threading.Event()
        """There is an engine now, or there will be none."""
        self._problem = ""
        """Why there is no engine, or it sees nothing any more."""
        self._dirty: set[str] | None = set()
        """What has changed since the last snapshot; None: nobody knows."""
        self._writers: dict[str, str] = {}
        """By path: the assignment that wrote it last."""
        self._at_work: tuple[AtWork, ...] = ()
        self._early: list[tuple[str, int]] = []
        """Checks that were asked for before there was an engine."""
        self._asked: dict[str, tuple[str, int]] = {}
        """Checks `guards` under way, by token."""
        self._seen = 0
        self._unseen: set[str] = set()
        """Paths that changed while no daemon lived."""
        self._unsaid: list[str] = []
        """What hinders the guard, until the session can have findings."""

    def watch(self, make: Maker, site: Site) -> None:
        """Begin to watch. On a helper thread: what it needs is imported for the first time."""
        try:
            engine = make(list(self._session.plan.monitors), site, self._report)
            engine.start()
        except Exception as error:  # noqa: BLE001 — a plug-in, or the machine: the session goes on, and its gates say so
            self._post(partial(self._failed, f"files are not watched: {type(error).__name__}: {error}"))
            return
        self._post(partial(self._began, engine))

    def _began(self, engine: Watching) -> None:
        if self._closed:
            engine.close()
            return
        self._engine = engine
        self._decided.set()
        engine.judge(_OPEN)  # answered as soon as no change can be missed
        engine.set_running(self._at_work)
        if self._unseen:
            self.catch_up(self._unseen)
        for gate, index in self._early:
            self.judge(gate, index)
        self._early.clear()

    def _failed(self, problem: str) -> None:
        self._problem, self.ready = problem, True
        self._decided.set()
        self._say(problem)
        for gate, index in self._early:
            self.judge(gate, index)
        self._early.clear()

    def close(self) -> None:
        """Stop watching."""
        self._closed = True
        self._decided.set()
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    # --- what the reactor tells it ------------------------------------------------------------------------------

    def set_running(self, now: float) -> None:
        """Who is at work; `now` on waved's clock, which is the session's."""
        session, here = self._session, time.monotonic()
        running = []
        for run in session.active.values():
            if run.purpose not in ("agent", "responder"):
                continue
            node = session.nodes.get(run.assignment)
            owned = tuple(node.agent.owns) if node is not None else ()
            since = here - max(0.0, now - (run.started or now))
            wave = session.waves[run.wave].plan.name if run.wave >= 0 else ""
            running.append(AtWork(run.assignment or run.agent, run.id, owned, wave, since))
        self._at_work = tuple(running)
        if self._engine is not None:
            self._engine.set_running(running)

    def wrote(self, run: str, paths: Iterable[str]) -> None:
        """A run's own output says that it wrote these."""
        found = self._session.runs.get(run)
        if self._engine is not None and found is not None:
            for path in paths:
                self._engine.wrote(found.assignment or found.agent, path)

    def judge(self, gate: str, index: int) -> None:
        """For a check `guards`: take in and judge every change made so far; `guard.caught-up` says when."""
        if self._engine is None and not self._problem:
            self._early.append((gate, index))
            return
        if self._engine is None:
            why = self._problem
            self._tell(ev.GuardCaughtUp(self._session.id, gate, index, self._seen, why))
            return
        token = f"{gate}#{index}"
        self._asked[token] = (gate, index)
        self._engine.judge(token)

    def approve(self, monitor: str, path: str) -> None:
        """A person says that the file is right."""
        if self._engine is not None:
            self._engine.approve(monitor, path)

    def catch_up(self, paths: Iterable[str]) -> None:
        """These changed while no daemon lived: judge them as they are. Their writer is worked out like any other's."""
        found = set(paths)
        if self._engine is None:
            if not self._closed and not self._problem:
                self._unseen |= found  # told when it begins
        elif found:
            self._unseen |= found
            self._dirty = None
            self._engine.resume(found)

    def _writer(self, seen: Sighting) -> tuple[str, str]:
        """Whose doing it is, and in which run."""
        if seen.assignment or seen.path not in self._unseen:
            return seen.assignment, seen.run
        self._unseen.discard(seen.path)
        writer = attribute(seen.path, time.monotonic(), {}, self._at_work)
        return writer.assignment, writer.run

    # --- what snapshots and restores ask of it; from any thread -------------------------------------------------

    def is_good(self, monitor: str, path: str, data: bytes) -> bool:
        """Whether a monitor would find nothing in this version of a file; waits for the engine that is asked.

        Raises ResourceError where nobody can say: to guess would be to bring back what is broken.
        """
        self._decided.wait(BEGIN_TIME)
        engine = self._engine
        if engine is None:
            why = self._problem or ("the session is over" if self._closed else "its monitors have not begun yet")
            raise ResourceError(f"nobody can say which version of {path} is good: {why}")
        return engine.is_good(monitor, path, data)

    def pause(self, paths: Iterable[str] | None) -> None:
        """waved itself writes these now."""
        if self._engine is not None:
            self._engine.pause(paths)

    def resume(self, paths: Iterable[str] | None) -> None:
        """It has."""
        if self._engine is not None:
            self._engine.resume(paths)

    def last_writer(self, path: str) -> str:
        """The assignment that is known to have written a path last; "" when nobody can say."""
        return self._writers.get(path, "")

    def take_dirty(self) -> set[str] | None:
        """What has changed since this was asked last: all that a snapshot has to look at. None: it must look at all."""
        dirty, self._dirty = self._dirty, set() if self._engine is not None else None
        return dirty if self._engine is not None else None

    def give_back(self, dirty: set[str] | None) -> None:
        """The snapshot was not taken after all."""
        self._dirty = None if dirty is None or self._dirty is None else self._dirty | dirty

    # --- what the engine reports --------------------------------------------------------------------------------

    def _report(self, batch: Batch) -> None:
        """On the engine's thread."""
        self._post(partial(self._take, batch))

    def _take(self, batch: Batch) -> None:
        session = self._session
        if session.phase == "ended":
            return
        if batch.changes:
            self._note(batch.changes)
        for problem in batch.problems:
            self._say(problem)
        for sighting in batch.sightings:
            self._found(sighting)
        for judged in batch.judged:
            self._caught_up(judged)
        if batch.lost:
            self._lost(batch.lost)
        if batch.clean:
            self._on_clean(session)

    def _note(self, changes: Sequence[Change]) -> None:
        by_writer: dict[str, list[list[str]]] = {}
        for change in changes:
            by_writer.setdefault(change.writer, []).append([change.path, change.kind])
            if change.writer:
                self._writers[change.path] = change.writer
            else:
                self._writers.pop(change.path, None)
        self._seen += len(changes)
        if self._dirty is not None:
            self._dirty.update(change.path for change in changes)
            if len(self._dirty) > MOST_DIRTY or len(changes) >= 1000:  # a full batch may not name all
                self._dirty = None
        self._tell(ev.FilesChanged(self._session.id, by_writer))

    def _found(self, seen: Sighting) -> None:
        guards = self._session.guards
        if guards is None:
            return
        known = guards.open_by_subject.get(key_of(seen.monitor, seen.subject))
        if seen.cleared:
            if known is not None:
                # What waved restores is seen to be good before it is told that it is restored.
                by = next((each.id for each in guards.reactions.values() if _restores(each, known)), "")
                self._tell(ev.FindingCleared(self._session.id, known, f"restored by {by}" if by else seen.summary))
            return
        if any(found.by and _same(found, seen) for found in guards.cleared.values()):
            # Approved before the daemon, or this engine, began: it is told what it cannot know.
            self.approve(seen.monitor, seen.subject)
            return
        assignment, run = self._writer(seen)
        self._tell(
            ev.FindingMade(
                self._session.id,
                finding=f"f{guards.made + 1}",
                monitor=seen.monitor,
                summary=seen.summary,
                severity=seen.severity,
                subject=seen.subject,
                path=seen.path,
                line=seen.line,
                assignment=assignment,
                run=run,
                evidence=seen.evidence,
            )
        )

    def _caught_up(self, judged: Judged) -> None:
        if judged.token == _OPEN:
            self.ready = True
            return
        asked = self._asked.pop(judged.token, None)
        guards = self._session.guards
        if asked is None or guards is None:
            return
        for seen in judged.bad:  # one that came while something was done about it was not taken then
            if key_of(seen.monitor, seen.subject) not in guards.open_by_subject:
                self._found(seen)
        self._tell(ev.GuardCaughtUp(self._session.id, *asked, self._seen, judged.problem))

    def _say(self, problem: str) -> None:
        """What hinders the guard: an item of the checklist while that goes on, else a finding."""
        session = self._session
        if session.phase == "checking":
            self._unsaid.append(problem)
            detail = "; ".join(self._unsaid)
            self._tell(ev.ChecklistItemChecked(session.id, "watching", ok=True, detail=detail))
        else:
            self._found(Sighting(LABEL, problem, "warning", subject=problem[:200]))

    def _lost(self, why: str) -> None:
        session = self._session
        self.ready = True
        self._problem = why if "workspace" in why else f"the workspace {why}"
        self._found(Sighting(LABEL, self._problem, "critical"))
        if not session.held and session.phase == "running":
            self._tell(ev.SessionHeld(session.id, self._problem))


def _restores(reaction: Reaction, finding: str) -> bool:
    return reaction.finding == finding and reaction.restore == "running"


def _same(found: Finding, seen: Sighting) -> bool:
    """Whether a monitor sees once more, word for word, what a finding tells of."""
    told = (found.monitor, found.subject, found.line, found.summary, found.evidence)
    return told == (seen.monitor, seen.subject, seen.line, seen.summary, seen.evidence)
