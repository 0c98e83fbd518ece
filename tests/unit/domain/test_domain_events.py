"""Events: the journal's and the wire's format."""

from __future__ import annotations

import typing
from dataclasses import MISSING, fields
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.domain import events as ev

KINDS = sorted(kind for kind in ev.KINDS if kind)
_TEXT = st.text(max_size=20)
_VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    bool: st.booleans(),
    bool | None: st.none() | st.booleans(),
    int: st.integers(-(2**62), 2**62),
    int | None: st.none() | st.integers(-(2**62), 2**62),
    float: st.floats(allow_nan=False),
    float | None: st.none() | st.floats(allow_nan=False),
    list[str]: st.lists(_TEXT, max_size=3),
    list[list[str]]: st.lists(st.lists(_TEXT, max_size=3), max_size=3),
    dict[str, list[list[str]]]: st.dictionaries(_TEXT, st.lists(st.lists(_TEXT, max_size=3), max_size=3), max_size=3),
    dict[str, str]: st.dictionaries(_TEXT, _TEXT, max_size=3),
    dict[str, Any]: st.dictionaries(_TEXT, st.integers(0, 9) | st.lists(_TEXT, max_size=2), max_size=3),
    dict[str, int] | None: st.none() | st.dictionaries(_TEXT, st.integers(0, 9), max_size=3),
}


def _events_of(kind: str) -> st.SearchStrategy[ev.Event]:
    cls = ev.KINDS[kind]
    types = typing.get_type_hints(cls)
    names = [item.name for item in fields(cls)]
    return st.builds(cls, **{name: _VALUES[types[name]] for name in names})


@pytest.mark.parametrize("kind", KINDS)
def test_comes_back_from_the_journal_as_it_was(kind: str) -> None:
    @given(_events_of(kind))
    def check(event: ev.Event) -> None:
        packed = msgpack.packb(event.data(), use_bin_type=True)
        data = msgpack.unpackb(packed, raw=False, strict_map_key=False)
        back = ev.from_data(event.kind, event.session, event.seq, event.time, data)
        assert type(back) is ev.KINDS[kind]
        assert (back, back.seq) == (event, event.seq)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_fields_of_a_newer_version_are_dropped(kind: str) -> None:
    cls = ev.KINDS[kind]
    needed = {
        item.name: "x"
        for item in fields(cls)
        if item.default is MISSING and item.default_factory is MISSING and item.name != "session"
    }
    event = ev.from_data(kind, "s", 3, 4.0, {**needed, "of_a_newer_version": {"a": 1}})
    assert "of_a_newer_version" not in event.data()
    assert event.data().keys() >= needed.keys()


def test_an_unknown_kind_and_a_missing_field_are_errors() -> None:
    with pytest.raises(KeyError):
        ev.from_data("no.such-kind", "s", 1, 0.0, {})
    with pytest.raises(TypeError):
        ev.from_data("run.ended", "s", 1, 0.0, {"run": "s/a#1"})


def test_data_leaves_out_what_the_row_has_of_its_own() -> None:
    event = ev.RunStarting("s", "s/a#1", "w", seq=7, time=3.0)
    assert not {"session", "seq", "time", "kind"} & event.data().keys()


def test_intents_are_what_effects_act_upon() -> None:
    intents = {kind for kind in KINDS if ev.KINDS[kind].intent}
    assert intents == {
        "session.submitted", "gate.started", "check.started", "run.starting", "run.stopping", "run.freezing",
        "run.thawing", "snapshot.taking", "restore.starting", "alert.raised", "port.leasing", "session.pruned",
        "report.writing",
    }  # fmt: skip
