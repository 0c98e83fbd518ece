"""What is counted, timed and told of in the reactor for those who watch it (`waved.telemetry`). Where nobody does,
nothing is.

The reactor counts; the endpoint's thread asks for a reading through the inbox, so that all state is looked at in the
reactor's thread alone.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waved.domain import events as ev
from waved.domain.state import Session
from waved.domain.view import state_of, summary
from waved.version import __version__

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor
    from waved.telemetry.counts import Counts, Labels, Reading
    from waved.telemetry.endpoint import Endpoint
    from waved.telemetry.exporter import Exporter

PATIENCE = 2.0
"""Seconds the endpoint waits for the reactor; then it has no figures."""


class Observing:
    """Does nothing before `count` or `trace` was called, which is after the recovery."""

    def __init__(self) -> None:
        self._counts: Counts | None = None
        self._endpoint: Endpoint | None = None
        self._exporter: Exporter | None = None
        self._waiting: queue.SimpleQueue[Reading | None] = queue.SimpleQueue()
        """Where the endpoint waits for a reading."""

    def trace(self, exporter: Exporter) -> None:
        """Have traces of sessions sent."""
        self._exporter = exporter
        exporter.start()

    def count(self, reactor: Reactor, endpoint: Callable[[Callable[[], Reading | None]], Endpoint]) -> None:
        """Count from now on, and answer who asks. `endpoint` makes what answers, given how to ask the reactor."""
        from waved.telemetry.counts import Counts

        counts = self._counts = Counts(reactor.sessions.live.values())

        def ask() -> Reading | None:
            answers = self._waiting = queue.SimpleQueue()
            reactor.inbox.put(lambda: answers.put(counts.reading(gauges(reactor))))
            try:
                return answers.get(timeout=PATIENCE)
            except queue.Empty:
                return None

        self._endpoint = endpoint(ask)
        self._endpoint.start()

    @property
    def problem(self) -> str:
        """Why nobody can be answered."""
        return self._endpoint.problem if self._endpoint is not None else ""

    def told(self, event: ev.Event, session: Session | None) -> None:
        """An event was journalled."""
        if self._counts is not None:
            self._counts.heed(event, session)
        if self._exporter is not None and isinstance(event, ev.SessionEnded):
            self._exporter.ended()

    def asked(self, method: str, result: str) -> None:
        """A client's request was judged: "ok", or an error's code. `method`: "unknown" for one that is none."""
        if self._counts is not None:
            self._counts.add("waved_requests", method, result)

    def defect(self) -> None:
        """A defect was caught."""
        if self._counts is not None:
            self._counts.add("waved_defects")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """What is done within goes into a histogram."""
        if self._counts is None:
            yield
            return
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._counts.time(name, time.perf_counter() - begun)

    def close(self) -> None:
        """Answer nobody any more, and send nothing."""
        if self._endpoint is not None:
            self._waiting.put(None)
            self._endpoint.close()
        if self._exporter is not None:
            self._exporter.close()


def gauges(reactor: Reactor) -> dict[tuple[str, Labels], float]:
    """What there is now; in the reactor's thread. Sessions that have ended cost nothing."""
    sessions, agents, runs = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    findings = 0
    for session in reactor.sessions.live.values():
        sessions[state_of(session)] += 1
        shown = summary(session)
        findings += shown["open_findings"]
        agents.update({state: count for state, count in shown["agents"].items() if state != "total"})
        runs.update((run.purpose, run.state) for run in session.active.values())
    found: dict[tuple[str, Labels], float] = {
        ("waved_build_info", (__version__,)): 1,
        ("waved_start_time_seconds", ()): reactor.started,
        ("waved_findings_open", ()): findings,
        ("waved_workers", ("busy",)): reactor.pool.busy,
        ("waved_workers", ("warm",)): reactor.pool.warm,
        ("waved_problems", ()): len(reactor.problems()),
        ("waved_journal_events", ()): reactor.journal.last_seq,
    }
    found |= {("waved_sessions", (state,)): sessions[state] for state in ("checking", "running", "held", "stopping")}
    states = ("waiting", "running", "succeeded", "failed", "skipped")
    found |= {("waved_agents", (state,)): agents[state] for state in states}
    found |= {("waved_runs", key): count for key, count in runs.items()}
    return found
