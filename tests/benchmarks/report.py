"""What a benchmark prints: a table for people, JSON for programs; and the options all of them share."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.probe import BenchmarkError


@dataclass
class Row:
    """One system's figure in one setting. `role`: ours, peer or floor."""

    setting: str
    system: str
    role: str
    value: float
    unit: str
    more: dict[str, Any] = field(default_factory=dict)
    """Other figures of the same measurement, name by figure."""
    limit: float | None = None
    """What ours must not exceed; None where nothing was promised."""


@dataclass
class Report:
    """The figures of one benchmark, and what was left out."""

    name: str
    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, *rows: Row) -> None:
        """Adds figures, and says them at once: a benchmark is watched while it runs."""
        for row in rows:
            self.rows.append(row)
            print(f"  {row.setting}  {row.system}: {row.value:.4g} {row.unit}", file=sys.stderr, flush=True)

    def skip(self, what: str, why: str) -> None:
        """Says what is missing from the comparison."""
        self.skipped.append(f"{what}: {why}")
        print(f"  skipped: {what}: {why}", file=sys.stderr, flush=True)

    def as_json(self) -> str:
        """The report as one JSON document."""
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
        rows = [asdict(row) | {"ratio": self._ratio(row)} for row in self.rows]
        return json.dumps({"benchmark": self.name, "machine": machine, "rows": rows, "skipped": self.skipped}, indent=1)

    def as_markdown(self) -> str:
        """The report as a Markdown table, aligned so that it reads as it is."""
        extra = list(dict.fromkeys(name for row in self.rows for name in row.more))
        header = ["setting", "system", "figure", "× floor", *extra, "limit"]
        body = [
            [
                row.setting,
                f"**{row.system}**" if row.role == "ours" else row.system,
                f"{row.value:.4g} {row.unit}",
                "" if (ratio := self._ratio(row)) is None else f"{ratio:.2f}",
                *(_shown(row.more.get(name)) for name in extra),
                "" if row.limit is None else f"{row.limit:g} {'ok' if row.value <= row.limit else 'MISSED'}",
            ]
            for row in self.rows
        ]
        widths = [max(len(line[index]) for line in [header, *body]) for index in range(len(header))]
        rule = ["-" * width for width in widths]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in [header, rule, *body]
        ]
        return "\n".join([*lines, *(f"\nskipped: {text}" for text in self.skipped)])

    def _ratio(self, row: Row) -> float | None:
        floors = [other.value for other in self.rows if other.role == "floor" and other.setting == row.setting]
        return row.value / floors[0] if floors and floors[0] and row.role != "floor" else None


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def run(name: str, measure: Callable[[Report, argparse.Namespace], None], parser: argparse.ArgumentParser) -> int:
    """Runs one benchmark's `measure` and prints its report; the exit status is 1 when it could not be measured."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--no-peers", action="store_true", help="measure waved and the floor only")
    options = parser.parse_args()
    report = Report(name)
    try:
        measure(report, options)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report.as_json() if options.json else report.as_markdown())
    return 0


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
