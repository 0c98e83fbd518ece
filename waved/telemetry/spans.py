"""A session as a trace: session → wave → run. Made of its events alone, so it is whole although daemons came and went.

Ids follow from the session and its parts: who makes a trace a second time makes the same one. A session that was
opened again after its end (`wavectl retry`) goes on in the same trace, below a span of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from waved.domain import events as ev

MOST_NOTES = 100
"""Notes on one span; further ones are left out."""
LONGEST = 1000
"""Characters of a text."""
Value = str | int | float | bool
_GOOD = frozenset({"succeeded", "passed", "unverified"})


@dataclass(slots=True)
class Span:
    """One of them. Times in unix seconds."""

    kind: str
    """session, wave, run."""
    name: str
    id: int
    parent: int | None
    start: float
    end: float | None = None
    ok: bool | None = None
    """None: nobody can say."""
    reason: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)
    notes: list[tuple[str, float, dict[str, Value]]] = field(default_factory=list)
    """What happened meanwhile: name, when, what of it."""

    def note(self, event: ev.Event, **facts: Value) -> None:
        """Add a note, unless there are too many."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append((event.kind, event.time, _known(facts)))

    def close(self, end: float, ok: bool | None, reason: str) -> None:
        """It has ended."""
        self.end, self.ok, self.reason = max(end, self.start), ok, reason[:LONGEST]


@dataclass(slots=True)
class Trace:
    """The spans of a session since it was begun, or opened again; the session's own comes first."""

    id: int
    spans: list[Span]


def trace_of(events: Iterable[ev.Event]) -> Trace:
    """The trace of a session that has ended. Raises ValueError when the events do not begin with its submission."""
    story = iter(events)
    submitted = next(story, None)
    if not isinstance(submitted, ev.SessionSubmitted):
        raise ValueError("the journal does not hold the beginning of this session")  # noqa: TRY004
    made = _Making(submitted)
    for event in story:
        made.heed(event)
    return made.trace()


