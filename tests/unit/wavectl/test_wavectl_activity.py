"""What an agent did, as `wavectl logs` and `status` tell it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavectl.activity import Teller, teller_for
from wavectl.views.acting import acting_note
from waved.domain.usage import dollars

RECORDINGS = Path(__file__).resolve().parents[2] / "fixtures" / "agents"
WORKSPACE = "/home/dev/repository"


def told(recording: str, cut: int = 10**9) -> list[str]:
    teller = teller_for(recording.partition("-")[0], WORKSPACE)
    assert isinstance(teller, Teller)
    data = (RECORDINGS / recording / "stdout").read_bytes()
    return [*teller.feed(data[:cut]), *teller.feed(data[cut:]), *teller.close()]


def test_text_tools_and_the_end_are_told_one_after_another() -> None:
    assert told("claude-edit") == [
        "I look first.",
        "→ Read README.md",
        "Editing.",
        "→ Edit README.md",
        "Checking.",
        "→ Bash git status --short && cat README.md",
        "Edited README.md.",
        "✓ done (7,492 tokens, $0.023)",
    ]


@pytest.mark.parametrize(
    ("recording", "line"),
    [
        ("claude-401", "✗ Invalid API key · Fix external API key"),
        ("claude-denied", "  ✗ Bash was not permitted: "),
        ("claude-429-reset", "! rate-limited until "),
        ("codex-429", "✗ "),
    ],
)
def test_what_went_wrong_is_told(recording: str, line: str) -> None:
    assert any(each.startswith(line) for each in told(recording)), told(recording)


@given(st.integers(0, 20_000))
def test_where_the_output_is_cut_makes_no_difference(cut: int) -> None:
    assert told("claude-edit", cut) == told("claude-edit")


def test_a_plain_command_tells_nothing_of_itself() -> None:
    assert teller_for("command", WORKSPACE) is None
    assert teller_for("of-a-plug-in-that-is-not-here", WORKSPACE) is None


def run(**more: object) -> dict[str, object]:
    return {
        "state": "running", "acting": "", "acting_since": 0.0, "tool": "", "detail": "", "reset_at": None, "usage": {},
        "attempt": 1,
        **more,
    }  # fmt: skip


def test_what_it_is_at_stands_beside_what_it_has_used() -> None:
    usage = {"input": 11_800, "output": 400, "cost": 0.043}
    assert acting_note([run(acting="tool", tool="Edit src/cart.ts", usage=usage)], 5.0) == (
        "Edit src/cart.ts · 12k tokens · $0.043"
    )
    assert acting_note([run(acting="thinking", acting_since=1.0)], 63.0) == "thinking for 1m02s"
    assert (
        acting_note([run(acting="waiting", detail="permission: Bash")], 1.0) == "waiting for 1.00s (permission: Bash)"
    )
    assert acting_note([run()], 1.0) == ""
    assert acting_note([], 1.0) == ""
    earlier = run(state="ended", usage={"input": 5_000, "cost": 0.02})
    assert acting_note([earlier, run(attempt=2, usage=usage)], 5.0) == "17k tokens · $0.063"


@pytest.mark.parametrize(
    ("cost", "shown"), [(0, "$0.00"), (1e-6, "$0.0001"), (0.0046, "$0.0046"), (0.0999, "$0.10"), (12.4, "$12.40")]
)
def test_a_little_money_is_not_shown_as_none(cost: float, shown: str) -> None:
    assert dollars(cost) == shown
