"""The model of a report and its three forms: what they tell, how they bear hostile text, how large they get (C3)."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.made_session import MadeSession, plan_of_many
from tests.unit.domain.driving import agent
from waved.domain import events as ev
from waved.report import html, markdown
from waved.report.build import Told, build
from waved.report.given import Changes, FileChange, Given
from waved.report.rendering import as_json, is_ours

HOSTILE = "</style></script><script>alert(1)</script>\x1b[31m\u202e`|[x](javascript:1)\n# Owned\n<!-- --> {{ 7*7 }}"
VOID = {"meta", "input", "rect", "line", "use", "path", "circle", "br", "svg"}


@pytest.fixture(scope="module")
def made() -> MadeSession:
    return MadeSession(plan_of_many(12, 3), acts=6, trouble=0.3)


@pytest.fixture(scope="module")
def report(made: MadeSession) -> dict[str, Any]:
    given = Given(
        prompts={"made-0001/catalogue-0-0#1": "Do <b>this</b>."},
        changes=Changes(
            "", "s1", "the end of the session", (FileChange("src/a.ts", "modified", 3, 1),),
            "diff --git a/src/a.ts b/src/a.ts\n--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1 +1 @@\n-old\n+new\n",
        ),
        waved="9.9",
    )  # fmt: skip
    return build(Told(made.events), made.events[-1].time, given).as_dict()


class Page(HTMLParser):
    """What is in a page: text by tag, all attributes, ids and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def test_it_tells_of_each_agent_what_it_was_asked_did_cost_and_said(report: dict[str, Any]) -> None:
    first = report["agents"][0]
    assert first["asked"]["text"] == "Do <b>this</b>."
    assert first["outcome"] == "succeeded"
    assert first["tokens"] > 30_000
    assert first["cost"] > 0
    assert first["tools"]["Read"] > first["tools"]["Grep"]
    assert set(first["states"]) == {"thinking", "tool"}
    assert first["said"]["text"].startswith("I wrote")
    assert first["changed"] == ["src/catalogue-0-0/cart.test.ts", "src/catalogue-0-0/cart.ts"]


def test_findings_reactions_and_rollbacks_are_told(report: dict[str, Any]) -> None:
    assert report["findings"]
    found = report["findings"][0]
    reaction = next(each for each in report["reactions"] if each["reaction"] in found["reactions"])
    assert found["cleared"] is not None
    assert reaction["total"] == 1
    assert reaction["agents"] == [found["agent"]]
    assert report["totals"]["rollbacks"] == len(report["findings"])
    undone = [run for each in report["agents"] for run in each["runs"] if run["undone"]]
    assert len(undone) == len(report["findings"])
    assert {moment["kind"] for moment in report["moments"]} >= {"finding", "rollback"}


def test_the_same_events_make_the_same_report(made: MadeSession, report: dict[str, Any]) -> None:
    again = build(Told(copy.deepcopy(made.events)), made.events[-1].time, Given(waved="9.9")).as_dict()
    assert {**again, "changes": 0, "agents": 0, "totals": 0} == {**report, "changes": 0, "agents": 0, "totals": 0}


def test_a_session_that_goes_on_is_told_as_it_stands(made: MadeSession) -> None:
    half = made.events[: len(made.events) // 2]
    told = build(Told(half), half[-1].time + 1, Given()).as_dict()
    assert told["live"]
    assert told["outcome"] == ""
    assert "it goes on" in html.render(told)
    assert "The session goes on" in markdown.render(told)


def test_the_page_needs_nothing_else_and_its_links_lead_somewhere(report: dict[str, Any]) -> None:
    page = Page(html.render(report))
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert page.values("src") == []
    assert all(target.startswith("#") for target in page.values("href"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {target[1:] for target in page.values("href")} <= set(ids)
    assert page.values("style") == []
    policy = next(value for value in page.values("content") if value.startswith("default-src"))
    assert "unsafe" not in policy


def test_the_policy_knows_the_page_s_own_style_and_script(report: dict[str, Any]) -> None:
    text = html.render(report)
    for tag in ("style", "script"):
        own = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert own is not None
        assert html._hash(own[1]).replace("'", "&#39;") in text


def with_hostile(value: Any, key: str = "") -> Any:
    """The report with every free text replaced."""
    kept = {"state", "outcome", "verdict", "kind", "severity", "unit", "comparison", "key", "wave", "agents", "finding",
            "reaction", "reactions", "findings", "link", "requires", "checklist", "agent", "item"}  # fmt: skip
    if isinstance(value, dict):
        return {name: each if name in kept and not isinstance(each, (dict, list)) else with_hostile(each, name)
                for name, each in value.items()}  # fmt: skip
    if isinstance(value, list):
        if key in ("requires", "findings", "reactions", "agents") and value and isinstance(value[0], str):
            return value
        return [with_hostile(each, key) for each in value]
    return HOSTILE if isinstance(value, str) and key != "name" else value


def test_hostile_text_stays_text(report: dict[str, Any]) -> None:
    bad = with_hostile(report)
    page = html.render(bad)
    parsed = Page(page)
    assert parsed.tags.count("script") == 1
    assert parsed.tags.count("style") == 1
    assert "{{ 7*7 }}" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert not any(name.startswith("on") for _, name, _ in parsed.attributes)
    assert not any("javascript" in target for target in parsed.values("href"))
    text = markdown.render(bad)
    assert "\x1b" not in text
    inside = False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        assert inside or not line.startswith("# Owned")
        assert inside or "<script" not in line.replace("`", "") or "`" in line
    assert json.loads(as_json(bad))["reason"] == HOSTILE


def test_many_agents_and_findings_stay_below_a_megabyte() -> None:
    plan = {"session": {"name": "s"}, "wave": [{"name": "w", "agent": [agent(f"a{i}") for i in range(200)]}]}
    events: list[ev.Event] = [ev.SessionSubmitted("s", plan, "/w", guarded=True), ev.WaveStarted("s", "w")]
    for number in range(200):
        run = f"s/a{number}#1"
        events += [
            ev.RunStarting("s", run, "w", agent=f"a{number}", assignment=f"a{number}"),
            ev.RunStarted("s", run, 7, float(number)),
            ev.FindingMade("s", f"f{number}", "corruption", "x" * 3_000, path="p" * 900, evidence="e" * 4_000),
            ev.RunEnded("s", run, "exited", 1, tail="t" * 4_000, last_words="w" * 2_000, end_time=number + 9.0),
        ]
    for number, event in enumerate(events, 1):
        event.seq, event.time = number, float(number)
    given = Given(
        prompts={f"s/a{number}#1": "p" * 50_000 for number in range(200)},
        changes=Changes("", "s1", "now", tuple(FileChange(f"{'d' * 200}/{i}", "added", 1, 0) for i in range(3_000)),
                        "diff --git a/x b/x\n+++ b/x\n@@ -0,0 +1 @@\n" + "+<>\n" * 200_000),
    )  # fmt: skip
    report = build(Told(events), 1_000.0, given).as_dict()
    assert len(html.render(report).encode()) < 1024 * 1024
    assert report["left_out"]["files"] == 2_600
    assert report["agents"][0]["asked"]["cut"] > 0


def test_files_of_others_are_known_by_their_beginning(report: dict[str, Any]) -> None:
    for form, text in (("html", html.render(report)), ("md", markdown.render(report)), ("json", as_json(report))):
        assert is_ours(form, text.encode()[:4096])
        assert not is_ours(form, b"# Report\n\nwritten by an agent\n")
