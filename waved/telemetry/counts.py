"""What has happened since the daemon started, in numbers: kept by the reactor as events are told.

Counters begin at 0 with each daemon, as Prometheus expects (`rate` and `increase` know of that); nothing is counted a
second time when a journal is folded again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from waved.domain import events as ev
from waved.domain.metrics import runs_of, skew
from waved.domain.state import Run, Session
from waved.domain.usage import Usage, usage_from
from waved.telemetry.catalogue import FIGURES, MOST_VALUES, OTHER

Labels = tuple[str, ...]
COMMAND = "command"
"""The program of what is no agent."""


@dataclass(slots=True)
class Heap:
    """A histogram: how many values fell into each bucket (the last: above all), and their sum."""

    counts: list[int]
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """All figures at one instant; never changed, so any thread may have it."""

    values: dict[tuple[str, Labels], float] = field(default_factory=dict)
    """Gauges and counters by name and values of the labels."""
    heaps: dict[tuple[str, Labels], Heap] = field(default_factory=dict)


class Counts:
    """Used by the reactor's thread alone."""

    def __init__(self, live: Iterable[Session] = ()) -> None:
        """`live`: sessions that go on; what their runs have used already is not counted."""
        self._values: dict[tuple[str, Labels], float] = {
            (name, ()): 0.0 for name, figure in FIGURES.items() if figure.kind == "counter" and not figure.labels
        }
        self._heaps: dict[tuple[str, Labels], Heap] = {}
        self._known: dict[str, set[str]] = {}
        self._used: dict[str, Usage] = {
            run.id: run.usage for session in live for run in session.active.values() if run.usage != Usage()
        }

    def add(self, name: str, *labels: str, by: float = 1.0) -> None:
        """A counter goes up."""
        key = (name, labels)
        self._values[key] = self._values.get(key, 0.0) + by

    def time(self, name: str, seconds: float, *labels: str) -> None:
        """A histogram gets a value."""
        key, buckets = (name, labels), FIGURES[name].buckets
        heap = self._heaps.get(key)
        if heap is None:
            heap = self._heaps[key] = Heap([0] * (len(buckets) + 1))
        heap.counts[bisect_left(buckets, seconds)] += 1
        heap.total += seconds

    def reading(self, gauges: dict[tuple[str, Labels], float]) -> Reading:
        """All figures now, these gauges among them."""
        heaps = {key: Heap(list(heap.counts), heap.total) for key, heap in self._heaps.items()}
        return Reading({**self._values, **gauges}, heaps)

    def _bounded(self, label: str, value: str) -> str:
        known = self._known.setdefault(label, set())
        if value in known:
            return value
        if len(known) >= MOST_VALUES:
            return OTHER
        known.add(value)
        return value

    # --- events -------------------------------------------------------------------------------------------------

    def heed(self, event: ev.Event, session: Session | None) -> None:
        """Count an event that was journalled. `session`: its state, if it is known."""
        self.add("waved_events", event.kind)
        match event:
            case ev.SessionSubmitted():
                self.add("waved_sessions_submitted")
            case ev.SessionEnded():
                self.add("waved_sessions_ended", event.outcome)
            case ev.GateEnded():
                self.add("waved_gates_ended", "assignment" if event.assignment else "wave", event.verdict)
            case ev.WaveEnded():
                self._wave_ended(event, session)
            case ev.RunStarted() | ev.RunActed() | ev.RunEnded() | ev.RunStalled():
                self._of_run(event, session)
            case ev.AssignmentEnded():
                self.add("waved_assignments_ended", self._program_of(session, event.assignment), event.outcome)
            case ev.RetryScheduled():
                self.add("waved_retries", self._program_of(session, event.assignment))
            case ev.ProviderLimited():
                self.add("waved_provider_limits", self._bounded("provider", event.provider))
            case _:
                self._of_guards(event)

    def _of_guards(self, event: ev.Event) -> None:
        match event:
            case ev.FindingMade():
                self.add("waved_findings", self._bounded("monitor", event.monitor), event.severity)
            case ev.FindingCleared():
                self.add("waved_findings_cleared")
            case ev.ReactionStarted():
                for action in event.actions:
                    self.add("waved_reactions", action)
            case ev.ReactionEnded(ok=False):
                self.add("waved_reactions_failed")
            case ev.RestoreEnded():
                self.add("waved_rollbacks", _truth(event.ok))
                self.add("waved_files_restored", by=event.total)
                self.time("waved_restore_seconds", event.seconds)
            case ev.SnapshotTaken():
                self.add("waved_snapshots", _truth(not event.error))
                self.time("waved_snapshot_seconds", event.seconds)
            case ev.FilesChanged():
                self.add("waved_files_changed", by=sum(len(changes) for changes in event.changes.values()))
            case ev.AlertRaised():
                self.add("waved_alerts", event.severity)
            case ev.AlertSent():
                self.add("waved_alerts_sent", _truth(event.ok))
            case ev.PreviewFailed():
                self.add("waved_preview_failures")

    def _wave_ended(self, event: ev.WaveEnded, session: Session | None) -> None:
        self.add("waved_waves_ended", event.outcome)
        if session is None:
            return
        for wave in session.waves:
            if wave.plan.name == event.wave and (seconds := skew(runs_of(session, wave))) is not None:
                self.time("waved_start_skew_seconds", seconds)

    # --- runs ---------------------------------------------------------------------------------------------------

    def _of_run(
        self, event: ev.RunStarted | ev.RunActed | ev.RunEnded | ev.RunStalled, session: Session | None
    ) -> None:
        run = session.runs.get(event.run) if session is not None else None
        if session is None or run is None:
            return
        labels = (run.purpose, self._program(session, run))
        match event:
            case ev.RunStarted():
                self.add("waved_runs_started", *labels)
            case ev.RunStalled():
                self.add("waved_stalls", labels[1])
            case ev.RunActed():
                self._note_usage(run.id, labels[1], event.usage)
            case ev.RunEnded():
                self._note_usage(run.id, labels[1], event.acted.get("usage", {}))
                self._used.pop(run.id, None)
                self.add("waved_runs_ended", *labels, _outcome(event, run))
                self.add("waved_run_cpu_seconds", *labels, by=event.cpu_seconds or 0.0)
                self.add("waved_output_bytes", *labels, by=event.output_bytes)
                if run.started is not None and run.ended is not None:
                    self.time("waved_run_seconds", max(0.0, run.ended - run.started), *labels)

    def _note_usage(self, run: str, program: str, told: dict[str, Any]) -> None:
        """Reports hold totals: what was used since the last one is counted."""
        if not told:
            return
        before, now = self._used.get(run, Usage()), usage_from(told)
        self._used[run] = now
        for kind in ("input", "output", "cached"):
            if (more := getattr(now, kind) - getattr(before, kind)) > 0:
                self.add("waved_tokens", program, kind, by=more)
        if (more := (now.cost or 0.0) - (before.cost or 0.0)) > 0:
            self.add("waved_cost_dollars", program, by=more)

    def _program(self, session: Session, run: Run) -> str:
        if run.purpose == "agent":
            return self._program_of(session, run.assignment)
        if run.purpose == "responder":
            named = (each.program for each in session.plan.responders if each.name == run.agent)
            return self._bounded("program", next(named, COMMAND))
        return COMMAND

    def _program_of(self, session: Session | None, assignment: str) -> str:
        node = session.nodes.get(assignment) if session is not None else None
        return self._bounded("program", node.agent.program) if node is not None else OTHER


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _outcome(event: ev.RunEnded, run: Run) -> str:
    if event.cause == "oom":
        return "oom"
    if event.outcome == "exited":
        return "succeeded" if run.succeeded else "failed"
    return event.outcome
