"""The runs of agents one after another, beside how they ran: two pictures on one scale (S1)."""

from __future__ import annotations

from typing import Any

from waved.report import words
from waved.report.axis import axis_of, percent, tone_of_run

MANY_RUNS = 40
"""Runs up to which each has a row of its own in the comparison."""
_TALLEST, _LOWEST, _PANEL = 18.0, 7.0, 300.0
_ONE, _LANES = 26.0, 240.0
_NAMED = 12.0
"""Height of a row from which its bar is named."""


def comparison(report: dict[str, Any]) -> dict[str, Any] | None:
    """The runs of agents laid end to end, and as they ran, on one scale. None where fewer than two were started."""
    runs = [
        (run["started"], max(run["started"], run["ended"] or report["ended"] or report["made"]), agent, run)
        for agent in report["agents"]
        for run in agent["runs"]
        if run["started"] is not None
    ]
    if len(runs) < 2:
        return None
    runs.sort(key=lambda each: each[0])
    first, last = runs[0][0], max(end for _, end, _, _ in runs)
    sequential = sum(end - start for start, end, _, _ in runs)
    axis = axis_of(report, first, last)
    # Both pictures leave out the same pauses, and so still compare.
    scale = max(sum(axis.between(start, end) for start, end, _, _ in runs), axis.length)
    if scale <= 0:
        return None
    # Who started at the same moment stands in the plan's order.
    order = {agent["key"]: number for number, agent in enumerate(report["agents"])}
    runs.sort(key=lambda each: (round(axis.at(each[0]) / scale * 100), order[each[2]["key"]]))
    waves = {wave["name"]: number for number, wave in enumerate(report["waves"])}
    before_rows, after_rows = _rows([(start, end) for start, end, _, _ in runs])
    named = len(runs) <= MANY_RUNS and before_rows.height >= _NAMED
    before, after, at = [], [], 0.0
    for number, (start, end, agent, run) in enumerate(runs):
        common = {
            "width": percent(axis.between(start, end), scale), "tone": tone_of_run(run),
            "wave": waves[agent["wave"]] % 4, "time": words.lasting(end - start),
            "label": agent["key"] if named else "",
        }  # fmt: skip
        drawn = axis.between(start, end)
        breaks = [
            at + axis.between(start, each.start) for each in axis.pauses if start <= each.start and each.end <= end
        ]
        before.append({
            **common, **before_rows.at(number), "x": percent(at, scale), "end": (at + drawn) / scale,
            "breaks": [percent(x, scale) for x in breaks],
        })  # fmt: skip
        after.append({
            **common, **after_rows.at(number), "x": percent(axis.at(start), scale), "end": axis.at(end) / scale
        })  # fmt: skip
        at += drawn
    elapsed = last - first
    saved = (sequential - elapsed) / sequential
    return {
        "heights": (before_rows.total, after_rows.total),
        "before": before,
        "after": after,
        "sequential": sequential,
        "elapsed": elapsed,
        "pause_width": percent(axis.drawn, scale),
        "pauses": [
            {"x": percent(axis.at(pause.start), scale), "label": f"… {words.lasting(pause.seconds)} …"}
            for pause in axis.pauses
        ],
        "paused": sum(pause.seconds for pause in axis.pauses),
        "saved": saved if saved > 0.005 else None,
        "many": len(runs) > MANY_RUNS,
        "bad": any(row["tone"] in ("bad", "undone") for row in after),
    }


class _Rows:
    """Which row each run is in, and how high the rows are."""

    def __init__(self, places: list[int], height: float) -> None:
        self._places = places
        self.height = height
        self.total = round((max(places) + 1) * height, 1)

    def at(self, number: int) -> dict[str, float]:
        """Where a run is drawn."""
        gap = 2.5 if self.height > 8 else 0.5
        return {"y": round(self._places[number] * self.height, 2), "height": round(self.height - gap, 2)}


def _rows(spans: list[tuple[float, float]]) -> tuple[_Rows, _Rows]:
    """A row for each run while there is room for that; else those one after another share one, and those that ran
    together as few as hold them.
    """
    if len(spans) <= MANY_RUNS:
        each = _Rows(list(range(len(spans))), max(_LOWEST, min(_TALLEST, _PANEL / len(spans))))
        return each, each
    free: list[float] = []
    """When each row is free again."""
    places = []
    for start, end in spans:
        row = next((row for row, until in enumerate(free) if until <= start), len(free))
        if row == len(free):
            free.append(end)
        free[row] = end
        places.append(row)
    return _Rows([0] * len(spans), _ONE), _Rows(places, max(2.0, min(10.0, _LANES / len(free))))
