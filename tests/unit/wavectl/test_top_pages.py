"""What the live view shows: pages from what is known, at any size, with and without colour, whatever agents write."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.wavectl.top_views import daemon_with_session, drawn, known, view_of
from wavectl.outputs import STDERR, STDOUT, Line
from wavectl.top.ink import Ink, bare
from wavectl.top.looking import TABS, Looking
from wavectl.top.pages import draw
from wavectl.top.transcript import MOST_LINES, Transcript
from wavectl.views.text import visible

HOSTILE = "\x1b[31m[bold]red[/bold]\x1b]0;title\x07\x1b[2J\r\x9b1m\u202eback"


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with daemon_with_session(tmp_path_factory.mktemp("top")) as daemon:
        return view_of(daemon)


def test_agents_stand_under_their_waves_with_state_and_time(view: dict[str, Any]) -> None:
    board = known(view)
    page = drawn(board, Looking(80, 24, page="session"))

    assert "shop" in page
    assert "wave build (2 of 2)" in page
    assert "4 agents  ▶ 1  ✓ 1  ✗ 1  · 1" in page
    assert "4 agents: 1 running, 1 succeeded, 1 failed, 1 waiting" in drawn(board, Looking(120, 24, page="session"))
    lines = page.splitlines()
    api = next(line for line in lines if " api " in line)
    assert "running" in api
    assert "/10m" in api  # the wave's limit, as the agent has none
    assert any("✗ ui" in line and "exit code 3" in line for line in lines)
    assert any("docs" in line and "needs api" in line for line in lines)
    assert any("▸" in line and "research" in line and "1 of 1 succeeded" in line for line in lines)
    assert not any("reader" in line for line in lines)  # its wave is closed


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (139, 29), (200, 50), (300, 12)])
@pytest.mark.parametrize("page", ["sessions", "output", *TABS])
def test_every_page_fills_every_terminal_exactly(view: dict[str, Any], size: tuple[int, int], page: str) -> None:
    board = known(view, colour=True)
    board.sessions = [{**view, "waves": {"done": 1, "total": 2}}] * 30
    looking = Looking(*size, page=page if page in ("sessions", "output") else "session")  # type: ignore[arg-type]
    if page in TABS:
        looking.tab = page  # type: ignore[assignment]
    looking.transcript.take([Line(0.0, STDOUT, f"line {number} {'x' * 200}".encode()) for number in range(40)])
    lines = draw(board, looking, Ink(True), view["now"] + 3)

    assert len(lines) == size[1]
    assert {visible(line) for line in lines} == {size[0]}


def test_nothing_an_agent_writes_steers_the_terminal(view: dict[str, Any]) -> None:
    hostile = copy.deepcopy(view)
    hostile["reason"] = HOSTILE
    hostile["findings"] = [
        {"finding": "f1", "monitor": HOSTILE, "summary": HOSTILE, "severity": "critical", "subject": "",
         "path": HOSTILE, "line": 3, "assignment": "api", "run": "", "evidence": HOSTILE * 3,
         "made": view["now"], "cleared": None,
         "reason": "", "by": "", "reactions": []}
    ]  # fmt: skip
    for wave in hostile["waves"]:
        for one in wave["assignments"]:
            one["reason"] = HOSTILE
            for run in one["runs"]:
                run.update(acting="tool", tool=HOSTILE, detail=HOSTILE, last_words=HOSTILE)
    board = known(hostile)
    board.news.append("")
    for tab in TABS:
        looking = Looking(200, 50, page="session", tab=tab)
        for line in draw(board, looking, Ink(True), view["now"]):
            assert not any(ord(letter) < 32 or ord(letter) in (0x7F, 0x9B, 0x202E) for letter in bare(line)), repr(line)
    looking = Looking(80, 24, page="output")
    looking.transcript.take([Line(0.0, STDOUT, HOSTILE.encode()), Line(0.0, STDERR, b"\xff\xfe\x00")])
    page = "".join(bare(line) for line in draw(board, looking, Ink(True), view["now"]))
    assert page.isprintable()
    assert "[bold]red[/bold]" in page  # shown as it was written, never read as markup


def test_a_chosen_line_that_was_coloured_is_shown_without_remains_of_it(view: dict[str, Any]) -> None:
    found = {
        "finding": "f1", "monitor": "corruption", "summary": "s", "severity": "critical", "subject": "", "path": "a",
        "line": 3, "assignment": "api", "run": "", "evidence": "", "made": view["now"], "cleared": view["now"],
        "reason": "mended", "by": "", "reactions": [],
    }  # fmt: skip
    board = known({**view, "findings": [found]}, colour=True)
    page = drawn(board, Looking(80, 24, page="session", tab="findings"))
    assert ">  ✓ f1" in page.replace("> ✓", ">  ✓")
    assert "[2m" not in page


def test_without_colour_the_page_says_the_same_in_letters(view: dict[str, Any]) -> None:
    board = known(view, colour=True)
    with_colour = draw(board, Looking(80, 24, page="session"), Ink(True), view["now"])
    without = draw(known(view), Looking(80, 24, page="session"), Ink(False), view["now"])

    assert "\x1b[32m" in "".join(with_colour)
    assert not any(f"\x1b[3{number}" in "".join(without) for number in range(8))
    agents = [bare(line) for line in with_colour[4:-2]]
    assert agents == [bare(line) for line in without[4:-2]]


def test_a_terminal_without_utf8_gets_ascii(view: dict[str, Any]) -> None:
    lines = draw(known(view), Looking(80, 24, page="session", tab="timeline"), Ink(False, plain=True), view["now"])
    assert all(line.isascii() for line in lines)


def test_a_daemon_that_is_away_is_said_with_what_to_do(view: dict[str, Any]) -> None:
    board = known(view)
    board.absent(
        "no daemon answers on /run/x: nobody listens there any more", "start one with `wavectl daemon start`", 100.0
    )
    page = drawn(board, Looking(80, 24, page="session"), clock=107.0)
    assert "the daemon is away (7.00s)" in page
    assert "wavectl daemon start" in page


def test_the_timeline_tells_both_times_and_draws_a_bar_for_each(view: dict[str, Any]) -> None:
    page = drawn(known(view), Looking(80, 24, page="session", tab="timeline"))
    assert "one after another" in page
    assert "in parallel" in page
    bars = [line for line in page.splitlines() if any(mark in line for mark in "━╍") and "│" not in line]
    assert {"reader", "api", "ui"} <= {word for line in bars for word in line.split()}


def test_an_output_is_followed_until_one_looks_back() -> None:
    transcript = Transcript("api", "s/api#1")
    transcript.take([Line(0.0, STDOUT, f"line {number}".encode()) for number in range(100)])
    shown, first, count = transcript.rows(40, 10)
    assert [text for _, text in shown][-1] == "line 99"
    assert (first, count) == (90, 100)

    transcript.move(-5, 10)
    transcript.take([Line(0.0, STDOUT, b"line 100")])
    assert transcript.rows(40, 10)[0][0][1] == "line 85"  # it stands still
    transcript.move(1000, 10)
    assert transcript.rows(40, 10)[0][-1][1] == "line 100"  # and follows again


def test_an_output_without_end_is_kept_in_bounds_and_stands_still_while_looked_at() -> None:
    transcript = Transcript("api", "s/api#1")
    transcript.rows(40, 10)
    for start in range(0, 3 * MOST_LINES, 100):
        transcript.take([Line(0.0, STDOUT, f"line {start + number}".encode()) for number in range(100)])
    count = transcript.rows(40, 10)[2]
    assert MOST_LINES <= count <= MOST_LINES + 600
    transcript.move(-1000, 10)
    seen = transcript.rows(40, 10)[0][0]
    for _ in range(6):
        transcript.take([Line(0.0, STDOUT, b"more")] * 100)
    assert transcript.rows(40, 10)[0][0] == seen


def test_an_output_can_be_searched_in_both_directions() -> None:
    transcript = Transcript("api", "s/api#1")
    transcript.take(
        [Line(0.0, STDOUT, f"line {number} {'found' if number % 30 == 0 else ''}".encode()) for number in range(100)]
    )
    transcript.rows(40, 10)
    assert transcript.search("FOUND", 10)
    assert transcript.found == 90
    assert transcript.search("found", 10)
    assert transcript.found == 60
    assert transcript.search("found", 10, back=False)
    assert transcript.found == 90
    assert not transcript.search("nowhere", 10)


def test_the_first_page_needs_no_textual() -> None:
    """It is the one thing that takes long to load; only the program itself does."""
    asked = (
        "import sys, wavectl.commands.top, wavectl.top.start, wavectl.top.terminal, wavectl.top.controls, "
        "wavectl.top.pages; print(sorted({name.partition('.')[0] for name in sys.modules} & {'textual', 'rich'}))"
    )
    assert subprocess.check_output([sys.executable, "-c", asked], text=True).strip() == "[]"
