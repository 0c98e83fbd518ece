"""The pure core: microseconds an event costs in fold and decide, and whether that grows with the number of agents.

One session of N agents is driven to its end with the least that can be around the core: facts are made, judged by
`admissible`, folded, and `decide` is asked until nothing follows, as the reactor does. Making the plan and the first
state is not counted. Times are the process's own (CPU), the best of a few rounds: other work only ever adds.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.benchmarks.probe import BenchmarkError
from tests.benchmarks.report import Report, Row, run
from waved.domain import events as ev
from waved.domain.decide import decide, next_deadline
from waved.domain.fold import admissible, begin, fold
from waved.domain.state import Session
from waved.plan.models import Plan

LIMIT = 10.0
"""Microseconds an event: 100,000 events a second."""
WIDTH = 64
"""Agents that run at once in the settings that have a width."""
Agents = Callable[[int], list[dict[str, Any]]]


def _chains(count: int) -> list[dict[str, Any]]:
    return [{"name": f"a{i}", "command": ["true"], "needs": [f"a{i - WIDTH}"] * (i >= WIDTH)} for i in range(count)]


def _plain(count: int) -> list[dict[str, Any]]:
    return [{"name": f"a{i}", "command": ["true"]} for i in range(count)]


def _retried(count: int) -> list[dict[str, Any]]:
    return [{**agent, "retries": 1} for agent in _plain(count)]


def _checked(count: int) -> list[dict[str, Any]]:
    return [{**agent, "gate": {"commands": [["true"]]}} for agent in _chains(count)]


def _guarded(count: int) -> list[dict[str, Any]]:
    return [{**agent, "owns": [f"src/{agent['name']}/"]} for agent in _chains(count)]


GUARDED = "guarded, a snapshot each"
"""The setting whose workspace is watched: each agent has a gate that asks the guard, and what it leaves is kept."""
SETTINGS: dict[str, tuple[Agents, dict[str, Any], bool]] = {
    GUARDED: (_guarded, {}, False),
    "chains": (_chains, {}, False),
    "all at once": (_plain, {}, False),
    f"{WIDTH} at a time": (_plain, {"max_parallel": WIDTH}, False),
    "one at a time": (_plain, {"parallel": False}, False),
    "a tenth repeated": (_retried, {"max_parallel": WIDTH}, True),
    "each with a check": (_checked, {}, False),
}


def session_of(agents: list[dict[str, Any]], settings: dict[str, Any], *, guarded: bool = False) -> Session:
    """A session of one wave, its checklist passed."""
    written: dict[str, Any] = {"session": {"name": "x", **settings}, "wave": [{"name": "w", "agent": agents}]}
    if guarded:
        written["monitor"] = [{"kind": "corruption"}, {"kind": "progress"}]
    plan = Plan.model_validate(written).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    session = begin(ev.SessionSubmitted("s", plan, "/w", guarded=guarded))
    fold(session, ev.ChecklistEnded("s", ok=True))
    return session


def drive(session: Session, *, failing: bool) -> int:
    """Drive a session to its end; the number of its events. With `failing`, each tenth agent fails once."""
    count = 0
    now = 0.0
    going: deque[ev.Event] = deque()

    def record(event: ev.Event) -> None:
        nonlocal count
        count += 1
        event.seq, event.time = count, now
        fold(session, event)
        if isinstance(event, ev.SnapshotTaking):
            going.append(ev.SnapshotTaken("s", event.snapshot, "c"))
        elif isinstance(event, ev.CheckStarted):
            going.append(ev.GuardCaughtUp("s", event.gate, event.index))
        elif isinstance(event, ev.RunStarting):
            going.append(ev.RunStarted("s", event.run, 7, now))
        elif isinstance(event, ev.RunStarted):
            code = int(failing and event.run.endswith("0#1"))
            going.append(ev.RunEnded("s", event.run, "exited", code, reason="failed" if code else ""))

    while session.phase != "ended":
        while following := decide(session, now):
            for event in following:
                record(event)
        due = next_deadline(session)
        if going:
            now += 0.001
            fact = going.popleft()
            if admissible(session, fact):
                record(fact)
        elif due is not None:
            now = due
        elif session.phase != "ended":
            raise BenchmarkError(f"nothing follows, but the session is {session.phase}")
    return count


def measure(report: Report, options: argparse.Namespace) -> None:
    """Each setting with each number of agents."""
    for name, (agents, settings, failing) in SETTINGS.items():
        for count in options.agents:
            best = float("inf")
            events = 0
            for _ in range(options.rounds):
                session = session_of(agents(count), settings, guarded=name == GUARDED)
                gc.collect()
                gc.freeze()
                begin_at = time.process_time()
                events = drive(session, failing=failing)
                best = min(best, time.process_time() - begin_at)
                gc.unfreeze()
                if session.outcome != "succeeded":
                    raise BenchmarkError(f"{name}: {session.outcome}: {session.reason}")
            more = {"events": events, "events/s": round(events / best)}
            report.add(Row(f"{name}, {count} agents", "fold + decide", "ours", best / events * 1e6, "µs", more, LIMIT))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--rounds", type=int, default=3)
    sys.exit(run("core", measure, parser))
