"""Drives the core by hand: facts in, what follows out; no clock but `now`."""

from __future__ import annotations

from typing import Any

from waved.domain import events as ev
from waved.domain.decide import decide
from waved.domain.fold import admissible, begin, fold
from waved.domain.state import Node, Session
from waved.plan.models import Plan


def agent(name: str, **more: Any) -> dict[str, Any]:
    """An agent that is a command."""
    return {"name": name, "command": ["true"], **more}


def one_wave(*agents: dict[str, Any], session: dict[str, Any] | None = None, **wave: Any) -> dict[str, Any]:
    """A plan of one wave named "w"."""
    return {"session": {"name": "s", **(session or {})}, "wave": [{"name": "w", "agent": list(agents), **wave}]}


class Driver:
    """One session, begun, its checklist passed, and everything that follows from that decided."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.now = 100.0
        self.log: list[ev.Event] = []
        dumped = Plan.model_validate(plan).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        self.session: Session = begin(ev.SessionSubmitted("s", dumped, "/w", time=self.now, seq=1))
        self.do(ev.ChecklistEnded("s", ok=True))

    def do(self, *events: ev.Event, follow: bool = True) -> list[ev.Event]:
        """Fold these events and all that follows from them; returns what followed."""
        for event in events:
            assert admissible(self.session, event)
            self._fold(event)
        return self.follow() if follow else []

    def follow(self) -> list[ev.Event]:
        """All that follows from the state now."""
        since = len(self.log)
        while following := decide(self.session, self.now):
            for event in following:
                self._fold(event)
        return self.log[since:]

    def at(self, now: float) -> list[ev.Event]:
        """Let the time be `now`; returns what followed."""
        self.now = now
        return self.follow()

    def _fold(self, event: ev.Event) -> None:
        event.seq, event.time = len(self.log) + 2, self.now
        fold(self.session, event)
        self.log.append(event)

    def ends(self, run: str, outcome: str = "exited", code: int | None = 0, **more: Any) -> list[ev.Event]:
        """A run (named without the session) ends."""
        code = code if outcome == "exited" else None
        return self.do(ev.RunEnded("s", f"s/{run}", outcome, code, **more))

    def fails(self, run: str, reason: str = "exited with status 1") -> list[ev.Event]:
        """A run exits with 1."""
        return self.ends(run, code=1, reason=reason)

    def checked(self, *, ok: bool, detail: str = "") -> list[ev.Event]:
        """The one check under way (of outputs) ends."""
        (gate,) = [gate for gate in self.session.gates.values() if gate.checks[gate.next].state == "running"]
        return self.do(ev.CheckEnded("s", gate.id, gate.next, ok, gate.checks[gate.next].name, detail))

    def node(self, key: str) -> Node:
        """An assignment."""
        return self.session.nodes[key]

    @property
    def running(self) -> list[str]:
        """Active runs, named without the session."""
        return [run.removeprefix("s/") for run in self.session.active]


def kinds(events: list[ev.Event]) -> list[str]:
    """The kinds of events."""
    return [event.kind for event in events]


def started(events: list[ev.Event]) -> list[str]:
    """The runs that are started in these events, named without the session."""
    return [event.run.removeprefix("s/") for event in events if isinstance(event, ev.RunStarting)]


def outcomes(events: list[ev.Event]) -> dict[str, str]:
    """Outcome by assignment that ended in these events."""
    return {event.assignment: event.outcome for event in events if isinstance(event, ev.AssignmentEnded)}
