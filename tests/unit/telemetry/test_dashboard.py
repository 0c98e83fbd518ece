"""The dashboard in docs/grafana asks for what there is."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from test_counts import every_figure, samples

from waved.telemetry.catalogue import FIGURES
from waved.telemetry.exposition import render

DOCS = Path(__file__).parents[3] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "waved.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_SELECTOR = re.compile(r"\b((?:waved|process)_\w+)(?:\{([^}]*)\})?")
_WORDS = frozenset({"instance", "le"})


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The labels of every series name that `/metrics` has."""
    found: dict[str, set[str]] = {}
    for name, labels, _ in samples(render(every_figure())[1].decode()):
        found.setdefault(name, set()).update(labels)
    return found


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_query_asks_for_series_and_labels_that_exist(panel: dict[str, Any], known: dict[str, set[str]]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        expression = target["expr"]
        selectors = _SELECTOR.findall(expression)
        assert selectors, expression
        labels: set[str] = set()
        for name, within in selectors:
            assert name in known, f"{name} in {expression}"
            labels |= known[name]
            asked = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", within))
            assert asked - _WORDS <= known[name], f"{asked} of {name}"
        grouped = {word for group in re.findall(r"by \(([^)]*)\)", expression) for word in re.findall(r"\w+", group)}
        assert grouped - _WORDS <= labels, expression
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped, "it names what is summed away"
        assert expression.count("(") == expression.count(")")


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_every_figure_is_on_the_dashboard_or_said_to_be_left_out() -> None:
    shown = json.dumps(DASHBOARD)
    left_out = {
        "waved_runs", "waved_waves_ended", "waved_assignments_ended", "waved_runs_started", "waved_run_cpu_seconds",
        "waved_output_bytes", "waved_snapshots", "waved_journal_events",
    }  # fmt: skip
    assert {name for name in FIGURES if not re.search(rf"\b{name}(_total|_bucket)?\b", shown)} == left_out


def test_the_manual_has_every_figure() -> None:
    manual = (DOCS / "operations.md").read_text()
    for name, figure in FIGURES.items():
        written = f"`{name}{'_total' if figure.kind == 'counter' else ''}`"
        [line] = [line for line in manual.splitlines() if line.startswith("| ") and written in line]
        for label in figure.labels:
            assert f"`{label}`" in line, f"{label} of {name}"
