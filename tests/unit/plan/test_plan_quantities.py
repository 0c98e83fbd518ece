"""Durations and sizes as a person writes and reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.plan.near import near
from waved.plan.quantities import LONGEST, format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h30m", 5400), ("1.5m", 90), ("250ms", 0.25), (" 1m 30s ", 90), (5, 5), (0.5, 0.5), ("1d", 86400)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "10 minuts", "m", "1.5.5s", "-5s", "5s!", True, None, [], "9" * 500 + "h"])
def test_no_durations(text):
    with pytest.raises(ValueError, match=r"duration|longer than a year"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"), (0.25, "250ms"), (0.9999999, "1s"), (4.2, "4.2s"), (9.97, "10s"), (59.7, "1m"), (90, "1m30s"),
        (3600, "1h"), (7500, "2h05m"), (-1, "-1s"),
    ],
)  # fmt: skip
def test_how_durations_are_shown(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0.001, LONGEST))
def test_what_is_shown_reads_back_to_about_the_same(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.06, abs=0.000501)  # to the ms


@pytest.mark.parametrize(("text", "size"), [("2KB", 2048), ("1.5mb", 1572864), (100, 100), ("7", 7), ("0", 0)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2 apples", "-1", True, 1.5, None, "9" * 400, 2**63])
def test_no_sizes(text):
    with pytest.raises(ValueError, match=r"size|larger than"):
        parse_size(text)


def test_near_matches():
    assert near("timout", ["name", "timeout"]) == 'did you mean "timeout"?'
    assert near("on-failure", ["on_failure"]) == 'did you mean "on_failure"?'
    assert near("xyz", ["name"]) == near("", []) == ""