class _Making:
    def __init__(self, submitted: ev.SessionSubmitted) -> None:
        self._trace = _number(16, submitted.session, submitted.time)
        self._session = submitted.session
        self._plan = str(submitted.plan.get("session", {}).get("name", ""))
        self._workspace = submitted.workspace
        self._programs = _programs(submitted.plan)
        self._life = 0
        self._begin(submitted)

    def _begin(self, event: ev.Event) -> None:
        parent = self._id("session", 0) if self._life else None
        self._root = Span(
            "session", f"session {self._plan}", self._id("session", self._life), parent, event.time,
            attributes={
                "waved.session": self._session, "waved.plan": self._plan, "waved.workspace": self._workspace,
            },
        )  # fmt: skip
        self._spans = [self._root]
        self._waves: dict[str, Span] = {}
        self._runs: dict[str, Span] = {}
        self._begun = 0

    def _id(self, *parts: object) -> int:
        return _number(8, self._trace, *parts)

    def trace(self) -> Trace:
        """What there is; what nobody has ended ends with the session."""
        for span in self._spans:
            if span.end is None:
                span.close(self._root.end or self._root.start, None, "")
        return Trace(self._trace, self._spans)

    def heed(self, event: ev.Event) -> None:
        """Take in an event."""
        match event:
            case ev.SessionEnded():
                self._root.attributes["waved.outcome"] = event.outcome
                self._root.close(event.time, event.outcome in _GOOD, event.reason)
            case ev.SessionRetried() if self._root.end is not None:
                self._life += 1
                self._begin(event)
            case ev.WaveStarted():
                self._open_wave(event.wave, event)
            case ev.WaveEnded():
                self._close_wave(event)
            case ev.RunStarting() | ev.RunStarted() | ev.RunEnded() | ev.RunStalled():
                self._of_run(event)
            case _:
                self._note(event)

    # --- parts --------------------------------------------------------------------------------------------------

    def _open_wave(self, wave: str, event: ev.Event) -> Span:
        self._begun += 1
        key = self._id("wave", self._life, wave, self._begun)
        span = Span("wave", f"wave {wave}", key, self._root.id, event.time)
        span.attributes = {"waved.session": self._session, "waved.wave": wave}
        self._waves[wave] = span
        self._spans.append(span)
        return span

    def _close_wave(self, event: ev.WaveEnded) -> None:
        span = self._waves.pop(event.wave, None)
        if span is not None:
            span.attributes["waved.outcome"] = event.outcome
            span.close(event.time, event.outcome in _GOOD, event.reason)

    def _of_run(self, event: ev.RunStarting | ev.RunStarted | ev.RunEnded | ev.RunStalled) -> None:
        if isinstance(event, ev.RunStarting):
            self._open_run(event)
            return
        span = self._runs.get(event.run)
        if span is None:
            return
        match event:
            case ev.RunStarted():
                span.start = event.exec_time or span.start
                span.attributes |= {"process.pid": event.pid}
            case ev.RunStalled():
                span.note(event, state=event.state, seconds=event.limit)
            case ev.RunEnded():
                del self._runs[event.run]
                _end_run(span, event)

    def _open_run(self, event: ev.RunStarting) -> None:
        # A session that is opened again is in the middle of a wave, which nobody starts anew.
        parent = self._waves.get(event.wave) or (self._open_wave(event.wave, event) if event.wave else self._root)
        what = event.assignment or event.agent or event.gate.partition("/")[2]
        span = Span("run", f"{event.purpose} {what}", self._id("run", event.run), parent.id, event.time)
        span.attributes = _known(
            {
                "waved.session": self._session, "waved.wave": event.wave, "waved.run": event.run,
                "waved.purpose": event.purpose, "waved.agent": event.agent, "waved.assignment": event.assignment,
                "waved.attempt": event.attempt, "waved.gate": event.gate, "waved.reaction": event.reaction,
                "waved.program": self._programs.get(event.agent, ""),
            }
        )  # fmt: skip
        self._runs[event.run] = span
        self._spans.append(span)

    def _note(self, event: ev.Event) -> None:
        match event:
            case ev.GateEnded():
                span = self._waves.get(event.wave, self._root)
                span.note(event, verdict=event.verdict, assignment=event.assignment, reason=event.reason)
            case ev.AssignmentEnded() if event.outcome not in _GOOD:
                self._root.note(event, assignment=event.assignment, outcome=event.outcome, reason=event.reason)
            case ev.FindingMade():
                span = self._runs.get(event.run, self._root)
                span.note(
                    event, finding=event.finding, monitor=event.monitor, severity=event.severity,
                    summary=event.summary, path=event.path,
                )  # fmt: skip
            case ev.ReactionStarted():
                self._root.note(event, reaction=event.reaction, actions=", ".join(event.actions), finding=event.finding)
            case ev.ReactionEnded():
                self._root.note(event, reaction=event.reaction, ok=event.ok, detail=event.detail)
            case ev.RestoreEnded():
                self._root.note(event, reaction=event.reaction, ok=event.ok, files=event.total)
            case ev.SessionHeld() | ev.SessionStopRequested():
                self._root.note(event, reason=event.reason)
            case ev.SessionResumed() | ev.SessionRetried():
                self._root.note(event, by=event.by)
            case ev.WaveRetried():
                self._waves.get(event.wave, self._root).note(event, assignments=", ".join(event.assignments))


def _end_run(span: Span, event: ev.RunEnded) -> None:
    usage = event.acted.get("usage", {})
    span.attributes |= _known(
        {
            "waved.outcome": event.outcome, "waved.cause": event.cause, "process.exit.code": event.exit_code,
            "waved.signal": event.signal, "waved.output_bytes": event.output_bytes,
            "waved.cpu_seconds": event.cpu_seconds, "waved.memory_peak": event.memory_peak,
            "gen_ai.provider.name": event.acted.get("provider", ""),
            "gen_ai.response.model": event.acted.get("model", ""),
            "gen_ai.usage.input_tokens": usage.get("input"), "gen_ai.usage.output_tokens": usage.get("output"),
            "waved.cost_dollars": usage.get("cost"),
        }
    )  # fmt: skip
    well = event.judged if event.judged is not None else event.exit_code == 0
    ok = None if event.outcome == "lost" else event.outcome == "exited" and well
    reason = event.reason or ("" if ok else event.outcome if event.exit_code is None else f"exit {event.exit_code}")
    span.close(event.end_time or event.time, ok, reason)


def _programs(plan: dict[str, Any]) -> dict[str, str]:
    """The programs of agents, by name."""
    agents = [agent for wave in plan.get("wave", []) for agent in wave.get("agent", [])]
    return {str(agent["name"]): str(agent.get("use", "command")) for agent in [*agents, *plan.get("responder", [])]}


def _known(facts: dict[str, Any]) -> dict[str, Value]:
    """What is known of them, texts bounded."""
    return {
        name: value[:LONGEST] if isinstance(value, str) else value
        for name, value in facts.items()
        if value is not None and value != ""
    }


def _number(size: int, *parts: object) -> int:
    """An id of so many bytes: never 0, which means none."""
    digest = hashlib.sha256("\0".join(map(str, ("waved", *parts))).encode()).digest()
    return int.from_bytes(digest[:size]) or 1
