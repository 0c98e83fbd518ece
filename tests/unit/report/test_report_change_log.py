"""The change log: an entry of waved's own, and not a character of what others wrote is changed (C3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from waved.report.change_log import BEGIN, END, HEADING, Entry, Line, updated

ONE = Entry(
    "demo-aaaa", "demo", "2026-11-28", "succeeded", "3 of 3 agents succeeded.", (Line("a.py", "added", "+3 −0"),)
)
TWO = Entry("demo-bbbb", "demo", "2026-11-29", "failed")

PIECES = ["\n", "\r\n", "# ", "## ", "```\n", BEGIN, END, HEADING, "<!-- waved: session demo-aaaa -->\n", "`"]
texts = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(PIECES)), max_size=12).map("".join)
KINDS = ["added", "modified", "deleted", "mode"]
names = st.text(max_size=40)
entries = st.builds(
    Entry,
    session=st.sampled_from(["demo-aaaa", "demo-bbbb", "other-cccc"]),
    name=names, date=st.just("2026-11-28"), outcome=names, summary=names,
    files=st.lists(st.builds(Line, path=names, kind=st.sampled_from(KINDS), note=names), max_size=3).map(tuple),
)  # fmt: skip


def alike(one: str, other: str) -> int:
    """How many characters they begin with together."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def is_inserted(before: str, after: str) -> bool:
    """Whether `after` is `before` with something put in at one place."""
    start = alike(before, after)
    end = alike(before[::-1], after[::-1])
    return start + end >= len(before)


def test_a_new_change_log_has_a_title_and_the_entry() -> None:
    text = updated("", ONE)
    assert text.startswith("# Change log\n\n" + BEGIN)
    assert "- `a.py` (+3 −0)" in text
    assert "#### Added" in text


def test_the_newest_session_comes_first_and_others_stay() -> None:
    text = updated(updated("", ONE), TWO)
    assert text.index("demo-bbbb") < text.index("demo-aaaa")
    assert text.count(BEGIN) == text.count(END) == 1


def test_it_stands_before_the_first_release_of_a_change_log_that_is_kept() -> None:
    kept = "# Changelog\n\nAll notable changes.\n\n```\n## not a heading\n```\n\n## [1.0.0]\n\n- first\n"
    text = updated(kept, ONE)
    assert text.index("## not a heading") < text.index(BEGIN) < text.index("## [1.0.0]")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    assert before.rstrip() + "\n\n" + after.lstrip() == kept


def test_written_again_it_takes_the_place_of_its_own_entry() -> None:
    once = updated(updated("# Mine\n\n## [1.0]\n", ONE), TWO)
    again = updated(once, Entry("demo-aaaa", "demo", "2026-11-30", "succeeded"))
    assert again.count("<!-- waved: session demo-aaaa -->") == 1
    assert "2026-11-30" in again
    assert "`a.py`" not in again
    assert again.index("demo-bbbb") < again.index("demo-aaaa")


def test_an_entry_that_somebody_has_edited_is_theirs() -> None:
    edited = updated("", ONE).replace("- `a.py` (+3 −0)", "- `a.py` (+3 −0): the parser, at last")
    text = updated(edited, Entry("demo-aaaa", "demo", "2026-11-30", "failed"))
    assert "the parser, at last" in text
    assert text.count("<!-- waved: session demo-aaaa -->") == 2


def test_names_cannot_break_out_of_their_line_or_marker() -> None:
    path = "x`\n## Owned\n--> <!-- waved: end --> \x1b[31m\u202e"
    text = updated("", Entry("demo-aaaa", "a\n# b", "2026-11-28", "x", "*bold* <b>", (Line(path, "added", "y\nz"),)))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Change log", HEADING, "### a \\# b - 2026-11-28", "#### Added",
    ]  # fmt: skip
    assert text.count(END) == 1
    assert "\x1b" not in text
    assert updated(text, TWO).count(END) == 1


@settings(max_examples=300, deadline=None)
@given(texts, entries)
def test_nothing_that_others_wrote_is_changed(text: str, entry: Entry) -> None:
    after = updated(text, entry)
    assert is_inserted(text, after)
    assert "<!-- waved: session " + entry.session in after


@settings(max_examples=200, deadline=None)
@given(texts.filter(lambda text: "waved: session" not in text), entries, entries)
def test_written_twice_is_as_written_once(text: str, first: Entry, second: Entry) -> None:
    once = updated(text, first)
    assert updated(once, first) == once
    both = updated(once, second)
    if first.session != second.session:
        assert updated(both, first) == both
