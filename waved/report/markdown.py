"""The report as Markdown: for reading in a terminal, an editor, or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from waved.amounts import size
from waved.report import words
from waved.report.axis import pauses_of
from waved.report.markup import bare, code, fenced, quoted, table, text
from waved.report.words import lasting, number, word_of

MARK = "<!-- waved report"
_MOST_FILES = 60
_MOST_AGENTS = 60
"""Agents that are told in full; those that did not succeed come first."""


def render(report: dict[str, Any]) -> str:
    """The whole page. `report`: `Report.as_dict`, or what was read from `report.json`."""
    r = words.cleaned(report)
    parts: list[Iterable[str]] = [
        [f"{MARK} of {bare(r['session'])} by waved {bare(r['waved'])} -->"],
        _head(r), _metrics(r), _waves(r), _findings(r), _agents(r), _changes(r), _checklists(r), _snapshots(r),
    ]  # fmt: skip
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _head(r: dict[str, Any]) -> Iterator[str]:
    totals, word = r["totals"], word_of(r)
    yield f"# {text(r['name'])}: {words.sign(word)} {word}"
    yield ""
    agents = totals["agents"]
    said = f"{words.count(len(r['waves']), 'wave')}, {words.count(agents['total'], 'agent')}"
    said += f" in {words.count(totals['runs'], 'run')}, {lasting(r['seconds'])}."
    if r["parallel"]["sequential_seconds"] is not None and r["parallel"]["wall_seconds"]:
        said += f" One after another: {lasting(r['parallel']['sequential_seconds'])}"
        said += f"; as it ran: {lasting(r['parallel']['wall_seconds'])}"
        said += f" ({r['parallel']['speedup']:.1f}×)." if r["parallel"]["speedup"] is not None else "."
    yield said
    yield ""
    if r["live"]:
        yield f"The session goes on: this is how it stood at {words.moment(r['made'])}."
        yield ""
    for pause in pauses_of(r):
        why = f": {text(pause['why'])}" if pause["why"] else ""
        yield f"Nothing was done for {lasting(pause['seconds'])}{why}."
        yield ""
    if r["reason"]:
        yield from quoted(r["reason"])
    by = f" by {text(r['submitted_by'])}" if r["submitted_by"] else ""
    yield from table(
        ["", ""],
        [
            ["Session", code(r["session"])],
            ["Workspace", code(r["workspace"])],
            ["Submitted", words.moment(r["submitted"]) + by],
            ["Agents", f"{agents['succeeded']} succeeded, {agents['failed']} failed, {agents['skipped']} skipped"],
            ["Files changed", f"{number(totals['files'])}" + _lines(totals["added"], totals["removed"])],
            ["Findings", f"{number(totals['findings'])}, {number(totals['open_findings'])} open"],
            ["Rollbacks", number(totals["rollbacks"])],
            ["Tokens", "not told" if totals["tokens"] is None else number(totals["tokens"])],
            ["Cost", words.known_money(totals["cost"], totals["cost_unknown"])],
        ],
    )  # fmt: skip


def _lines(added: int | None, removed: int | None) -> str:
    return f" ({words.lines(added, removed)})" if added is not None else ""


def _metrics(r: dict[str, Any]) -> Iterator[str]:
    yield "## Metrics"
    yield ""
    yield from table(
        ["Metric", "Value", "Goal", "Verdict", ""],
        [
            [
                text(each["title"]), words.amount(each["value"], each["unit"]), words.goal(each),
                each["verdict"] if each["value"] is not None else "", text(each["detail"]),
            ]
            for each in r["metrics"]
        ],
    )  # fmt: skip


def _waves(r: dict[str, Any]) -> Iterator[str]:
    yield "## Waves and gates"
    yield ""
    for wave in r["waves"]:
        word = word_of(wave)
        took = f", {lasting(wave['ended'] - wave['started'])}" if wave["started"] and wave["ended"] else ""
        skew = f", start skew {lasting(wave['skew'])}" if wave["skew"] is not None else ""
        yield f"### {words.sign(word)} {text(wave['name'])}: {word}"
        yield ""
        yield f"{words.count(len(wave['agents']), 'agent')}{took}{skew}."
        yield ""
        if wave["reason"]:
            yield from quoted(wave["reason"])
        yield from _gate(wave["gate"])


def _gate(gate: dict[str, Any] | None) -> Iterator[str]:
    if gate is None or not gate["checks"]:
        return
    for check in gate["checks"]:
        sign = "·" if check["ok"] is None else "✓" if check["ok"] else "✗"
        tests = check["tests"]
        counted = f" ({tests['passed']} of {tests['total'] - tests.get('skipped', 0)} tests passed)" if tests else ""
        detail = words.one_line(check["detail"])[:300]
        yield f"- {sign} {text(check['name'])}{counted}" + (f": {text(detail)}" if detail else "")
    yield ""


def _findings(r: dict[str, Any]) -> Iterator[str]:
    if not r["findings"] and not r["reactions"]:
        return
    reactions = {each["reaction"]: each for each in r["reactions"]}
    yield "## Findings, and what was done"
    yield ""
    for found in r["findings"]:
        state = "open" if found["cleared"] is None else f"cleared after {lasting(found['cleared'] - found['made'])}"
        yield f"### {text(found['summary'])}"
        yield ""
        place = f", {code(found['path'])}" if found["path"] else ""
        who = f", {text(found['agent'])}" if found["agent"] else ""
        yield f"{text(found['severity'])}, monitor {text(found['monitor'])}{place}{who}; {state}."
        yield ""
        if found["evidence"]["text"]:
            yield from fenced(found["evidence"]["text"])
        for name in found["reactions"]:
            if name in reactions:
                yield from _reaction(r, reactions[name])
        if found["reactions"]:
            yield ""
    known = {found["finding"] for found in r["findings"]}
    loose = [each for each in r["reactions"] if each["finding"] not in known]
    if loose:
        yield "### Done without a finding"
        yield ""
        for each in loose:
            yield from _reaction(r, each)
        yield ""
    if r["left_out"].get("findings"):
        yield f"… and {number(r['left_out']['findings'])} more findings."
        yield ""


def _reaction(r: dict[str, Any], each: dict[str, Any]) -> Iterator[str]:
    done = "needless" if each["needless"] else "under way" if each["ok"] is None else "done" if each["ok"] else "failed"
    files = f", {words.count(each['total'], 'file')} went back" if each["total"] else ""
    kept = f"; what was there: snapshot {code(each['present'])}" if each["present"] else ""
    detail = f": {text(words.one_line(each['detail']))}" if each["detail"] else ""
    yield f"- {', '.join(map(text, each['actions']))}: {done}{files}{kept}{detail}"
    for run in r["responders"]:
        if run["reaction"] == each["reaction"]:
            word = "running" if run["ended"] is None else "succeeded" if run["good"] else run["outcome"]
            took = f", {lasting((run['ended'] or r['made']) - run['started'])}" if run["started"] is not None else ""
            attempt = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
            yield f"  - {text(run['name'])}{attempt}: {word}{took}"


def _agents(r: dict[str, Any]) -> Iterator[str]:
    yield "## Agents"
    yield ""
    yield from table(
        ["", "Agent", "Wave", "Program", "Attempts", "Time", "Files", "Tokens", "Cost"],
        [
            [
                words.sign(word_of(each)), text(each["key"]), text(each["wave"]), text(each["program"]),
                str(each["runs"][-1]["attempt"] if each["runs"] else 0), lasting(each["seconds"]),
                number(each["changed_total"]), number(each["tokens"]), _cost(each),
            ]
            for each in r["agents"]
        ],
    )  # fmt: skip
    ranked = sorted(r["agents"], key=lambda each: each["outcome"] == "succeeded")
    chosen = ranked[:_MOST_AGENTS] if len(ranked) > _MOST_AGENTS else r["agents"]
    for each in chosen:
        yield from _agent(each)
    if len(ranked) > len(chosen):
        yield f"… and {number(len(ranked) - len(chosen))} more agents, all in the HTML and JSON reports."
        yield ""


def _agent(each: dict[str, Any]) -> Iterator[str]:
    word = word_of(each)
    yield f"### {words.sign(word)} {text(each['key'])}: {word}"
    yield ""
    if each["reason"]:
        yield from quoted(each["reason"])
    if each["asked"]["text"]:
        yield "Asked:"
        yield ""
        yield from fenced(each["asked"]["text"][:2_000])
    if each["said"]["text"]:
        yield "Said:"
        yield ""
        yield from fenced(each["said"]["text"][:2_000])
    if each["tools"]:
        yield "Tools: " + ", ".join(f"{text(tool)} ×{calls}" for tool, calls in each["tools"].items()) + "."
        yield ""
    files = each["changed"] or each["wrote"]
    if files:
        more = f" and {number(each['changed_total'] - len(files[:12]))} more" if each["changed_total"] > 12 else ""
        yield "Changed: " + ", ".join(map(code, files[:12])) + more + "."
        yield ""
    used = f"processor {lasting(each['cpu_seconds'])}, memory {size(each['memory'])}"
    if each["tokens"] is not None:
        used = f"{number(each['tokens'])} tokens, {words.money(each['cost'])}, {used}"
    yield f"Cost: {used}."
    yield ""


def _changes(r: dict[str, Any]) -> Iterator[str]:
    changes = r["changes"]
    yield "## Changes"
    yield ""
    if not changes["known"]:
        yield "What differs in the workspace is not known" + (f": {text(changes['why'])}." if changes["why"] else ".")
        yield ""
        return
    if not changes["files"]:
        yield "Nothing in the workspace differs from what it was before."
        yield ""
        return
    yield from table(
        ["File", "Change", "Lines", "By", "Verified"],
        [
            [
                code(each["path"]), text(each["kind"]), words.lines(each["added"], each["removed"]),
                text(", ".join(each["agents"][:3])), {None: "", True: "yes", False: "no"}[each["verified"]],
            ]
            for each in changes["files"][:_MOST_FILES]
        ],
    )  # fmt: skip
    left = changes["total"] - len(changes["files"][:_MOST_FILES])
    if left > 0:
        yield f"… and {number(left)} more. `wavectl diff {bare(r['session'])}` shows the lines."
        yield ""


def _checklists(r: dict[str, Any]) -> Iterator[str]:
    yield "## Checklists"
    yield ""
    for each in r["checklists"]:
        yield f"### {text(each['title'])}"
        yield ""
        for item in each["items"]:
            box = {"ticked": "[x]", "not-applicable": "–"}.get(item["state"], "[ ]")
            waived = " (waived)" if item["waived"] and item["state"] == "unticked" else ""
            evidence = words.one_line(item["evidence"])
            yield f"- {box} {text(item['title'])}{waived}" + (f": {text(evidence)}" if evidence else "")
        yield ""


def _snapshots(r: dict[str, Any]) -> Iterator[str]:
    if not r["snapshots"]:
        return
    yield "## Snapshots"
    yield ""
    yield from table(
        ["Name", "Why", "Files", "Changed", "Commit"],
        [
            [
                code(each["snapshot"]), text(each["label"]), number(each["files"]), number(each["changed"]),
                code(each["commit"][:12]) if each["commit"] else text(each["error"]),
            ]
            for each in r["snapshots"]
        ],
    )  # fmt: skip


def _cost(agent: dict[str, Any]) -> str:
    return "–" if agent["cost"] is None else words.known_money(agent["cost"], agent["cost_unknown"])
