"""Drives the core by hand: facts in, what follows out; no clock but `now`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from waved.domain import events as ev
from waved.domain.decide import decide
from waved.domain.fold import admissible, begin, fold
from waved.domain.state import Node, Session
from waved.domain.state_guards import Guards
from waved.plan.models import Plan

E = TypeVar("E", bound=ev.Event)


def agent(name: str, **more: Any) -> dict[str, Any]:
    """An agent that is a command."""
    return {"name": name, "command": ["true"], **more}


def one_wave(*agents: dict[str, Any], session: dict[str, Any] | None = None, **wave: Any) -> dict[str, Any]:
    """A plan of one wave named "w"."""
    return {"session": {"name": "s", **(session or {})}, "wave": [{"name": "w", "agent": list(agents), **wave}]}


class Driver:
    """One session, begun, its checklist passed, and everything that follows from that decided."""

    def __init__(self, plan: dict[str, Any], *, guarded: bool = False, callers: Sequence[list[str]] = ()) -> None:
        self.now = 100.0
        self.log: list[ev.Event] = []
        dumped = Plan.model_validate(plan).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        self.session: Session = begin(ev.SessionSubmitted("s", dumped, "/w", guarded=guarded, time=self.now, seq=1))
        self.do(ev.ChecklistEnded("s", ok=True, callers=list(callers)))

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


class Guarded(Driver):
    """A guarded session: its first snapshot is taken, unless the plan wants none."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan, guarded=True)
        self.made = 0
        if self.session.plan.snapshots.enabled:
            self.taken("s1")

    @property
    def guards(self) -> Guards:
        """The state of its guards."""
        assert self.session.guards is not None
        return self.session.guards

    def taken(self, name: str, error: str = "") -> list[ev.Event]:
        """A snapshot is taken, or cannot be."""
        return self.do(ev.SnapshotTaken("s", name, "" if error else f"c{name}", files=3, error=error))

    def finds(self, path: str = "", by: str = "", monitor: str = "corruption", **more: Any) -> list[ev.Event]:
        """A monitor sees something of a path; `by` names the assignment."""
        self.made += 1
        return self.do(
            ev.FindingMade(
                "s", f"f{self.made}", monitor, "const const", subject=path or by, path=path, assignment=by, **more
            )
        )

    def frozen(self, run: str, *, ok: bool = True) -> list[ev.Event]:
        """A worker says that its run stands still, or cannot be made to."""
        return self.do(ev.RunFrozen("s", f"s/{run}", ok=ok))

    def restored(
        self, reaction: str, *, ok: bool = True, paths: Sequence[str] = (), detail: str = ""
    ) -> list[ev.Event]:
        """A restore has ended."""
        return self.do(ev.RestoreEnded("s", reaction, ok, restored=list(paths), total=len(paths), detail=detail))

    @property
    def last(self) -> ev.Event:
        """The last event."""
        return self.log[-1]


def of(events: list[ev.Event], kind: type[E]) -> list[E]:
    """Those of a kind."""
    return [event for event in events if isinstance(event, kind)]
