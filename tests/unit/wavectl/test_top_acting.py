"""What the live view asks before it acts, and what it says where acting makes no sense; attempts; responders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.domain.driving import Guarded, agent
from tests.unit.wavectl.top_views import drawn, known
from wavectl.top.board import Board
from wavectl.top.controls import press
from wavectl.top.looking import Looking, Wish
from wavectl.top.reading import due
from wavectl.top.transcript import Transcript
from wavectl.views.lines import Narrator
from wavectl.views.live import live_lines
from wavectl.views.status import status, with_counts
from wavectl.views.summary import summary
from wavectl.views.text import Paint
from waved.domain import events as ev
from waved.domain.view import view as view_of

PLAN = {
    "session": {"name": "shop"},
    "wave": [{"name": "build", "agent": [agent("api", owns=["a.ts"]), agent("ui", retries=1), agent("docs")]}],
    "monitor": [
        {"kind": "corruption", "patterns": ["const const"], "reactions": [{"do": "start-agent", "agent": "medic"}]}
    ],
    "responder": [agent("medic")],
}


class Hands:
    """A session on the screen, and keys for it."""

    def __init__(self) -> None:
        self.drive = Guarded(PLAN)
        for name in ("api", "ui", "docs"):
            self.drive.do(ev.RunStarted("s", f"s/{name}#1", pid=1, exec_time=self.drive.now))
        self.looking = Looking(80, 24, page="session", session="s")
        self.board: Board = known(self.view)
        self.look()

    @property
    def view(self) -> dict[str, Any]:
        return view_of(self.drive.session, self.drive.now)

    def look(self) -> str:
        self.board.look(self.view, self.drive.now)
        return drawn(self.board, self.looking)

    def fail_once(self) -> None:
        """`ui` fails, and begins again."""
        self.drive.fails("ui#1")
        self.drive.at(self.drive.now + 60)
        self.drive.do(ev.RunStarted("s", "s/ui#2", pid=3, exec_time=self.drive.now))
        self.look()

    def press(self, *keys: str) -> Wish | None:
        wish = None
        for key in keys:
            wish = press(key, self.board, self.looking, self.drive.now)
            if wish is not None and wish.kind == "read":
                self.looking.page = "output"
                self.looking.transcript = Transcript(wish.agent, wish.run, earlier=wish.earlier)
        return wish

    def asked(self, *keys: str) -> str:
        self.press(*keys)
        return drawn(self.board, self.looking)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_only_what_was_found_of_the_agent_is_approved(hands: Hands) -> None:
    for path, by in (("a.ts", "api"), ("b.ts", "ui"), ("c.ts", "ui")):
        hands.drive.finds(path, by=by)
    hands.look()
    hands.looking.agent = "docs"
    assert "no finding of docs is open" in hands.asked("a"), "those of others are not meant"
    hands.press("escape")
    hands.looking.agent = "ui"
    wish = hands.press("a", "y")
    assert wish is not None
    assert wish.action is not None
    asked = [wish.action.params, *wish.action.more]
    assert asked == [{"session": "s", "finding": "f3"}, {"session": "s", "finding": "f2"}]
    everything = hands.press("A", "y")
    assert everything is not None
    assert everything.action is not None
    assert everything.action.params == {"session": "s", "finding": ""}


def test_what_cannot_be_done_is_said_with_what_can(hands: Hands) -> None:
    hands.looking.agent = "api"
    assert "api is running: only what has failed" in hands.asked("r")
    hands.press("escape")
    hands.drive.fails("api#1")
    hands.look()
    refused = hands.asked("s")
    assert "api has ended" in refused
    assert "failed: exited with status 1" in refused
    wish = hands.press("r", "y")
    assert wish is not None
    assert wish.action is not None
    assert (wish.action.method, wish.action.params["agents"]) == ("session.retry", ["api"])


def test_a_responder_is_listed_where_it_answers_and_is_nobodys_to_stop(hands: Hands) -> None:
    hands.drive.finds("a.ts", by="api", line=12)
    hands.drive.do(ev.RunStarted("s", "s/medic@r1#1", pid=2, exec_time=hands.drive.now))
    page = hands.look()
    assert "▶ medic@r1 running   for f1 corruption in a.ts:12" in page
    hands.looking.agent = "medic@r1"
    for key in ("s", "r", "f", "b"):
        assert "medic@r1 is no agent of a wave" in hands.asked(key)
        hands.press("escape")
    assert "approve f1?" in hands.asked("a")
    hands.press("escape")
    frozen = hands.press("F", "y")
    assert frozen is not None
    assert frozen.action is not None
    assert "medic" not in str(frozen.action.params)
    assert "medic@r1" in hands.asked("2"), "the timeline has it, too"
    hands.press("1")
    assert hands.press("enter") == Wish("read", agent="medic@r1", run="s/medic@r1#1")


def test_responders_are_told_by_status_summary_and_line_by_line(hands: Hands) -> None:
    narrator = Narrator(Paint(False))
    hands.drive.finds("a.ts", by="api")
    starting = next(event for event in hands.drive.log if isinstance(event, ev.RunStarting) and event.reaction)
    narrator.tell(wire(starting))
    begun = ev.RunStarted("s", "s/medic@r1#1", pid=2, exec_time=100.0)
    hands.drive.do(begun)
    assert "medic@r1" in str(narrator.tell(wire(begun)))
    assert "for f1 corruption in a.ts" in "\n".join(status(hands.view, Paint(False)))
    lines = live_lines(with_counts(hands.view), Paint(False), hands.drive.now, 80, 24)
    assert any("medic@r1" in line and "running" in line for line in lines)
    ended = ev.RunEnded("s", "s/medic@r1#1", "exited", 0, end_time=103.0)
    hands.drive.do(ended)
    assert "succeeded after 3.00s" in str(narrator.tell(wire(ended)))
    shown = next(line for line in summary(hands.view, Paint(False), 100) if "medic@r1" in line)
    assert "succeeded" in shown


def wire(event: ev.Event) -> dict[str, Any]:
    """As a client gets it."""
    return {"seq": event.seq, "time": event.time, "session": "s", "kind": event.kind, "data": event.data()}


def test_the_output_of_each_attempt_can_be_read(hands: Hands) -> None:
    hands.looking.agent = "ui"
    hands.fail_once()
    assert hands.press("enter") == Wish("read", agent="ui", run="s/ui#2"), "the latest comes first"
    assert "attempt 2 of 2" in hands.look()
    assert "< > attempt" in hands.look()
    assert hands.press("<") == Wish("read", agent="ui", run="s/ui#1", earlier=True)
    page = hands.look()
    assert "ui  failed  attempt 1 of 2  exited with status 1" in page
    assert hands.press("<") is None
    assert "this is the first attempt" in hands.look()
    assert hands.press(">") == Wish("read", agent="ui", run="s/ui#2")


def test_who_follows_an_output_goes_on_with_the_next_attempt(hands: Hands) -> None:
    hands.looking.agent = "ui"
    hands.press("enter")
    hands.fail_once()
    assert due(hands.board, hands.looking, 1.0) is None, "not all of the first has been read"
    hands.looking.transcript.ended = True
    assert due(hands.board, hands.looking, 1.0) == Wish("read", agent="ui", run="s/ui#2")
    hands.looking.transcript = Transcript("ui", "s/ui#1", earlier=True)
    hands.looking.transcript.ended = True
    assert due(hands.board, hands.looking, 1.0) is None, "a person wants to read just this one"
    hands.looking.transcript = Transcript("ui", "")
    assert due(hands.board, hands.looking, 1.0) == Wish("read", agent="ui", run="s/ui#2"), "it has begun meanwhile"


def test_the_list_shows_what_all_attempts_have_used(hands: Hands) -> None:
    hands.drive.ends("ui#1", code=1, acted={"usage": {"input": 12_000, "cost": 0.04}})
    hands.drive.at(hands.drive.now + 60)
    hands.drive.do(ev.RunStarted("s", "s/ui#2", pid=3, exec_time=hands.drive.now))
    hands.drive.do(ev.RunActed("s", "s/ui#2", usage={"input": 5_000}))
    hands.looking.width = 120
    page = hands.look()
    row = next(line for line in page.splitlines() if " ui " in line)
    assert "17k" in row
    assert "≥$0.04" in row, "the second attempt has not told its cost"
    assert "17k tokens  at least $0.04" in page, "and so has the whole session"
