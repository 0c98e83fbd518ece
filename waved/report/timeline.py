"""The pictures of a report, as numbers: how it would have been one after another, and how it was (S1; the document).

Places on the time axis are percentages of the picture's width, so that one picture fits every screen; heights are
pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from waved.report import words

AXIS, WAVE, ROOMY, TIGHT = 26, 30, 24, 15
"""Heights: of the axis, of a wave's row, of an agent's where there is room, and where there are many."""
MANY = 60
"""Agents from which rows are tight."""
MOST_EDGES = 600
_STEPS = (1, 2, 5, 10, 15, 30)
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
    scale = max(sequential, last - first)
    if scale <= 0:
        return None
    # Who started at the same moment stands in the plan's order.
    order = {agent["key"]: number for number, agent in enumerate(report["agents"])}
    runs.sort(key=lambda each: (round((each[0] - first) / scale * 100), order[each[2]["key"]]))
    waves = {wave["name"]: number for number, wave in enumerate(report["waves"])}
    before_rows, after_rows = _rows([(start, end) for start, end, _, _ in runs])
    named = len(runs) <= MANY_RUNS and before_rows.height >= _NAMED
    before, after, at = [], [], 0.0
    for number, (start, end, agent, run) in enumerate(runs):
        common = {
            "width": percent(end - start, scale), "tone": _tone_of_run(run), "wave": waves[agent["wave"]] % 4,
            "time": words.lasting(end - start), "label": agent["key"] if named else "",
        }  # fmt: skip
        before.append({**common, **before_rows.at(number), "x": percent(at, scale), "end": (at + end - start) / scale})
        after.append({
            **common, **after_rows.at(number), "x": percent(start - first, scale), "end": (end - first) / scale
        })  # fmt: skip
        at += end - start
    elapsed = last - first
    saved = (sequential - elapsed) / sequential
    return {
        "heights": (before_rows.total, after_rows.total),
        "before": before,
        "after": after,
        "sequential": sequential,
        "elapsed": elapsed,
        "elapsed_at": percent(elapsed, scale),
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


def percent(part: float, whole: float) -> str:
    """A share as SVG has it."""
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".") + "%" if whole else "0%"


def _tone_of_run(run: dict[str, Any]) -> str:
    if run["undone"]:
        return "undone"
    if run["ended"] is None:
        return "busy"
    return "good" if run["good"] else ("stopped" if run["outcome"] == "stopped" else "bad")


class Timeline:
    """Rows of waves and agents over the time of the session."""

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report
        times = [report["submitted"], report["ended"] or report["made"]]
        times += [run["ended"] for agent in report["agents"] for run in agent["runs"] if run["ended"]]
        first = [wave["started"] for wave in report["waves"] if wave["started"] is not None]
        self.start = min(first, default=report["submitted"])
        self.end = max(times)
        self.length = max(self.end - self.start, 0.001)
        self.tight = len(report["agents"]) > MANY
        self.row = TIGHT if self.tight else ROOMY
        self._place: dict[str, float] = {}
        """By assignment: the middle of its row."""

    def at(self, time: float) -> str:
        """Where an instant is."""
        return percent(min(max(0.0, time - self.start), self.length), self.length)

    def draw(self) -> dict[str, Any]:
        """All there is to be drawn."""
        report = self._report
        agents = {agent["key"]: agent for agent in report["agents"]}
        rows: list[dict[str, Any]] = []
        bands: list[dict[str, Any]] = []
        y = float(AXIS)
        loose = [moment for moment in report["moments"] if not moment["agent"]]
        session_row = y + self.row / 2 if loose or report["preview"] else None
        if session_row is not None:
            rows.append({"kind": "session", "height": self.row})
            y += self.row
        for number, wave in enumerate(report["waves"]):
            top = y
            rows.append({"kind": "wave", "height": WAVE, "wave": wave, "word": words.word_of(wave)})
            middle = y + WAVE / 2
            y += WAVE
            for key in wave["agents"]:
                self._place[key] = y + self.row / 2
                agent = agents[key]
                rows.append({"kind": "agent", "height": self.row, "agent": agent, "word": words.word_of(agent)})
                y += self.row
            if wave["started"] is not None:
                bands.append(self._band(wave, number, top, y - top, middle))
        return {
            "rows": rows, "height": round(y + 6), "ticks": self._ticks(), "bands": bands, "tight": self.tight,
            "bars": [bar for agent in report["agents"] for bar in self._bars(agent)],
            "waits": [wait for agent in report["agents"] for wait in self._waits(agent)],
            "edges": self._edges(agents), "bad": any(map(_is_bad, report["agents"])),
            "marks": self._marks(session_row), "axis": AXIS,
        }  # fmt: skip

    def _band(self, wave: dict[str, Any], number: int, top: float, height: float, middle: float) -> dict[str, Any]:
        end = wave["ended"] if wave["ended"] is not None else self.end
        judged = wave["judged_from"]
        gate = None
        if judged is not None and wave["gate"] and wave["gate"]["checks"] and end > judged:
            gate = {"x": self.at(judged), "width": percent(end - judged, self.length)}
        word = words.word_of(wave)
        return {
            "x": self.at(wave["started"]), "width": percent(end - wave["started"], self.length), "y": top,
            "height": height, "wave": number % 4, "end": self.at(end), "middle": middle, "gate": gate, "word": word,
            "near": (end - self.start) / self.length > 0.9,
            "label": f"wave {wave['name']}: {word} after {words.lasting(end - wave['started'])}",
        }  # fmt: skip

    def _bars(self, agent: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for run in agent["runs"]:
            if run["started"] is None:
                continue
            end = run["ended"] if run["ended"] is not None else self.end
            start_share, end_share = (run["started"] - self.start) / self.length, (end - self.start) / self.length
            side = "after" if end_share < 0.86 else ("before" if start_share > 0.14 else "inside")
            found.append({
                "x": self.at(run["started"]), "width": percent(max(0.0, end - run["started"]), self.length),
                "end": self.at(end), "y": self._place[agent["key"]], "tone": _tone_of_run(run), "side": side,
                "key": agent["key"], "time": words.lasting(end - run["started"]), "tip": self._tip(agent, run, end),
                "last": run is agent["runs"][-1],
            })  # fmt: skip
        return found

    def _tip(self, agent: dict[str, Any], run: dict[str, Any], end: float) -> str:
        """What a bar says when it is looked at; its lines are parted by " · "."""
        word = "running" if run["ended"] is None else ("succeeded" if run["good"] else run["outcome"])
        parts = [f"{agent['key']}: {word}" + (", undone" if run["undone"] else "")]
        parts.append(f"{words.lasting(end - run['started'])}, from +{words.lasting(run['started'] - self.start)}")
        if run["attempt"] > 1 or len(agent["runs"]) > 1:
            parts.append(f"attempt {run['attempt']}")
        if agent["requires"]:
            needed = ", ".join(agent["requires"][:4]) + (" …" if len(agent["requires"]) > 4 else "")
            parts.append(f"needed {needed}")
        if run is agent["runs"][-1]:
            if agent["changed_total"]:
                parts.append(words.count(agent["changed_total"], "file") + " changed")
            if agent["tokens"]:
                parts.append(f"{words.about(agent['tokens'])} tokens" + _cost(agent["cost"]))
        if run["reason"] and not run["good"]:
            parts.append(words.one_line(run["reason"])[:140])
        return " · ".join(parts)

    def _waits(self, agent: dict[str, Any]) -> list[dict[str, Any]]:
        """From when it might have begun to when it did, and between its attempts."""
        found = []
        runs = [run for run in agent["runs"] if run["started"] is not None]
        for before, after in pairwise(runs):
            if before["ended"] is not None and after["started"] - before["ended"] > self.length * 0.004:
                found.append({
                    "x1": self.at(before["ended"]), "x2": self.at(after["started"]), "y": self._place[agent["key"]],
                })  # fmt: skip
        return found

    def _edges(self, agents: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """From the end of what an agent needed to its start."""
        found: list[dict[str, Any]] = []
        for agent in agents.values():
            if agent["started"] is None:
                continue
            for key in agent["requires"]:
                needed = agents.get(key)
                if needed is None or needed["wave"] != agent["wave"] or needed["ended"] is None:
                    continue
                if len(found) >= MOST_EDGES:
                    return found
                found.append({
                    "x1": self.at(needed["ended"]), "x2": self.at(agent["started"]), "y1": self._place[key],
                    "y2": self._place[agent["key"]],
                })  # fmt: skip
        return found

    def _marks(self, session_row: float | None) -> list[dict[str, Any]]:
        found = []
        for moment in self._report["moments"]:
            y = self._place.get(moment["agent"], session_row)
            if y is None:
                continue
            what = {"finding": f"{moment['severity']} finding, "}.get(moment["kind"], "")
            found.append({
                "x": self.at(moment["time"]), "y": y, "kind": moment["kind"], "severity": moment["severity"],
                "link": moment["link"],
                "tip": f"{what}{moment['text']} · +{words.lasting(moment['time'] - self.start)}",
            })  # fmt: skip
        return found

    def _ticks(self) -> list[dict[str, Any]]:
        step = _step(self.length / 5)
        return [
            {"x": percent(number * step, self.length), "text": words.short(number * step)}
            for number in range(int(self.length / step) + 1)
            if number * step <= self.length * 0.96
        ]


def _is_bad(agent: dict[str, Any]) -> bool:
    return any(run["started"] is not None and _tone_of_run(run) == "bad" for run in agent["runs"])


def _cost(dollars: float | None) -> str:
    return "" if dollars is None else f", {words.money(dollars)}"


def _step(least: float) -> float:
    """The round length of time that is not below `least`."""
    for unit in (0.001, 0.01, 0.1):
        for step in (1, 2, 5):
            if step * unit >= least:
                return step * unit
    for unit in (1, 60, 3600):
        for step in _STEPS:
            if step * unit >= least:
                return step * unit
    day = 86400
    return day * max(1, round(least / day))
