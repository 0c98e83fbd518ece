"""What is shown: widths, colours, safety of foreign text, the live part on a small screen."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import pytest
from fake_daemon import FakeDaemon
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from wavectl import Client
from wavectl.follow import LivePresenter, PlainPresenter, follow
from wavectl.views import checklists, metrics
from wavectl.views.acting import refusing
from wavectl.views.lines import Narrator
from wavectl.views.live import LiveView, live_lines
from wavectl.views.status import with_counts
from wavectl.views.summary import MOST_AGENTS, summary
from wavectl.views.text import Paint, columns, cut, moment, one_line, pad, printable, visible
from waved.amounts import lasting, size

PLAIN, COLOUR = Paint(False), Paint(True)


@given(st.text(max_size=60), st.integers(0, 50))
def test_cut_never_exceeds_the_width(text: str, width: int) -> None:
    text = one_line(text)
    for shown in (text, COLOUR(text, "red") + text):
        assert visible(cut(shown, width)) <= width
    assert cut(text, visible(text)) == text


@given(st.text(max_size=60))
def test_foreign_text_cannot_steer_the_terminal(text: str) -> None:
    shown = one_line("\x1b[31m" + text + "\x1b]0;title\x07")
    assert not any(unicodedata.category(character) == "Cc" for character in shown)
    coloured = printable("\x1b[31mred\x1b[2J\x1b[0m" + text, colours=True)
    assert coloured.startswith("\x1b[31mred\x1b[0m")


def test_columns_align_coloured_and_wide_text() -> None:
    lines = columns([["a", COLOUR("b", "red"), "1"], ["日本", "c", "22"]], right=(2,))
    assert lines == ["a     \x1b[31mb\x1b[0m   1", "日本  c  22"]
    assert pad("x", 3, right=True) == "  x"
    assert columns([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0004, "0.4ms"), (0.35, "350ms"), (0.9999, "1.00s"), (4.214, "4.21s"), (9.999, "10.0s"),
     (59.97, "1m00s"), (65, "1m05s"), (7500, "2h05m"), (90000, "1d01h"), (-2, "-2.00s")],
)  # fmt: skip
def test_lengths_of_time(seconds: float | None, text: str) -> None:
    assert lasting(seconds) == text


def test_moments_and_sizes() -> None:
    assert moment(None) == "–"
    assert len(moment(1_700_000_000, 1_700_000_001)) == 8
    assert moment(1_600_000_000, 1_700_000_001).startswith("2020-09-1")
    assert [size(None), size(12), size(3_500_000)] == ["–", "12 B", "3.3 MB"]


def test_colour_follows_the_terminal_and_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert Paint.on(Terminal()).enabled
    assert not Paint.on(io.StringIO()).enabled
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Paint.on(Terminal()).enabled


def test_a_provider_that_refuses_is_told_in_a_line_and_in_status() -> None:
    limit = {"provider": "anthropic", "until": 7300.0, "room": 1, "reason": "five_hour"}
    told = Narrator(PLAIN).tell(
        {"seq": 1, "time": 100.0, "kind": "provider.limited", "data": {**limit, "run": "s/a#1"}}
    )
    assert told is not None
    assert told.split(maxsplit=2)[2] == "anthropic                 takes no calls for 2h00m: five_hour"
    view = {"state": "running", "now": 100.0, "providers": [limit, {**limit, "until": 99.0}]}
    assert refusing(view) == ["anthropic takes no calls for 2h00m, then from 1 agent at once"]
    assert refusing({**view, "state": "ended"}) == []


def big(daemon: FakeDaemon, client: Client, count: int = 200) -> dict[str, Any]:
    daemon.hold = {f"agent-{number:03}" for number in range(count) if number % 4}
    daemon.exits = {"agent-100": 1}
    agents = [{"name": f"agent-{number:03}", "command": "true"} for number in range(count)]
    return client.status(client.deploy(agents, wait=False)["session"])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60)])
def test_the_live_part_never_exceeds_the_screen(width: int, height: int, daemon: FakeDaemon, client: Client) -> None:
    view = with_counts(big(daemon, client))
    lines = live_lines(view, COLOUR, view["now"], width, height)
    assert len(lines) <= height
    assert all(visible(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "running" in text
    assert "more (" in text
    assert "agent-000" not in text, "what succeeded is shown last"


def test_the_live_view_prints_what_is_over_once_and_for_good(daemon: FakeDaemon, client: Client) -> None:
    daemon.hold = {"b"}
    plan_view = client.deploy([{"name": "a", "command": "true"}, {"name": "b", "command": "true"}], wait=False)
    screen = io.StringIO()
    live = LiveView(COLOUR, Console(file=screen, force_terminal=True, width=80, height=24, highlight=False))
    live.open()
    try:
        live.show(client.status(plan_view["session"]))
        live.show(client.status(plan_view["session"]))
        daemon.finish("b")
        live.show(client.status(plan_view["session"]))
        live.show(client.status(plan_view["session"]))
    finally:
        live.close()
    shown = printable(screen.getvalue())
    assert shown.count("workspace seen") == 1
    assert shown.count("2 of 2 agents succeeded") == 1


def test_the_summary_names_failures_first_and_not_everyone(daemon: FakeDaemon, client: Client) -> None:
    view = big(daemon, client)
    for name in list(daemon.hold):
        daemon.finish(name)
    view = client.wait(view["session"])
    lines = summary(view, PLAIN, 80, {}, "/logs")
    text = "\n".join(lines)
    assert len(lines) < MOST_AGENTS + 2 * 30 + 30
    assert text.index("agent-100") < text.index("agent-000")
    assert f"and {200 - MOST_AGENTS} more" in text
    assert f"wavectl logs {view['session']} agent-100" in text
    assert "speed-up" in text
    assert all(visible(line) <= 80 for line in lines if "|" in line and "next" not in line)


def follow_with(answers: list[str], daemon: FakeDaemon, client: Client) -> int:
    """Follow a session whose first words are interrupted as often as there are answers."""
    daemon.hold = {"a"}
    session = client.deploy([{"name": "a", "command": "true"}], wait=False)["session"]

    class Interrupted(PlainPresenter):
        def show(self, events: list[dict[str, Any]], view: dict[str, Any] | None) -> None:
            super().show(events, view)
            if left:
                raise KeyboardInterrupt

    left = list(answers)

    def ask() -> str:
        answer = left.pop(0)
        if answer == "continue":
            daemon.finish("a")
        return answer

    return int(follow(client, session, Interrupted(), ask))


def test_ctrl_c_can_detach_stop_or_go_on(
    daemon: FakeDaemon, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow_with(["detach"], daemon, client) == 130
    assert "wavectl watch s1-deploy" in capsys.readouterr().err
    assert follow_with(["stop"], daemon, client) == 3
    assert follow_with(["continue", "continue"], daemon, client) == 0


def test_a_held_session_is_left_with_its_own_status(
    daemon: FakeDaemon, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    from waved.domain import events as ev

    daemon.hold = {"a"}
    session = client.deploy([{"name": "a", "command": "true"}], wait=False)["session"]
    run = client.status(session)["waves"][0]["assignments"][0]["runs"][0]["run"]
    daemon.record(ev.RunEnded(session, run, "lost", reason="no exit record"))
    assert follow(client, session, LivePresenter(), lambda: "detach") == 5
    assert f"wavectl resume {session}" in capsys.readouterr().out


def test_checklists_are_shown_in_full_and_in_short() -> None:
    items = [
        {"item": "a", "title": "Agents", "state": "ticked", "evidence": "2 of 2"},
        {"item": "b", "title": "Tests", "state": "unticked", "evidence": "1 of 2\x1b[2J"},
        {"item": "c", "title": "Tools", "state": "not-applicable", "evidence": "none"},
        {"item": "d", "title": "Report", "state": "open", "evidence": ""},
    ]
    wave = {"checklist": "wave", "wave": "w", "items": items}
    done = {"checklist": "completion", "wave": "", "items": items}
    plain = Paint(False)
    assert checklists.title(wave, plain) == "checklist of wave w  1 of 3 ticked, 1 open"
    full = checklists.in_full(wave, plain)
    assert [line.split()[0] for line in full[1:]] == ["✓", "✗", "·"]
    assert "\x1b" not in "".join(full)
    assert len(checklists.in_full(wave, plain, everything=True)) == 5
    assert [line.split()[:2] for line in checklists.in_short(wave, plain)[1:]] == [["✗", "Tests"]]
    shown = checklists.summary_lines({"checklists": [wave, done]}, plain)
    assert [line.split()[0] for line in shown] == ["checklist", "✗", "checklist", "✓", "✗", "·"]
    assert checklists.summary_lines({}, plain) == [], "an older daemon has none"


def test_metrics_of_each_agent_are_shown_where_they_are_measured() -> None:
    rate = {"title": "File modification rate", "unit": "per minute", "by_agent": {"a": 2.0, "b\x1b[2J": 0.5}}
    lines = metrics.agent_lines([{"title": "Cost", "unit": "dollars", "by_agent": {}}, rate], Paint(False))
    assert lines == ["", "File modification rate", "  a    2/min", "  b  0.5/min"]
    assert metrics.agent_lines([], Paint(False))[-1] == "nothing is measured of agents"
