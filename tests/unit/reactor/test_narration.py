"""Where an event belongs and how grave it is, as the log tells it; and whose environment agents get."""

from __future__ import annotations

import pytest

from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.state import Session
from waved.reactor.identity import as_ourselves
from waved.reactor.narration import LARGE, level_of, line_of, place_of

PLAN = {
    "session": {"name": "s"},
    "wave": [
        {
            "name": "build",
            "agent": [{"name": "api", "command": "true", "domain": "d"}],
            "task": [{"name": "t", "domain": "d"}],
        }
    ],
}


@pytest.fixture
def session() -> Session:
    known = begin(ev.SessionSubmitted("s-1", plan=PLAN, workspace="/w"))
    key = next(iter(known.nodes))
    fold(known, ev.ChecklistEnded("s-1", ok=True))
    fold(known, ev.SessionStarted("s-1"))
    fold(known, ev.WaveStarted("s-1", wave="build"))
    fold(known, ev.RunStarting("s-1", run=f"s-1/{key}#1", wave="build", agent="api", assignment=key))
    return known


def test_a_run_is_told_with_its_wave_and_agent(session: Session) -> None:
    (run,) = session.runs
    _, fields = line_of(ev.RunEnded("s-1", run, "exited", exit_code=0, tail="long", seq=9, time=1.5), session)
    assert list(fields)[:5] == ["seq", "session", "wave", "agent", "run"]
    assert fields.items() >= {"seq": 9, "wave": "build", "agent": "api", "run": run, "time": 1.5}.items()
    assert not LARGE & set(fields)


def test_gates_and_assignments_are_told_with_theirs(session: Session) -> None:
    key = next(iter(session.nodes))
    place = {"wave": "build", "agent": "api"}
    assert place_of(ev.CheckStarted("s-1", f"s-1/{key}#1@gate", 0), session) == place
    assert place_of(ev.CheckStarted("s-1", "s-1/@build#2", 0), session) == {"wave": "build"}
    assert place_of(ev.RetryScheduled("s-1", key, "api", 2, 0.0), session) == place
    assert place_of(ev.SessionEnded("s-1", "succeeded"), session) == {}
    assert place_of(ev.RunEnded("s-9", "s-9/x#1", "lost"), None) == {}


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ev.RunEnded("s", "r", "exited", exit_code=0), "info"),
        (ev.RunEnded("s", "r", "exited", exit_code=3), "warning"),
        (ev.RunEnded("s", "r", "stopped"), "info"),
        (ev.RunEnded("s", "r", "timed-out"), "warning"),
        (ev.RunEnded("s", "r", "lost"), "error"),
        (ev.SessionHeld("s", "why"), "warning"),
        (ev.SessionEnded("s", "succeeded"), "info"),
        (ev.SessionEnded("s", "refused"), "warning"),
        (ev.ChecklistItemChecked("s", "disk", ok=False), "warning"),
        (ev.ChecklistItemChecked("s", "disk", ok=False, waived=True), "info"),
        (ev.CheckEnded("s", "g", 0, ok=False), "warning"),
        (ev.GateEnded("s", "g", "w", "failed"), "warning"),
        (ev.FindingMade("s", "f", "m", "bad", severity="critical"), "error"),
        (ev.SnapshotTaken("s", "n", error="disk full"), "warning"),
        (ev.JournalSalvaged("", read=1), "error"),
    ],
)
def test_how_grave(event: ev.Event, level: str) -> None:
    assert level_of(event) == level


def test_agents_of_a_shared_daemon_have_its_home_and_the_submitters_path() -> None:
    given = {
        "base": {"HOME": "/home/a", "USER": "a", "XDG_CACHE_HOME": "/home/a/c", "PATH": "/p"},
        "session": {"K": "v"},
    }
    own = {"HOME": "/var/lib/waved", "USER": "waved", "PATH": "/usr/bin", "OTHER": "x"}
    found = as_ourselves(given, own)
    assert found["base"] == {"PATH": "/p", "HOME": "/var/lib/waved", "USER": "waved"}
    assert found["session"] == {"K": "v"}
