"""What is said at the end of a session: outcome, waves, agents, timeline, measures, failures, where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavectl.views.checklist import item_line
from wavectl.views.checklists import summary_lines
from wavectl.views.guards import done_lines
from wavectl.views.status import assignment_row, gate_lines, responder_row
from wavectl.views.text import Paint, columns, first_line, one_line, printable
from wavectl.views.timeline import draw
from wavectl.views.used import used_in
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting

MOST_AGENTS = 40
"""Agents named in the summary; those that did not succeed come first."""
MOST_FAILURES = 10
"""Failures told with their last lines of output."""
MOST_REACTIONS = 10
"""Reactions told, each with what was found."""
_BAD = ("failed", "timed-out", "lost", "stopped")


def failures_of(view: dict[str, Any]) -> list[dict[str, Any]]:
    """What failed, in order: {what, wave, reason, run}; `run` is the id whose output tells more ("" if none)."""
    found = []
    for wave in view["waves"]:
        for assignment in wave["assignments"]:
            if assignment["state"] == "ended" and assignment["outcome"] in _BAD:
                check = _failed_check(assignment["gate"])
                last = assignment["runs"][-1]["run"] if assignment["runs"] else ""
                run = (check["run"] if check else "") or last
                found.append(_failure(assignment["key"], wave, f"{assignment['outcome']}: {assignment['reason']}", run))
        check = _failed_check(wave["gate"])
        if check:
            found.append(_failure(f"gate of {wave['name']}", wave, f"{check['name']}: {check['detail']}", check["run"]))
    return found


def _failure(what: str, wave: dict[str, Any], reason: str, run: str) -> dict[str, Any]:
    return {"what": what, "wave": wave["name"], "reason": reason.removesuffix(": "), "run": run}


def _failed_check(gate: dict[str, Any] | None) -> dict[str, Any] | None:
    checks = gate["checks"] if gate else []
    return next((check for check in checks if check["state"] == "ended" and not check["ok"]), None)


def summary(
    view: dict[str, Any], paint: Paint, width: int, tails: Mapping[str, list[str]] | None = None, folder: str = ""
) -> list[str]:
    """The whole summary. `tails`: the last lines of output by run id; `folder`: where the session's files lie."""
    lines = [_outcome(view, paint), ""]
    if view["outcome"] == "refused":
        lines += ["  " + item_line(item, paint) for item in view["checklist"] if not item["ok"]]
        return [*lines, "", *_next(view, paint)]
    lines += _waves(view, paint)
    lines += _guards(view, paint, width)
    lines += ["", *_agents(view, paint)]
    picture = draw(view, paint, width - 2)
    if picture:
        lines += ["", *("  " + line if line else "" for line in picture)]
    lines += ["", *("  " + line for line in _measures(view))]
    if ticked := summary_lines(view, paint):
        lines += ["", *("  " + line for line in ticked)]
    failures = failures_of(view)
    if failures:
        lines += ["", *_failures(failures, paint, tails or {})]
    return [*lines, "", *_places(view, folder), *_next(view, paint)]


def _outcome(view: dict[str, Any], paint: Paint) -> str:
    word = word_of(view)
    end = view["ended"] if view["ended"] is not None else view["now"]
    line = f"{glyph(word, paint)} {paint(view['name'], 'bold')} {coloured(word, paint)}"
    line += f" in {lasting(max(0.0, end - view['submitted']))}"
    return line + (f": {first_line(view['reason'])}" if view["reason"] else "")


def _waves(view: dict[str, Any], paint: Paint) -> list[str]:
    rows = [[paint(title, "dim") for title in ("", "WAVE", "VERDICT", "AGENTS", "TIME", "START SKEW", "")]]
    for wave in view["waves"]:
        word = word_of(wave)
        good = sum(1 for assignment in wave["assignments"] if assignment["outcome"] == "succeeded")
        time = wave["ended"] - wave["started"] if wave["started"] is not None and wave["ended"] is not None else None
        rows.append([
            glyph(word, paint), wave["name"], coloured(word, paint), f"{good}/{len(wave['assignments'])}",
            lasting(time), lasting(wave["skew"]), first_line(wave["reason"]),
        ])  # fmt: skip
    title, *lines = columns(rows, right=(3, 4, 5), indent=2)
    checked = [[f"     {line}" for line in gate_lines(wave["gate"], paint)] for wave in view["waves"]]
    return [title, *(shown for line, checks in zip(lines, checked, strict=True) for shown in (line, *checks))]


