"""Whatever a daemon answers (pages, repeats, replies of before a restart): each event is handed on once, in order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavectl.cursor import Cursor, long_poll

KINDS = st.sampled_from(["run.started", "session.held", "session.resumed", "session.ended", "session.retried"])


def event(seq: int, kind: str = "run.started", session: str = "s1") -> dict[str, Any]:
    return {"seq": seq, "time": float(seq), "session": session, "kind": kind, "data": {}}


@given(
    kinds=st.lists(KINDS, max_size=40),
    gaps=st.lists(st.integers(1, 3), min_size=40, max_size=40),
    reads=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10), st.integers(0, 5), st.booleans()), max_size=60),
)
def test_each_event_is_handed_on_once_and_in_order(
    kinds: list[str], gaps: list[int], reads: list[tuple[int, int, int, bool]]
) -> None:
    """`reads`: how much of the journal is there at the time, the page, how far an answer reaches back too far (a reply
    to an older question after a reconnect), and whether it comes in disorder."""
    journal, seq = [], 0
    for kind, gap in zip(kinds, gaps, strict=False):
        seq += gap
        journal.append(event(seq, kind))
    cursor, seen, present = Cursor("s"), [], 0
    for there, page, back, backwards in [*reads, (len(journal), 1000, 0, False)]:
        present = max(present, min(there, len(journal)))
        since = next((i for i, one in enumerate(journal) if one["seq"] > cursor.after), len(journal))
        answer = journal[max(0, since - back) : present][: page + back]
        more = since + page < present
        seen += cursor.take(answer[::-1] if backwards else answer, more=more)
    assert seen == journal
    assert cursor.after == seq
    marks = [one["kind"] for one in journal if one["kind"].startswith("session.")]
    assert cursor.ended == (bool(marks) and marks[-1] == "session.ended")
    assert cursor.held == (bool(marks) and marks[-1] == "session.held")


def test_the_stream_stays_with_the_session_it_began_with() -> None:
    cursor = Cursor("demo")
    cursor.take([event(1, session="s1-demo")])
    assert cursor.question(0)["session"] == "s1-demo"
    everything = Cursor("")
    everything.take([event(1, session="s1-demo")])
    assert everything.question(0)["session"] == ""
    assert not everything.is_over


def test_nobody_waits_while_there_is_more_to_read() -> None:
    cursor = Cursor("s")
    assert long_poll(cursor, 20, None) == 0
    cursor.take([event(1)], more=True)
    assert long_poll(cursor, 20, None) == 0
    cursor.take([event(2)])
    assert long_poll(cursor, 20, None) == 20
    assert long_poll(cursor, 20, until=0.0) == 0
