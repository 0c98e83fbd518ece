"""The S1 metrics: against the worked examples of docs/metrics.md, and against counting by brute force."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from driving import agent
from hypothesis import given
from hypothesis import strategies as st

from waved.domain import events as ev
from waved.domain.fold import begin, fold
from waved.domain.metrics import Metrics, covered, measure, peak, skew, spans
from waved.domain.state import Run, Session

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
NAMES = list(Metrics.__dataclass_fields__)


# --- the page -------------------------------------------------------------------------------------------------------


@dataclass
class Example:
    """A table of the page and the figures given for it."""

    rows: list[list[str]]
    figures: dict[str, str]


def examples() -> list[Example]:
    found: list[Example] = []
    for line in PAGE.read_text(encoding="utf-8").partition("# All metrics, with goals")[0].splitlines():
        figure = re.fullmatch(r"\* `(\w+)` = (\S+)", line)
        if line.startswith("| wave |"):
            found.append(Example([], {}))
        elif line.startswith("| ") and found:
            found[-1].rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif figure:
            found[-1].figures[figure[1]] = figure[2]
    return found


def session_of(rows: list[list[str]]) -> Session:
    """The session a table describes, by folding the events it implies."""
    waves: dict[str, dict[str, list[str]]] = {}
    for wave, name, needs, *_ in rows:
        waves.setdefault(wave, {})[name] = needs.split()
    tables = [
        {"name": wave, "agent": [agent(name, needs=needs) for name, needs in agents.items()]}
        for wave, agents in waves.items()
    ]
    session = begin(ev.SessionSubmitted("s", {"session": {"name": "x"}, "wave": tables}, "/w"))
    for wave in waves:
        fold(session, ev.WaveStarted("s", wave))
        attempts: dict[str, int] = {}
        for _, name, _, decided, execed, ended in [row for row in rows if row[0] == wave]:
            attempts[name] = attempts.get(name, 0) + 1
            run = f"s/{name}#{attempts[name]}"
            fold(session, ev.RunStarting("s", run, wave, assignment=name, attempt=attempts[name], time=float(decided)))
            if execed != "–":
                fold(session, ev.RunStarted("s", run, 7, float(execed)))
            if ended != "–":
                fold(session, ev.RunEnded("s", run, "exited", 0, end_time=float(ended)))
    return session


@pytest.mark.parametrize("number", range(len(examples())))
def test_worked_example(number: int) -> None:
    example = examples()[number]
    measured = measure(session_of(example.rows), now=11.0).as_dict()
    assert example.figures
    for name, shown in example.figures.items():
        if shown == "null":
            assert measured[name] is None, name
        else:
            assert measured[name] == pytest.approx(float(shown), abs=1e-9), name


def test_the_page_has_an_example_of_every_metric() -> None:
    given_for = {name for example in examples() for name in example.figures}
    assert given_for == set(NAMES)


# --- by brute force -------------------------------------------------------------------------------------------------

# Whole numbers of seconds: brute force can look at each of them, and at the middle between two.
_SPANS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda pair: (float(pair[0]), float(pair[0] + pair[1]))),
    max_size=8,
)


def _open_at(times: list[tuple[float, float]], moment: float) -> int:
    return sum(1 for start, end in times if start <= moment < end)


@given(_SPANS)
def test_peak_is_the_most_that_were_open_at_one_moment(times: list[tuple[float, float]]) -> None:
    assert peak(times) == max((_open_at(times, second + 0.5) for second in range(20)), default=0)


@given(_SPANS)
def test_covered_is_the_number_of_seconds_somebody_ran(times: list[tuple[float, float]]) -> None:
    assert covered(times) == sum(1 for second in range(20) if _open_at(times, second + 0.5))


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.floats(0, 9)), max_size=8))
def test_skew_is_the_largest_distance_among_those_decided_first(pairs: list[tuple[int, float | None]]) -> None:
    runs = [Run(str(i), 0, "agent", decided=float(decided), started=at) for i, (decided, at) in enumerate(pairs)]
    begun = [(run.decided, run.started) for run in runs if run.started is not None]
    together = [at for decided, at in begun if all(decided <= other for other, _ in begun)]
    distances = [abs(one - other) for i, one in enumerate(together) for other in together[i + 1 :]]
    assert skew(runs) == (max(distances) if distances else None)


@given(st.lists(st.tuples(st.none() | st.floats(0, 20), st.none() | st.floats(0, 20)), max_size=6))
def test_spans_are_never_negative(pairs: list[tuple[float | None, float | None]]) -> None:
    runs = [Run(str(i), 0, "agent", started=start, ended=end) for i, (start, end) in enumerate(pairs)]
    found = spans(runs, now=10.0)
    assert len(found) == sum(1 for start, _ in pairs if start is not None)
    assert all(start <= end for start, end in found)


_ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=8)


@given(_ROWS, _ROWS)
def test_whole_sessions(first: list[tuple[str, int, int]], second: list[tuple[str, int, int]]) -> None:
    rows = [
        [wave, wave + name, "", "0.0", f"{start}.0", f"{start + length}.0"]
        for wave, part in (("v", first), ("w", second))
        for name, start, length in part
    ]
    found = measure(session_of(rows), now=99.0)
    sequential = sum(length for _, _, length in first + second)
    wall = together = free = 0
    for part in (first, second):
        times = [(float(start), float(start + length)) for _, start, length in part]
        wall += sum(1 for second_ in range(20) if _open_at(times, second_ + 0.5))
        names = {name for name, _, _ in part}
        if len(names) > 1:
            free += len(names)
            together += max(_open_at(times, moment + 0.5) for moment in range(20))
    assert (found.sequential_seconds, found.wall_seconds) == (sequential, wall)
    assert found.speedup == pytest.approx(sequential / wall)
    assert found.parallel_rate == (pytest.approx(together / free) if free else None)


def test_nothing_measured_is_none_everywhere() -> None:
    session = begin(
        ev.SessionSubmitted("s", {"session": {"name": "x"}, "wave": [{"name": "w", "agent": [agent("a")]}]}, "/")
    )
    assert set(measure(session, 0.0).as_dict().values()) == {None}
