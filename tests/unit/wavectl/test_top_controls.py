"""What keys do in the live view, without a terminal: moving, filtering, and questions that say what will happen."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.wavectl.top_views import daemon_with_session, drawn, known, view_of
from wavectl.top import actions
from wavectl.top.board import Board
from wavectl.top.controls import press
from wavectl.top.looking import Action, Looking, Wish
from wavectl.top.rows import ORDERS, fitting, ordered, rows_of


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with daemon_with_session(tmp_path_factory.mktemp("top")) as daemon:
        return view_of(daemon)


class Hands:
    """Presses keys."""

    def __init__(self, view: dict[str, Any]) -> None:
        self.board: Board = known(copy.deepcopy(view))
        self.looking = Looking(80, 24, page="session", session=view["session"])
        self.page = drawn(self.board, self.looking)

    def press(self, *keys: str) -> Wish | None:
        wish = None
        for key in keys:
            wish = press(key, self.board, self.looking, self.board.view["now"] if self.board.view else 0.0)
        self.page = drawn(self.board, self.looking)
        return wish


def test_the_first_choice_is_in_the_wave_under_way_and_keys_move_it(view: dict[str, Any]) -> None:
    hands = Hands(view)
    assert hands.looking.agent == "api"
    hands.press("down")
    assert hands.looking.agent == "ui"
    hands.press("home")
    assert hands.looking.agent == "/research"
    hands.press("end", "k")
    assert hands.looking.agent == "ui"


def test_a_closed_wave_is_opened(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("home", "enter")
    assert "reader" in hands.page
    hands.press("enter")
    assert "reader" not in hands.page


def test_failing_agents_are_jumped_to(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("home", "n")
    assert hands.looking.agent == "ui"


def test_what_is_typed_narrows_the_list_and_escape_shows_all(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("/", "u", "i")
    assert "show only: ui" in hands.page
    hands.press("enter")
    assert " ui " in hands.page
    assert " api " not in hands.page
    hands.press("escape")
    assert " api " in hands.page
    hands.press("/", "q", "escape")
    assert hands.looking.wanted == ""
    assert hands.press("q") == Wish("quit")


def test_orders_are_gone_through(view: dict[str, Any]) -> None:
    hands = Hands(view)
    seen = []
    for _ in ORDERS:
        seen.append(hands.looking.order)
        hands.press("o")
    assert seen == list(ORDERS)
    rows = rows_of(view, view["now"])
    assert ordered(rows, "state")[0].key == "ui"  # what failed comes first
    assert [row.key for row in ordered(rows, "name")] == ["api", "docs", "reader", "ui"]
    assert [row.key for row in fitting(rows, "API run")] == ["api"]


def test_stopping_an_agent_is_asked_first_and_only_yes_does_it(view: dict[str, Any]) -> None:
    hands = Hands(view)
    assert hands.press("s") is None
    assert "stop agent api?" in hands.page
    assert "whole process tree" in hands.page
    assert hands.press("x") is None  # neither yes nor no
    assert "stop agent api?" in hands.page
    assert hands.press("n") is None
    assert "stop agent api?" not in hands.page
    wish = hands.press("s", "y")
    assert wish is not None
    assert wish.kind == "do"
    assert wish.action is not None
    assert wish.action.method == "session.stop"
    assert wish.action.params == {"session": view["session"], "agent": "api", "reason": ""}


def test_what_makes_no_sense_is_said_and_not_asked(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("r")  # api runs
    assert "nothing to retry" in hands.page
    hands.press("enter", "c")
    assert "the session is not held" in hands.page
    assert hands.press("y") is None


def test_retry_names_who_is_run_again(view: dict[str, Any]) -> None:
    hands = Hands(view)
    wish = hands.press("n", "r", "y")
    assert wish is not None
    assert wish.action is not None
    assert wish.action.params["agents"] == ["ui"]
    wish = hands.press("R", "y")
    assert wish is not None
    assert wish.action is not None
    assert wish.action.params["agents"] == []  # all that failed


def test_a_rollback_is_asked_of_the_daemon_before_it_is_asked_of_the_person(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("b")
    assert "all that api changed" in hands.page
    wish = hands.press("w")
    assert wish is not None
    assert wish.kind == "dry"
    assert wish.action is not None
    assert wish.action.params == {"session": view["session"], "scope": "wave", "targets": ["build"], "snapshot": ""}
    plan = {"live": True, "to": "s2", "files": [f"src/{number}.ts" for number in range(14)], "total": 14}
    dialog = actions.rollback_question(wish.action, plan)
    said = "\n".join(dialog.lines)
    assert "14 files would go back to s2" in said
    assert "src/9.ts" in said
    assert "… and 4 more" in said
    assert "stand still" in said
    assert dialog.wish == Wish("do", action=wish.action)


def test_a_rollback_that_would_change_nothing_cannot_be_agreed_to(view: dict[str, Any]) -> None:
    dialog = actions.rollback_question(
        Action("session.rollback", {"scope": "session", "targets": []}, ""),
        {"live": True, "to": "s1", "files": [], "total": 0},
    )
    assert dialog.wish is None


def test_a_finding_is_approved_by_name(view: dict[str, Any]) -> None:
    hands = Hands(view)
    assert hands.board.view is not None
    hands.board.view["findings"] = [
        {"finding": "f7", "monitor": "corruption", "summary": "const const", "severity": "critical", "subject": "a.ts",
         "path": "a.ts", "line": 12, "assignment": "api", "run": "", "evidence": "const const x", "made": view["now"],
         "cleared": None, "reason": "", "by": "", "reactions": []}
    ]  # fmt: skip
    wish = hands.press("3", "a", "y")
    assert wish is not None
    assert wish.action is not None
    assert wish.action.params == {"session": view["session"], "finding": "f7"}
    assert hands.press("b", "f") == Wish(
        "dry",
        action=Action(
            "session.rollback",
            {"session": view["session"], "scope": "file", "targets": ["a.ts"], "snapshot": ""},
            "rolled back: a.ts",
        ),
    )


def test_what_agents_tell_is_folded_in_and_asks_for_no_new_view(view: dict[str, Any]) -> None:
    hands = Hands(view)
    run = next(one["runs"][-1]["run"] for wave in view["waves"] for one in wave["assignments"] if one["key"] == "api")
    usage = {"input": 12000, "output": 50, "cost": 0.5}
    told = {"run": run, "state": "tool", "since": 1.0, "tool": "Edit src/cart.ts", "usage": usage}
    event = {"seq": 99, "time": view["now"], "session": view["session"], "kind": "run.acted", "data": told}
    assert hands.board.absorb([event]) is False
    hands.press("down")
    assert "Edit src/cart.ts" in hands.page
    assert "12k" in hands.page
    assert "$0.50" in hands.page
    ended = {**event, "seq": 100, "kind": "wave.ended", "data": {"wave": "build", "outcome": "passed"}}
    assert hands.board.absorb([ended]) is True


def test_the_help_names_every_key_and_any_key_closes_it(view: dict[str, Any]) -> None:
    hands = Hands(view)
    hands.press("?")
    for words in ("stop the agent", "roll back", "filter", "quit"):
        assert words in hands.page
    hands.press("x")
    assert "any key closes this" not in hands.page
