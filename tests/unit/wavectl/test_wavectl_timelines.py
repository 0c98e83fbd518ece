"""The timelines on a terminal: a night of waiting is a break, and work is as long as it was beside other work."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.waiting_session import night
from wavectl.top import ink
from wavectl.top.looking import Looking
from wavectl.top.pages import timeline as top
from wavectl.views import timeline
from wavectl.views.text import Paint, visible
from waved.domain.view import view as view_of


@pytest.fixture(scope="module")
def view() -> dict[str, Any]:
    drive = night()
    return view_of(drive.session, drive.now)


def test_the_summary_says_how_long_nothing_was_done(view: dict[str, Any]) -> None:
    lines = timeline.draw(view, Paint(False), 80)
    assert next(line for line in lines if "in parallel" in line) == (
        "in parallel  8h04m  ┊ 8h00m in which nothing was done"
    )
    reviewer = next(line for line in reversed(lines) if "reviewer" in line)
    assert reviewer.count("█") >= 6, "a minute of six is seen beside eight hours"
    assert reviewer.count("┊") == 1
    assert all(visible(line) <= 80 for line in lines)
    first, *_ = [line for line in lines if line.strip().startswith("api")]
    assert first.count("┊") == 1, "one after another it would have stood still as well"


def test_the_live_view_has_the_same_break_and_true_times(view: dict[str, Any]) -> None:
    lines = top.draw(view, ink.Ink(False), 80, 20, view["now"], Looking())
    axis = next(line for line in lines if "│0s" in line)
    assert "┊… 8h00m …" in axis
    assert "8h04m│" in axis
    bare = [ink.bare(line) for line in lines]
    places = {line.index("┊") for line in bare if "┊" in line}
    assert len(places) == 1, "the break is at one place in all rows, and on the axis"


def test_a_view_of_an_older_daemon_is_drawn_as_it_was(view: dict[str, Any]) -> None:
    view = copy.deepcopy(view)
    for wave in view["waves"]:
        for one in wave["assignments"]:
            for run in one["runs"]:
                run.pop("stood")
    assert "┊" not in "\n".join(timeline.draw({**view, "responders": []}, Paint(False), 80))
