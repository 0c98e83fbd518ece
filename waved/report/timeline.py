"""The pictures of a report, as numbers: how it would have been one after another, and how it was (S1; the document).

Places on the time axis are percentages of the picture's width, so that one picture fits every screen; heights are
pixels.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import Any

from waved.report import words
from waved.report.axis import axis_of, percent, told, tone_of_run

AXIS, WAVE, ROOMY, TIGHT = 26, 30, 24, 15
"""Heights: of the axis, of a wave's row, of an agent's where there is room, and where there are many."""
MANY = 60
"""Agents from which rows are tight."""
MOST_EDGES = 600
_TOOTH = 3
"""Pixels: how far a torn edge goes in and out."""
_APART = 0.07
"""Of the width: times on the axis lie at least so far from what is said of a pause."""
_STEPS = (1, 2, 5, 10, 15, 30)


class Timeline:
    """Rows of waves and agents over the time of the session."""

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report
        times = [report["submitted"], report["ended"] or report["made"]]
        times += [run["ended"] for agent in report["agents"] for run in agent["runs"] if run["ended"]]
        first = [wave["started"] for wave in report["waves"] if wave["started"] is not None]
        self.start = min(first, default=report["submitted"])
        self.end = max(times)
        self._axis = axis_of(report, self.start, self.end)
        self.length = max(self._axis.length, 0.001)
        self.tight = len(report["agents"]) > MANY
        self.row = TIGHT if self.tight else ROOMY
        self._place: dict[str, float] = {}
        """By assignment: the middle of its row."""

    def at(self, time: float) -> str:
        """Where an instant is."""
        return percent(self._axis.at(time), self.length)

    def _share(self, time: float) -> float:
        return self._axis.at(time) / self.length

    def _width(self, start: float, end: float) -> str:
        return percent(self._axis.between(start, end), self.length)

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
            for key, runs in self._responders(wave["name"]):
                self._place[key] = y + self.row / 2
                word = "running" if runs[-1]["ended"] is None else "succeeded" if runs[-1]["good"] else "failed"
                rows.append({"kind": "responder", "height": self.row, "key": key, "run": runs[-1], "word": word})
                y += self.row
            if wave["started"] is not None:
                bands.append(self._band(wave, number, top, y - top, middle))
        return {
            "rows": rows, "height": round(y + 6), "ticks": self._ticks(), "bands": bands, "tight": self.tight,
            "bars": [bar for agent in report["agents"] for bar in self._bars(agent)] + self._answers(),
            "waits": [wait for agent in report["agents"] for wait in self._waits(agent)],
            "edges": self._edges(agents), "bad": any(map(_is_bad, report["agents"])),
            "marks": self._marks(session_row), "axis": AXIS, "pauses": self._pauses(y + 6),
        }  # fmt: skip

    def _band(self, wave: dict[str, Any], number: int, top: float, height: float, middle: float) -> dict[str, Any]:
        end = wave["ended"] if wave["ended"] is not None else self.end
        judged = wave["judged_from"]
        gate = None
        if judged is not None and wave["gate"] and wave["gate"]["checks"] and end > judged:
            gate = {"x": self.at(judged), "width": self._width(judged, end)}
        word = words.word_of(wave)
        return {
            "x": self.at(wave["started"]), "width": self._width(wave["started"], end), "y": top,
            "height": height, "wave": number % 4, "end": self.at(end), "middle": middle, "gate": gate, "word": word,
            "near": self._share(end) > 0.9,
            "label": f"wave {wave['name']}: {word} after {words.lasting(end - wave['started'])}",
        }  # fmt: skip

    def _bars(self, agent: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for run in agent["runs"]:
            if run["started"] is None:
                continue
            end = run["ended"] if run["ended"] is not None else self.end
            start_share, end_share = self._share(run["started"]), self._share(end)
            side = self._side(start_share, end_share)
            found.append({
                "x": self.at(run["started"]), "width": self._width(run["started"], end),
                "end": self.at(end), "y": self._place[agent["key"]], "tone": tone_of_run(run), "side": side,
                "key": agent["key"], "time": words.lasting(end - run["started"]), "tip": self._tip(agent, run, end),
                "last": run is agent["runs"][-1], "link": agent.get("link", ""),
            })  # fmt: skip
        return found

    def _responders(self, wave: str) -> list[tuple[str, list[dict[str, Any]]]]:
        """What reactions have started in a wave: by name, the runs."""
        found: dict[str, list[dict[str, Any]]] = {}
        for run in self._report["responders"]:
            if run["wave"] == wave and run["started"] is not None:
                found.setdefault(f"{run['name']}@{run['reaction']}", []).append(run)
        return list(found.items())

    def _answers(self) -> list[dict[str, Any]]:
        """The bars of responders."""
        agents = [
            {"key": key, "runs": runs, "requires": [], "changed_total": 0, "tokens": None, "link": runs[-1]["reaction"]}
            for wave in self._report["waves"]
            for key, runs in self._responders(wave["name"])
        ]
        return [bar for agent in agents for bar in self._bars(agent)]

    def _side(self, start: float, end: float) -> str:
        """Where there is room for what is said of a bar: not beyond the edge, and not under a pause that follows."""
        follows = any(0 <= self._share(pause.start) - end < _APART for pause in self._axis.pauses)
        if end < 0.86 and not follows:
            return "after"
        return "before" if start > 0.14 else "inside"

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
                parts.append(f"{words.about(agent['tokens'])} tokens" + _cost(agent))
        if run["reason"] and not run["good"]:
            parts.append(words.one_line(run["reason"])[:140])
        return " · ".join(parts)

    def _waits(self, agent: dict[str, Any]) -> list[dict[str, Any]]:
        """From when it might have begun to when it did, and between its attempts."""
        found = []
        runs = [run for run in agent["runs"] if run["started"] is not None]
        for before, after in pairwise(runs):
            if (
                before["ended"] is not None
                and self._axis.between(before["ended"], after["started"]) > self.length * 0.004
            ):
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
        """Round times, as long as they lie apart from each other and from what is said of a pause."""
        step = _step(self.length / 5)
        taken = [self._share((pause.start + pause.end) / 2) for pause in self._axis.pauses]
        found: list[dict[str, Any]] = []
        for start, end in self._stretches():
            for number in range(ceil((start - self.start) / step - 1e-9), int((end - self.start) / step + 1e-9) + 1):
                share = self._share(self.start + number * step)
                if share > (0.9 if self._axis.pauses else 0.96) or any(abs(share - other) < _APART for other in taken):
                    continue
                if self._axis.pauses:
                    taken.append(share)
                found.append({"x": percent(share, 1.0), "text": words.short(round(number * step, 6))})
        return found

    def _stretches(self) -> list[tuple[float, float]]:
        """What lies between the pauses."""
        edges = [self.start, *(edge for pause in self._axis.pauses for edge in (pause.start, pause.end)), self.end]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def _pauses(self, height: float) -> list[dict[str, Any]]:
        """Where a pause is drawn short: a break through the picture, with two torn edges."""
        edge = " ".join(f"l{_TOOTH if number % 2 == 0 else -_TOOTH} 6" for number in range(int((height - AXIS) / 6)))
        return [
            {
                **each, "x": self.at(each["start"]), "x2": self.at(each["end"]),
                "middle": percent(self._share((each["start"] + each["end"]) / 2), 1.0),
                "width": self._width(each["start"], each["end"]), "edge": f"M0 {AXIS} {edge}",
                "tip": " · ".join(filter(None, [
                    f"nothing was done for {words.lasting(each['seconds'])}: drawn short",
                    f"from +{words.lasting(each['start'] - self.start)} to +{words.lasting(each['end'] - self.start)}",
                    each["why"],
                ])),
            }
            for each in told(self._report, self._axis)
        ]  # fmt: skip


def _is_bad(agent: dict[str, Any]) -> bool:
    return any(run["started"] is not None and tone_of_run(run) == "bad" for run in agent["runs"])


def _cost(agent: dict[str, Any]) -> str:
    return "" if agent["cost"] is None else f", {words.known_money(agent['cost'], agent['cost_unknown'])}"


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
