"""The report as one HTML page that needs nothing else (requirement C3).

Everything comes from the report's plain values through templates that escape; the page's own style and script are the
only ones its content security policy lets run, known by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from waved.report import diffs, timeline, words

_TEMPLATES = "templates"
_NOTHING = "base-uri 'none'; form-action 'none'"


def render(report: dict[str, Any]) -> str:
    """The page. `report`: `Report.as_dict`, or what was read from `report.json`."""
    report = words.cleaned(report)
    style, script = _own("style.css"), _own("page.js")
    environment = Environment(
        loader=PackageLoader("waved.report", _TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False,
    )  # fmt: skip
    environment.globals.update({
        name: getattr(words, name)
        for name in (
            "lasting", "size", "number", "about", "money", "share", "amount", "goal", "moment", "clock", "count",
            "lines", "sign", "tone", "word_of", "one_line",
        )
    })  # fmt: skip
    numbers = {agent["key"]: number for number, agent in enumerate(report["agents"])}
    diff = diffs.by_file(report["changes"]["diff"])
    return environment.get_template("page.html").render(
        report=report,
        number_of=numbers,
        agents={agent["key"]: agent for agent in report["agents"]},
        findings={found["finding"]: found for found in report["findings"]},
        reactions={each["reaction"]: each for each in report["reactions"]},
        comparison=timeline.comparison(report),
        timeline=timeline.Timeline(report).draw() if report["started"] is not None else None,
        diff=diff,
        diff_of={each["path"]: number for number, each in enumerate(diff)},
        shares=_shares(report["changes"]["files"]),
        style=Markup(style),  # noqa: S704 — our own files, not what agents wrote
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; {_NOTHING}",
    )


def _own(name: str) -> str:
    return (files("waved.report") / _TEMPLATES / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shares(changed: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """By path: how wide its added and removed lines are drawn, of 60 pixels; the largest file fills them."""
    most = max(((each["added"] or 0) + (each["removed"] or 0) for each in changed), default=0)
    if not most:
        return {}
    return {
        each["path"]: (
            round(60 * ((each["added"] or 0) / most) ** 0.5, 1) if each["added"] else 0.0,
            round(60 * ((each["removed"] or 0) / most) ** 0.5, 1) if each["removed"] else 0.0,
        )
        for each in changed
    }