def _guards(view: dict[str, Any], paint: Paint, width: int) -> list[str]:
    """What was found and what was done about it; the newest, when that is much."""
    done = list(done_lines(view, paint, width - 2).values())
    lines = [f"  {line}" for pair in done[-MOST_REACTIONS:] for line in pair]
    if len(done) > MOST_REACTIONS:
        lines.insert(0, paint(f"  … {len(done) - MOST_REACTIONS} earlier: wavectl events {view['session']}", "dim"))
    return ["", *lines] if lines else []


def _agents(view: dict[str, Any], paint: Paint) -> list[str]:
    everyone = [assignment for wave in view["waves"] for assignment in wave["assignments"]]
    ranked = (
        sorted(everyone, key=lambda one: one["outcome"] == "succeeded") if len(everyone) > MOST_AGENTS else everyone
    )
    rows = [assignment_row(one, paint, view["now"]) for one in ranked[:MOST_AGENTS]]
    rows += [responder_row(view, one, paint, view["now"]) for one in view.get("responders", ())[-MOST_REACTIONS:]]
    lines = columns(rows, right=(4,), indent=2)
    if len(everyone) > MOST_AGENTS:
        rest = f"  … and {len(everyone) - MOST_AGENTS} more: wavectl status {view['session']}"
        lines.append(paint(rest, "dim"))
    return lines


def _measures(view: dict[str, Any]) -> list[str]:
    metrics = view["metrics"]
    speedup = "not measured" if metrics["speedup"] is None else f"{metrics['speedup']:.1f}×"
    rate = "not measured" if metrics["parallel_rate"] is None else f"{metrics['parallel_rate']:.0%}"
    skew = "not measured" if metrics["skew"] is None else lasting(metrics["skew"])
    return [" · ".join([f"start skew {skew}", f"speed-up {speedup}", f"parallel rate {rate}", *used_in(view).parts()])]


def _failures(failures: list[dict[str, Any]], paint: Paint, tails: Mapping[str, list[str]]) -> list[str]:
    lines = []
    for failure in failures[:MOST_FAILURES]:
        lines.append(f"  {paint('✗', 'red')} {paint(failure['what'], 'bold')}  {first_line(failure['reason'])}")
        lines += [paint(f"      │ {printable(line)}", "dim") for line in tails.get(failure["run"], ())]
    if len(failures) > MOST_FAILURES:
        lines.append(paint(f"  … and {len(failures) - MOST_FAILURES} more", "dim"))
    return lines


def _places(view: dict[str, Any], folder: str) -> list[str]:
    lines = [f"  results  {one_line(view['workspace'])}"]
    if folder:
        lines.append(f"  logs     {folder}")
    return lines


def _next(view: dict[str, Any], paint: Paint) -> list[str]:
    session = view["session"]
    if view["state"] == "held":
        commands = [f"wavectl resume {session}", f"wavectl retry {session}", f"wavectl stop {session}"]
    elif view["outcome"] == "refused":
        failed = [item["item"] for item in view["checklist"] if not item["ok"] and not item["waived"]]
        waive = " ".join(f"--waive {item}" for item in failed)
        return [f"  {paint('next', 'dim')}     mend what the checklist names, or run again with {waive}"]
    elif view["outcome"] in ("failed", "timed-out", "stopped"):
        failed = [failure["what"] for failure in failures_of(view) if not failure["what"].startswith("gate of ")]
        logs = f"wavectl logs {session}" + (f" {failed[0]}" if failed else "")
        commands = [logs, f"wavectl retry {session}"]
    else:
        commands = [f"wavectl logs {session}"]
    return [f"  {paint('next', 'dim')}     " + paint("  |  ", "dim").join(commands)]
