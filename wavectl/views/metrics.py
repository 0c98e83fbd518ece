"""Metrics as a table: value, goal, verdict, and what the value is made of."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint, columns, one_line
from waved.amounts import lasting
from waved.domain.usage import dollars

_SIGNS = {"met": ("✓", "green"), "missed": ("✗", "red"), "not measured": ("–", "dim"), "": ("·", "dim")}
_COMPARISONS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}


def metrics_lines(metrics: list[dict[str, Any]], paint: Paint) -> list[str]:
    """One line a metric."""
    rows = [[paint(title, "dim") for title in ("", "METRIC", "VALUE", "GOAL", "VERDICT", "")]]
    for metric in metrics:
        sign, colour = _SIGNS[metric["verdict"]]
        value = "not measured" if metric["value"] is None else amount(metric["value"], metric["unit"])
        rows.append([
            paint(sign, colour), metric["title"], value, goal(metric),
            paint(metric["verdict"] if metric["value"] is not None else "", colour), paint(metric["detail"], "dim"),
        ])  # fmt: skip
    return columns(rows, right=(2,))


def agent_lines(metrics: list[dict[str, Any]], paint: Paint) -> list[str]:
    """One line an agent, for each metric that is measured of agents."""
    lines: list[str] = []
    for metric in metrics:
        if found := metric.get("by_agent"):
            lines += ["", paint(metric["title"], "bold")]
            rows = [[one_line(agent), amount(value, metric["unit"])] for agent, value in found.items()]
            lines += columns(rows, right=(1,), indent=2)
    return lines or ["", "nothing is measured of agents"]


def goal(metric: dict[str, Any]) -> str:
    """The goal in words: "more than 80%"; "" where there is none."""
    wanted = metric["goal"]
    if wanted is None:
        return ""
    return f"{_COMPARISONS[wanted['comparison']]} {amount(wanted['target'], metric['unit'])}"


def amount(value: float, unit: str) -> str:
    """A value in its unit, for a person."""
    match unit:
        case "share":
            return f"{value * 100:.1f}%".replace(".0%", "%")
        case "seconds":
            return lasting(value)
        case "factor":
            return f"{value:.1f}×"
        case "dollars":
            return dollars(value)
        case "per minute":
            return f"{value:.1f}/min".replace(".0/", "/")
        case _:
            return f"{value:,.0f}"
