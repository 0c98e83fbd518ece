"""What clients are shown: the shape promised in docs/architecture.md, at every moment of a session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
from driving import Driver, Guarded, agent, one_wave

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.view import state_of, summary, view

SUMMARY = {
    "session", "name", "state", "outcome", "reason", "workspace", "submitted", "started", "ended", "wave", "waves",
    "agents",
}  # fmt: skip
VIEW = SUMMARY | {"plan_path", "submitted_by", "last_seq", "deadline", "now", "checklist", "metrics"}
WAVE = {
    "name", "index", "state", "outcome", "reason", "started", "ended", "deadline", "attempt", "skew", "gate",
    "assignments",
}  # fmt: skip
ASSIGNMENT = {
    "key", "agent", "tasks", "requires", "domain", "program", "critical", "state", "outcome", "reason", "verified",
    "attempt", "retry_at", "timeout", "gate", "runs",
}  # fmt: skip
RUN = {
    "run", "attempt", "state", "outcome", "exit_code", "signal", "reason", "pid", "started", "ended", "output_bytes",
    "leftovers", "cpu_seconds", "max_rss",
}  # fmt: skip
GATE = {"gate", "state", "verdict", "reason", "checks"}
CHECK = {"name", "state", "ok", "detail", "tests", "run"}


def shown(drive: Driver) -> dict[str, Any]:
    """The view, whose shape is right and which the wire can carry."""
    found = view(drive.session, drive.now)
    assert msgpack.unpackb(msgpack.packb(found)) == found
    assert found.keys() >= VIEW
    for wave in found["waves"]:
        assert wave.keys() >= WAVE
        for gate in (wave["gate"], *(item["gate"] for item in wave["assignments"])):
            assert gate is None or gate.keys() >= GATE
            assert gate is None or all(check.keys() >= CHECK for check in gate["checks"])
        for item in wave["assignments"]:
            assert item.keys() >= ASSIGNMENT
            assert all(run.keys() >= RUN for run in item["runs"])
    return found


def state_of_assignment(drive: Driver, index: int) -> str:
    return str(shown(drive)["waves"][0]["assignments"][index]["state"])


def test_the_states_an_assignment_goes_through() -> None:
    first = agent("a", retries=1, gate={"commands": [["x"]]})
    drive = Driver(one_wave(first, agent("b", needs=["a"]), agent("c"), session={"max_parallel": 1}))
    seen = [state_of_assignment(drive, 0)]
    assert [state_of_assignment(drive, 1), state_of_assignment(drive, 2)] == ["waiting", "ready"]
    drive.do(ev.RunStarted("s", "s/a#1", 7, 100.0))
    seen.append(state_of_assignment(drive, 0))
    drive.fails("a#1")
    seen.append(state_of_assignment(drive, 0))
    drive.at(101.0)
    drive.ends("a#2")
    seen.append(state_of_assignment(drive, 0))
    drive.ends("a#2@gate.0")
    seen.append(state_of_assignment(drive, 0))
    assert seen == ["starting", "running", "backing-off", "checking", "ended"]


def test_the_states_a_wave_goes_through() -> None:
    plan = one_wave(agent("a"), gate={"commands": [["x"]]})
    plan["wave"].append({"name": "next", "agent": [agent("b")]})
    drive = Driver(plan)
    seen = [[wave["state"] for wave in shown(drive)["waves"]]]
    drive.ends("a#1")
    seen.append([wave["state"] for wave in shown(drive)["waves"]])
    drive.ends("@w#1.0")
    seen.append([wave["state"] for wave in shown(drive)["waves"]])
    drive.ends("b#1")
    seen.append([wave["state"] for wave in shown(drive)["waves"]])
    assert seen == [["running", "waiting"], ["gate", "waiting"], ["ended", "running"], ["ended", "ended"]]


def test_the_gate_ahead_is_shown_so_that_a_viewer_sees_what_will_be_checked() -> None:
    drive = Driver(one_wave(agent("a"), gate={"commands": [["x"]], "outputs": ["doc.md"]}))
    gate = shown(drive)["waves"][0]["gate"]
    assert (gate["state"], [check["name"] for check in gate["checks"]]) == ("waiting", ["outputs doc.md", "x"])
    assert {check["state"] for check in gate["checks"]} == {"waiting"}


def test_counts_add_up_and_only_success_counts_as_success() -> None:
    agents = [agent(name) for name in "abcd"] + [agent("e", needs=["b"]), agent("f", needs=["a"])]
    drive = Driver(one_wave(*agents, session={"on_lost": "fail"}))
    drive.ends("a#1")
    drive.fails("b#1")
    drive.ends("c#1", "lost")
    counts = summary(drive.session)["agents"]
    assert counts == {"total": 6, "running": 2, "succeeded": 1, "failed": 2, "skipped": 1, "waiting": 0}
    assert counts["total"] == sum(counts.values()) - counts["total"]


def test_state_in_one_word() -> None:
    drive = Driver(one_wave(agent("a"), agent("b")))
    assert state_of(drive.session) == "running"
    drive.ends("a#1", "lost")
    assert state_of(drive.session) == "held"
    assert summary(drive.session)["reason"].startswith("a is lost")
    drive.do(*requests.stop(drive.session))
    assert state_of(drive.session) == "stopping"
    drive.ends("b#1", "stopped")
    assert state_of(drive.session) == "ended"


def test_of_very_many_runs_the_newest_are_shown() -> None:
    drive = Driver(one_wave(agent("a")))
    node = drive.session.nodes["a"]
    first = node.runs[0]
    node.runs = [replace(first, attempt=number) for number in range(1, 30_001)]
    [item] = view(drive.session, drive.now)["waves"][0]["assignments"]
    found = item["runs"]
    assert len(found) == 20_000
    assert found[-1]["attempt"] == 30_000


def test_a_huge_reason_is_shortened_for_viewers() -> None:
    drive = Driver(one_wave(agent("a")))
    drive.fails("a#1", "x" * 1_000_000)
    assert len(msgpack.packb(shown(drive))) < 40_000


MEDIC = {
    **one_wave(agent("api")),
    "monitor": [
        {"kind": "corruption", "patterns": ["const const"], "reactions": [{"do": "start-agent", "agent": "medic"}]}
    ],
    "responder": [agent("medic", retries=1)],
}


def test_what_a_reaction_starts_is_shown_with_what_it_answers() -> None:
    drive = Guarded(MEDIC)
    assert shown(drive)["responders"] == []
    drive.do(ev.RunStarted("s", "s/api#1", pid=1, exec_time=drive.now))
    drive.finds("a.ts", by="api")
    starting = shown(drive)["responders"][0]
    assert (starting["key"], starting["agent"], starting["wave"]) == ("medic@r1", "medic", "w")
    assert (starting["finding"], starting["reaction"], starting["state"]) == ("f1", "r1", "starting")
    drive.do(ev.RunStarted("s", "s/medic@r1#1", pid=2, exec_time=drive.now))
    assert shown(drive)["responders"][0]["state"] == "running"
    drive.fails("medic@r1#1")
    again = shown(drive)["responders"][0]
    assert (again["state"], again["attempt"], len(again["runs"])) == ("starting", 2, 2)
    drive.ends("medic@r1#2")
    ended = shown(drive)["responders"][0]
    assert (ended["state"], ended["outcome"], ended["finding"]) == ("ended", "succeeded", "f1")


def test_a_responder_that_could_not_help_has_failed() -> None:
    drive = Guarded(MEDIC)
    drive.do(ev.RunStarted("s", "s/api#1", pid=1, exec_time=drive.now))
    drive.finds("a.ts", by="api")
    drive.fails("medic@r1#1")
    drive.fails("medic@r1#2", reason="exited with status 4")
    ended = shown(drive)["responders"][0]
    assert (ended["outcome"], ended["reason"], ended["attempt"]) == ("failed", "exited with status 4", 2)
