"""Tokens and money of all attempts, and what is said where a part of them is not known."""

from __future__ import annotations

from typing import Any

import pytest

from wavectl.views.used import amount, used_by, used_in

RunView = dict[str, Any]


def run(attempt: int = 1, tokens: int = 0, cost: float | None = None) -> RunView:
    usage: dict[str, Any] = {"input": tokens} if tokens else {}
    return {"attempt": attempt, "usage": usage if cost is None else {**usage, "cost": cost}}


@pytest.mark.parametrize(
    ("runs", "said", "short"),
    [
        ([], [], ""),
        ([run()], [], ""),
        ([run(1, 12_000, 0.04)], ["12k tokens", "$0.04"], "$0.04"),
        ([run(1, 12_000, 0.04), run(2, 5000, 0.02)], ["17k tokens", "$0.06"], "$0.06"),
        ([run(1, 12_000, 0.04), run(2)], ["12k tokens", "$0.04"], "$0.04"),
        ([run(1, 12_000, 0.04), run(2, 5000)], ["17k tokens", "at least $0.04"], "≥$0.04"),
        ([run(1, 12_000), run(2, 5000)], ["17k tokens", "cost unknown"], "?"),
        ([run(5, 12_000, 0.04)], ["at least 12k tokens", "at least $0.04"], "≥$0.04"),
    ],
    ids=["no run", "a command", "one", "two", "one untold yet", "one hides its cost", "both do", "not all are shown"],
)
def test_all_attempts_are_added_up(runs: list[RunView], said: list[str], short: str) -> None:
    used = used_by(runs)
    assert used.parts() == said
    assert used.money_short == short


def test_a_session_counts_what_reactions_have_started() -> None:
    agents = [{"runs": [run(1, 1000, 0.5), run(2, 1000, 0.25)]}, {"runs": [run(1, 500)]}]
    view = {"waves": [{"assignments": agents}], "responders": [{"runs": [run(1, 2000, 1.0)]}]}
    assert used_in(view).parts() == ["4k tokens", "at least $1.75"]
    del view["responders"]  # an older daemon's
    assert used_in(view).parts() == ["2k tokens", "at least $0.75"]


def test_amounts() -> None:
    assert [amount(999), amount(1000), amount(3_400_000)] == ["999", "1k", "3.4M"]
