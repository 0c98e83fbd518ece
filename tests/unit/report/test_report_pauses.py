"""Long pauses in the pictures of a report: drawn short, marked, told in a table; and what reactions have started."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from tests.waiting_session import NIGHT, night
from waved.domain import events as ev
from waved.report import html, markdown
from waved.report.build import Told, build
from waved.report.comparison import comparison
from waved.report.given import Given
from waved.report.timeline import Timeline


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    drive = night()
    submitted = ev.SessionSubmitted(
        "s", drive.session.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True), "/w", guarded=True,
        time=100.0, seq=1,
    )  # fmt: skip
    return build(Told([submitted, *drive.log]), drive.now, Given(waved="9.9")).as_dict()


def test_a_night_of_waiting_is_a_break_and_work_fills_the_picture(report: dict[str, Any]) -> None:
    drawn = Timeline(report).draw()
    (pause,) = drawn["pauses"]
    assert pause["seconds"] == pytest.approx(NIGHT, abs=61)
    assert pause["label"] == "… 8 h 00 m …"
    assert float(pause["width"].rstrip("%")) < 7
    assert "held" in pause["why"]
    work = [bar for bar in drawn["bars"] if bar["key"] == "reviewer"]
    assert float(work[0]["width"].rstrip("%")) > 15, "a minute of six is seen, and not one of eight hours"
    assert len(drawn["ticks"]) >= 3
    texts = [tick["text"] for tick in drawn["ticks"]]
    assert any(text.startswith("8 h") for text in texts), "the axis goes on with the true time"


def test_both_pictures_of_the_comparison_leave_out_the_same(report: dict[str, Any]) -> None:
    found = comparison(report)
    assert found is not None
    (pause,) = found["pauses"]
    assert pause["label"] == "… 8 h 00 m …"
    assert found["elapsed"] > NIGHT, "what is told is true"
    api = next(row for row in found["before"] if row["label"] == "api")
    assert float(api["width"].rstrip("%")) < 60


def test_the_page_and_the_text_tell_of_the_pause(report: dict[str, Any]) -> None:
    page = html.render(report)
    assert 'id="pauses"' in page
    assert re.search(r'class="pause" href="#pauses" aria-label="nothing was done for 8 h 00 m', page)
    told = markdown.render(report)
    assert "8 h 00 m" in told
    assert "Nothing was done" in told


def test_responders_are_told_with_their_reaction_and_in_the_timeline(report: dict[str, Any]) -> None:
    (run,) = report["responders"]
    assert (run["name"], run["reaction"], run["wave"], run["good"]) == ("medic", "r1", "build", True)
    assert [row["key"] for row in Timeline(report).draw()["rows"] if row["kind"] == "responder"] == ["medic@r1"]
    page = html.render(report)
    assert page.count("medic@r1") >= 3, "beside the picture, in it, and in the table of runs"
    assert re.search(r"medic.*: succeeded, 30.0 s", page)
    assert "medic: succeeded, 30.0 s" in markdown.render(report)


def test_a_session_without_long_pauses_has_none(report: dict[str, Any]) -> None:
    quick = copy.deepcopy(report)
    for each in quick["agents"]:
        for run in each["runs"]:
            run["stood"] = []
    assert Timeline(quick).draw()["pauses"] == []
    found = comparison(quick)
    assert found is not None
    assert found["pauses"] == []
