"""What the inspector finds in one file's content."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.monitors.content import Answer, Checks, examine, matches


def test_a_pattern_is_searched_for_in_each_line() -> None:
    answer = examine("a.txt", b"one\r\ntwo bad\r\nthree\r\nbad again", Checks(("bad", "^three$", "one.two")))
    assert [(each.check, each.line, each.text, each.count, each.whole) for each in answer.troubles] == [
        ("pattern bad", 2, "two bad", 2, True),
        ("pattern ^three$", 3, "three", 1, True),
    ]
    assert (answer.lines, answer.blank) == (4, False)


def test_a_last_line_without_its_end_may_be_in_writing() -> None:
    (trouble,) = examine("a.txt", b"const const", Checks(("const const",))).troubles
    assert not trouble.whole


def test_a_pattern_without_end_is_named_and_the_others_are_searched_for() -> None:
    data = b"a" * 50 + b"b\nreally bad\n"
    answer = examine("a.txt", data, Checks(("(a+)+$", "bad")), seconds=0.1)
    assert answer.slow == ("(a+)+$",)
    assert [each.check for each in answer.troubles] == ["pattern bad"]


def test_searching_a_whole_text() -> None:
    assert matches("^<h1>.*</h1>$", b"<html>\n<h1>It works</h1>\n") is True
    assert matches("nothing", b"\xff\xfe") is False
    assert matches("(a+)+$", b"a" * 60 + b"b", seconds=0.1) is None


@given(st.binary(max_size=300), st.sampled_from(["a.py", "a.json", "a.yaml", "a.toml", "a.ts", "a.go", "a.rs", "a.md"]))
def test_any_bytes_at_all_get_an_answer_that_survives_the_wire(data: bytes, path: str) -> None:
    import msgpack

    answer = examine(path, data, Checks(("x", "^$"), markers=True, parse=True))
    packed = msgpack.packb(answer.packed(), unicode_errors="replace")
    assert Answer.unpacked(msgpack.unpackb(packed)).digest == answer.digest
    assert answer.lines == len(data.split(b"\n")) - (1 if data.endswith(b"\n") or not data else 0)


@given(st.lists(st.text(alphabet="ab \t", max_size=8), max_size=12), st.sampled_from(["a", "^b", "a$", "ab|ba", "^$"]))
def test_counts_are_those_of_re(lines: list[str], pattern: str) -> None:
    data = "\n".join(lines).encode()
    wanted = sum(re.search(pattern, line) is not None for line in data.decode().split("\n"))
    troubles = examine("a.txt", data, Checks((pattern,))).troubles
    assert sum(each.count for each in troubles) == wanted


def test_checks_are_put_together() -> None:
    both = Checks(("a", "b"), markers=True) | Checks(("b", "c"), parse=True)
    assert both == Checks(("a", "b", "c"), markers=True, parse=True)


def test_signals_are_as_they_were() -> None:
    import signal

    before = signal.getsignal(signal.SIGPROF)
    examine("a", b"x", Checks(("x",)))
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == pytest.approx((0.0, 0.0))
