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

from waved import amounts
from waved.report import comparison, diffs, timeline, words

LARGEST = 1_000_000
"""Bytes of a page."""
_TEMPLATES = "templates"
_NOTHING = "base-uri 'none'; form-action 'none'"


def render(report: dict[str, Any]) -> str:
    """The page. `report`: `Report.as_dict`, or what was read from `report.json`.

    Where much must be escaped, or everything is long, it would still be too large: then the least telling goes first.
    """
    report = words.cleaned(report)
    page = _page(report)
    for share in (0.5, 0.2, 0.05, 0.0):
        if len(page.encode()) <= LARGEST:
            break
        report = _shortened(report, share)
        page = _page(report)
    return page


def _shortened(report: dict[str, Any], share: float) -> dict[str, Any]:
    """The same with a share of the diff, and of the lists of files and findings no more than is read."""
    changes, left = report["changes"], dict(report["left_out"])
    diff = changes["diff"][: int(len(changes["diff"]) * share)]
    files, findings = changes["files"], report["findings"]
    if share < 0.5:
        files, findings = files[: max(50, int(400 * share))], findings[: max(30, int(200 * share))]
    left["files"] = left.get("files", 0) + len(changes["files"]) - len(files)
    left["findings"] = left.get("findings", 0) + len(report["findings"]) - len(findings)
    return {
        **report,
        "changes": {**changes, "diff": diff, "diff_cut": True, "files": files},
        "findings": findings,
        "left_out": {name: count for name, count in left.items() if count},
    }


def _page(report: dict[str, Any]) -> str:
    style, script = _own("style.css"), _own("page.js")
    environment = Environment(
        loader=PackageLoader("waved.report", _TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False,
    )  # fmt: skip
    environment.globals.update({
        name: getattr(words, name)
        for name in (
            "lasting", "number", "about", "money", "known_money", "share", "amount", "goal", "moment", "clock", "count",
            "lines", "sign", "tone", "word_of", "one_line",
        )
    })  # fmt: skip
    environment.globals["size"] = amounts.size
    numbers = {agent["key"]: number for number, agent in enumerate(report["agents"])}
    diff = diffs.by_file(report["changes"]["diff"])
    return environment.get_template("page.html").render(
        report=report,
        number_of=numbers,
        agents={agent["key"]: agent for agent in report["agents"]},
        findings={found["finding"]: found for found in report["findings"]},
        reactions={each["reaction"]: each for each in report["reactions"]},
        comparison=comparison.comparison(report),
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
