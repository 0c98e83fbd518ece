"""Where the instants of a session lie in its pictures: long pauses are drawn short, marked, and told in a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from waved.domain.pauses import Axis, Pause, Span, without
from waved.report import words

_EXPLAINS = ("limit", "stop", "preview-down")
"""Moments that say why nothing was done."""
_NEAR = 5.0
"""Seconds before a pause in which what explains it may have happened."""


def axis_of(report: dict[str, Any], start: float, end: float) -> Axis:
    """The axis from `start` to `end`."""
    return Axis(_busy(report), start, end)


def _busy(report: dict[str, Any]) -> Iterator[Span]:
    """When somebody worked: runs that did not stand still, and gates while the session was not held."""
    now = report["ended"] or report["made"]
    runs = [run for agent in report["agents"] for run in agent["runs"]]
    for run in (*runs, *report["responders"]):
        if run["started"] is not None:
            still = [(start, now if end is None else end) for start, end in run["stood"]]
            yield from without((run["started"], run["ended"] if run["ended"] is not None else now), still)
    for agent in report["agents"]:
        # Of very many attempts only the last are told: that there was nothing before them is not known.
        if agent["runs"] and agent["started"] is not None and agent["runs"][0]["started"] is not None:
            yield agent["started"], agent["runs"][0]["started"]
    held = [(start, end) for start, end, _ in _held(report, now)]
    for wave in report["waves"]:
        if wave["judged_from"] is not None and wave["gate"] and wave["gate"]["checks"]:
            yield from without((wave["judged_from"], wave["ended"] if wave["ended"] is not None else now), held)


def _held(report: dict[str, Any], now: float) -> Iterator[tuple[float, float, str]]:
    """From when to when the session was held, and what was said of it."""
    begun: dict[str, Any] | None = None
    for moment in report["moments"]:
        if moment["kind"] == "hold":
            begun = begun or moment
        elif moment["kind"] in ("resume", "retry", "stop") and begun is not None:
            yield begun["time"], moment["time"], begun["text"]
            begun = None
    if begun is not None:
        yield begun["time"], now, begun["text"]


def pauses_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the whole session, from the start of its first wave to its end."""
    began = [wave["started"] for wave in report["waves"] if wave["started"] is not None]
    return told(report, axis_of(report, min(began), report["ended"] or report["made"])) if began else []


def told(report: dict[str, Any], axis: Axis) -> list[dict[str, Any]]:
    """The pauses that are drawn short: from when to when, how long, and why as far as that is known."""
    return [
        {
            "start": pause.start, "end": pause.end, "seconds": pause.seconds, "why": _why(report, pause),
            "label": f"… {words.lasting(pause.seconds)} …",
        }
        for pause in axis.pauses
    ]  # fmt: skip


def _why(report: dict[str, Any], pause: Pause) -> str:
    for start, end, text in _held(report, pause.end):
        if start < pause.end and end > pause.start:
            return text
    found = (
        moment["text"] for moment in report["moments"]
        if moment["kind"] in _EXPLAINS and pause.start - _NEAR <= moment["time"] < pause.end
    )  # fmt: skip
    return next(found, "")


def percent(part: float, whole: float) -> str:
    """A share as SVG has it."""
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".") + "%" if whole else "0%"


def tone_of_run(run: dict[str, Any]) -> str:
    """How a run is drawn: good, bad, undone, stopped, busy."""
    if run["undone"]:
        return "undone"
    if run["ended"] is None:
        return "busy"
    return "good" if run["good"] else ("stopped" if run["outcome"] == "stopped" else "bad")
