"""Activities on their way from worker to daemon."""

from __future__ import annotations

from dataclasses import fields

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.agents.activity import KINDS, Activity, RateLimited, Result, ToolCalled, Used, clip, from_wire, to_wire

NUMBERS = {
    "int": st.integers(0, 2**53),
    "int | None": st.none() | st.integers(0, 255),
    "float | None": st.none() | st.floats(0, 1e12),
}
ACTIVITIES = st.one_of(
    *(
        st.builds(cls, **{field.name: NUMBERS[str(field.type)] for field in fields(cls) if str(field.type) in NUMBERS})
        for cls in KINDS.values()
    )
)


@given(ACTIVITIES)
def test_every_activity_survives_the_wire(activity: Activity) -> None:
    assert from_wire(msgpack.unpackb(msgpack.packb(to_wire(activity)))) == activity


def test_defaults_are_not_sent() -> None:
    assert to_wire(ToolCalled("Read", "t1", paths_read=("a",))) == {
        "kind": "tool-called",
        "tool": "Read",
        "id": "t1",
        "paths_read": ["a"],
    }
    assert to_wire(Used()) == {"kind": "used"}
    assert to_wire(Result(None)) == {"kind": "result", "ok": None}


@pytest.mark.parametrize("wire", [{}, {"kind": "of-a-later-version"}, {"kind": "tool-called", "tool": "Read"}])
def test_what_this_version_does_not_know_is_left_out(wire: dict[str, object]) -> None:
    assert from_wire(wire) is None


def test_a_field_of_a_later_version_is_left_out() -> None:
    assert from_wire({"kind": "rate-limited", "provider": "openai", "tier": 3}) == RateLimited("openai")


@pytest.mark.parametrize(
    ("value", "kept"),
    [("plain", "plain"), ("é" * 600, "é" * 499 + "…"), ("\ud800", "?"), (None, ""), (["x"], ""), (3, "")],
)
def test_text_of_a_program_is_made_safe_to_keep(value: object, kept: str) -> None:
    assert clip(value) == kept
    assert msgpack.unpackb(msgpack.packb(clip(value))) == kept
