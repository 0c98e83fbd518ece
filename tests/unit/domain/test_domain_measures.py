"""All metrics: against the worked examples of docs/metrics.md, and their verdicts (S1–S6)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.domain.driving import agent
from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.measures import Metric, measure_all
from waved.domain.measures.metric import Goal

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
MONITORS = {
    "corruption": {"kind": "corruption", "patterns": ["x"]},
    "file-size": {"kind": "file-size", "paths": ["**"]},
}


def examples() -> list[tuple[list[str], dict[str, str]]]:
    found: list[tuple[list[str], dict[str, str]]] = []
    inside = False
    for line in PAGE.read_text(encoding="utf-8").partition("# All metrics, with goals")[2].splitlines():
        figure = re.fullmatch(r"\* `(\w+)`(?: of `(\w+)`)? = (\S+)", line)
        if line.startswith("```"):
            inside = line == "```events"
            if inside:
                found.append(([], {}))
        elif inside:
            found[-1][0].append(line)
        elif figure:
            found[-1][1][f"{figure[1]} {figure[2]}" if figure[2] else figure[1]] = figure[3]
    return found


class Story:
    """A session of agents a and b whose events are told in the words of the page."""

    def __init__(self, lines: list[str], **more: Any) -> None:
        monitors = [MONITORS[line.removeprefix("monitor ")] for line in lines if line.startswith("monitor ")]
        plan = {
            "session": {"name": "s"}, "monitor": monitors,
            **({"preview": {"url": "http://localhost:1/", "command": ["serve"]}} if "a preview" in lines else {}),
            "wave": [{"name": "w", "agent": [agent("a"), agent("b")]}], **more,
        }  # fmt: skip
        self.events: list[ev.Event] = []
        self.session = begin(ev.SessionSubmitted("s", plan, "/w", guarded=True))
        self.made: dict[str, str] = {}
        self.gates = 0
        self.add(ev.WaveStarted("s", "w"))
        for key in ("a", "b"):
            self.add(ev.RunStarting("s", f"s/{key}#1", "w", agent=key, assignment=key))
        for line in lines:
            self.tell(line)

    def add(self, event: ev.Event) -> None:
        event.seq = len(self.events) + 2
        fold(self.session, event)
        self.events.append(event)

    def tell(self, line: str) -> None:
        words, _, rest = line.partition(": ")
        if line == "a preview":
            return
        run = re.fullmatch(r"run (\w)", words)
        if run and " to " in rest:
            start, end = map(float, rest.split(" to "))
            self.add(ev.RunStarted("s", f"s/{run[1]}#1", 7, start))
            self.add(ev.RunEnded("s", f"s/{run[1]}#1", "exited", 0, end_time=end))
        elif run:
            usage = {name: float(value) for name, value in (each.split() for each in rest.split(", "))}
            self.add(ev.RunActed("s", f"s/{run[1]}#1", "thinking", usage=usage))
        elif words.startswith("changed by "):
            changes = [[path, "modified"] for path in rest.split(", ")]
            self.add(ev.FilesChanged("s", {words.removeprefix("changed by "): changes}))
        elif found := re.fullmatch(r"found (\S+) in (\w)", line):
            name = f"f{len(self.made) + 1}"
            self.made[found[2]] = name
            self.add(ev.FindingMade("s", name, found[1], "…", subject=found[2], path=found[2]))
        elif found := re.fullmatch(r"cleared (\w)", line):
            self.add(ev.FindingCleared("s", self.made[found[1]], "…"))
        elif found := re.fullmatch(r"(\d+): (.*)", line):
            self.happens(float(found[1]), found[2])
        elif line.startswith("restored "):
            total = 0 if line.endswith("nothing") else 1
            self.events.append(ev.RestoreEnded("s", "r1", ok=True, total=total))
        elif found := re.fullmatch(r"gate of (a|b|the wave) (\w+)", line):
            self.gates += 1
            whose = "" if found[1] == "the wave" else found[1]
            self.events.append(ev.GateStarted("s", f"g{self.gates}", "w", whose))
            self.events.append(ev.GateEnded("s", f"g{self.gates}", "w", found[2], whose))
        elif words.startswith("tests of "):
            counts = {name: int(count) for count, name in (each.split() for each in rest.split(", "))}
            self.gates += 1
            gate = f"s/{words}#{self.gates}"
            self.events.append(ev.CheckEnded("s", gate, 0, ok=True, name="pytest", tests=counts))
        else:
            assert line.startswith("monitor "), line

    def happens(self, time: float, what: str) -> None:
        """Something about the preview, or the session, at a time of its own."""
        preview = "s/preview@#1"
        events: dict[str, list[ev.Event]] = {
            "the session starts": [ev.SessionStarted("s")],
            "the preview answers": [ev.PreviewAnswered("s", "http://localhost:1/", 0.1)],
            "the preview is down": [ev.PreviewFailed("s", "http://localhost:1/", "refused")],
            "the last wave has ended": [
                ev.RunStarting("s", preview, "w", "preview", agent="preview"), ev.RunStopping("s", preview, "…"),
            ],
            "the session ends": [ev.RunEnded("s", preview, "stopped"), ev.SessionEnded("s", "succeeded")],
        }  # fmt: skip
        for event in events[what]:
            event.time = time
            self.add(event)

    def metrics(self) -> dict[str, Metric]:
        return {metric.name: metric for metric in measure_all(self.session, self.events, 1000.0)}


@pytest.mark.parametrize(("lines", "figures"), examples())
def test_the_examples_of_the_page_are_right(lines: list[str], figures: dict[str, str]) -> None:
    metrics = Story(lines).metrics()
    assert figures
    for figure, value in figures.items():
        name, _, whose = figure.partition(" ")
        found = metrics[name].by_agent[whose] if whose else metrics[name].value
        assert found == pytest.approx(float(value)), (figure, metrics[name])


def test_what_was_not_measured_is_neither_nought_nor_all() -> None:
    metrics = Story([]).metrics()
    unmeasured = {name for name, metric in metrics.items() if metric.verdict == "not measured"}
    assert unmeasured >= {
        "documentation", "tokens", "cost", "verification", "test_pass_rate", "file_size", "preview_uptime",
        "corruption", "files_per_minute", "speedup", "parallel_rate", "skew",
    }  # fmt: skip
    assert all(metrics[name].value is None for name in unmeasured)


def test_files_that_nothing_watches_are_not_said_to_be_unchanged() -> None:
    ran = "run a: 0 to 60"
    assert Story([ran]).metrics()["files_per_minute"].verdict == "not measured"
    assert Story(["monitor corruption", ran]).metrics()["files_per_minute"].value == 0


def test_every_metric_is_defined_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in Story([]).metrics():
        assert f"`{name}`" in page, name


def test_goals_of_the_plan_decide() -> None:
    lines = ["monitor corruption", "found corruption in x"]
    assert Story(lines).metrics()["corruption"].verdict == "missed"
    assert Story(lines, goals={"corruption": 1}).metrics()["corruption"].verdict == "met"
    spent = ["run a: input 100, cost 3"]
    assert Story(spent).metrics()["cost"].verdict == ""
    assert Story(spent, goals={"cost": "$2"}).metrics()["cost"].verdict == "missed"


@pytest.mark.parametrize(
    ("comparison", "met"), [(">", [3]), (">=", [2, 3]), ("<", [1]), ("<=", [1, 2])]
)  # fmt: skip
def test_a_goal_is_met_as_it_says(comparison: Any, met: list[int]) -> None:
    assert [value for value in (1, 2, 3) if Goal(comparison, 2).is_met(value)] == met


def test_a_file_removed_by_a_restore_needs_no_verification() -> None:
    story = Story(["changed by a: x, y"])
    story.events.append(ev.RestoreEnded("s", "r1", ok=True, removed=["x"], total=1))
    story.tell("gate of the wave passed")
    assert story.metrics()["verification"].value == 1
    assert story.metrics()["verification"].detail == "1 of 1 changed files"


def test_what_changes_while_it_is_checked_is_not_verified() -> None:
    story = Story(["changed by a: x"])
    story.events.append(ev.GateStarted("s", "g", "w", "a"))
    story.tell("changed by a: x")
    story.events.append(ev.GateEnded("s", "g", "w", "passed", "a"))
    assert story.metrics()["verification"].value == 0
