"""Which past sessions are meant by a list, and which of them retention lets go."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waved.domain import events as ev
from waved.domain.history import Kept, Retention, Wanted, is_named
from waved.journal.store import Journal

NAMES = st.sampled_from(["shop", "shop-ui", "docs", "a[b]", "*"])
PATTERNS = st.sampled_from(["", "shop", "shop*", "?ocs", "[!s]*", "a[b]", "*", "shop-1"])
FACES = st.fixed_dictionaries({
    "name": NAMES, "workspace": st.sampled_from(["/w", "/v"]), "outcome": st.sampled_from(["succeeded", "failed"]),
    "began": st.integers(0, 5).map(float),
})  # fmt: skip
WANTED = st.builds(
    Wanted, state=st.sampled_from(["", "ended", "running"]), outcome=st.sampled_from(["", "succeeded", "failed"]),
    name=PATTERNS, workspace=st.sampled_from(["", "/w"]), since=st.none() | st.integers(0, 5).map(float),
    until=st.none() | st.integers(0, 5).map(float),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(faces=st.lists(FACES, max_size=6), wanted=WANTED)
def test_the_journal_finds_what_the_summary_says(faces: list[dict[str, Any]], wanted: Wanted) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Journal(Path(folder) / "journal.sqlite")) as kept:
        for number, face in enumerate(faces, 1):
            session = f"{face['name']}-{number}"
            plan = {"session": {"name": face["name"]}}
            events: list[ev.Event] = [
                ev.SessionSubmitted(session, plan, face["workspace"], time=face["began"]),
                ev.SessionEnded(session, face["outcome"], time=9.0),
            ]
            for event in events:
                event.seq = kept.last_seq + 1
                kept.append([event])
        found = [past.session for past in kept.past(wanted)]
    summaries = [
        {**face, "session": f"{face['name']}-{number}", "state": "ended", "submitted": face["began"]}
        for number, face in enumerate(faces, 1)
    ]
    assert found == [one["session"] for one in reversed(summaries) if wanted.admits(one)]


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("shop", "shop", True),
        ("shop", "shop2", False),
        ("a[b]", "a[b]", True),
        ("a[b]", "ab", True),
        ("S*", "s", False),
    ],
)
def test_a_name_is_meant_by_itself_or_by_a_glob(pattern: str, name: str, meant: bool) -> None:
    assert is_named(pattern, name) is meant


KEPT = st.lists(
    st.builds(Kept, session=st.uuids().map(str), finished=st.integers(0, 100).map(float), bytes=st.integers(0, 50)),
    max_size=12,
)
RULES = st.builds(
    Retention, max_age=st.none() | st.integers(0, 100).map(float), max_sessions=st.none() | st.integers(0, 12),
    max_size=st.none() | st.integers(0, 200),
)  # fmt: skip


@given(kept=KEPT, rules=RULES)
def test_what_stays_keeps_every_rule_and_nothing_goes_without_one(kept: list[Kept], rules: Retention) -> None:
    now = 100.0
    going = rules.going(kept, now)
    gone = {each.session for each, _ in going}
    stays = [each for each in kept if each.session not in gone]
    assert rules.any or not going
    assert len(gone) == len(going)
    if rules.max_age is not None:
        assert all(now - each.finished <= rules.max_age for each in stays)
    if rules.max_sessions is not None:
        assert len(stays) <= rules.max_sessions
    if rules.max_size is not None:
        assert sum(each.bytes for each in stays) <= rules.max_size
    oldest_first = [(each.finished, each.session) for each, _ in going]
    assert oldest_first == sorted(oldest_first)
    if stays and going:
        newest_gone = max((each.finished, each.session) for each, _ in going)
        assert all((each.finished, each.session) >= newest_gone for each in stays), "never an older one is kept"
