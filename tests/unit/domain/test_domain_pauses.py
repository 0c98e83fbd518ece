"""A time axis on which long pauses are drawn short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.domain.pauses import Axis, merged, without

HOUR = 3600.0
spans = st.lists(
    st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)).map(lambda pair: (min(pair), max(pair))), max_size=12
)


def test_what_overlaps_is_one() -> None:
    assert merged([(5, 9), (0, 2), (1, 3), (4, 4)]) == [(0, 3), (5, 9)]


def test_a_run_without_the_time_it_stood_still() -> None:
    assert without((0, 10), [(2, 4), (3, 6), (9, 20)]) == [(0, 2), (6, 9)]
    assert without((0, 10), []) == [(0, 10)]
    assert without((0, 10), [(0, 10)]) == []


def test_a_night_is_short_and_the_rest_as_long_as_it_was() -> None:
    axis = Axis([(0, 120), (8 * HOUR, 8 * HOUR + 180)], 0, 8 * HOUR + 180)
    assert [(pause.start, pause.end) for pause in axis.pauses] == [(120, 8 * HOUR)]
    assert axis.between(0, 120) == 120
    assert axis.between(8 * HOUR, 8 * HOUR + 180) == pytest.approx(180)
    assert axis.length == pytest.approx(300 * 1.06)
    assert axis.at(4 * HOUR) == pytest.approx(120 + axis.drawn / 2, abs=0.2)


@pytest.mark.parametrize(
    "busy",
    [[], [(0, 10), (69, 80)], [(0, 2000), (2400, 4000)]],
    ids=["nothing was done", "less than a minute", "little beside the work"],
)
def test_other_pauses_stay_as_they_are(busy: list[tuple[float, float]]) -> None:
    end = busy[-1][1] if busy else 1e5
    axis = Axis(busy, 0, end)
    assert axis.pauses == []
    assert axis.length == end
    assert axis.at(end / 3) == pytest.approx(end / 3)


def test_what_goes_on_waiting_is_short_as_well() -> None:
    axis = Axis([(0, 300)], 0, 9 * HOUR)
    assert [pause.end for pause in axis.pauses] == [9 * HOUR]


@given(spans, st.lists(st.integers(-10, 200_000), min_size=2, max_size=6))
def test_later_is_never_drawn_earlier(busy: list[tuple[float, float]], moments: list[float]) -> None:
    axis = Axis(busy, 0, 1e5)
    drawn = [axis.at(moment) for moment in sorted(moments)]
    assert drawn == sorted(drawn)
    assert all(-1e-6 <= at <= axis.length + 1e-6 for at in drawn)
    assert axis.length <= 1e5 + 1e-6
