"""What is shown of guards: findings, what is done about them, snapshots, the preview. One plain line each."""

from __future__ import annotations

import textwrap
from typing import Any

from wavectl.views.text import Paint, cut, first_line, one_line, visible
from waved.amounts import lasting

MOST_OPEN = 12
_COLOURS = {"critical": "red", "warning": "yellow", "info": "dim"}
_DONE = {
    "alert": "alert", "restart-agent": "restart", "rollback-file": "roll back the file",
    "rollback-agent": "roll back the agent", "rollback-wave": "roll back the wave", "stop-all": "stop all agents",
    "start-agent": "start", "hold": "hold", "give-up": "give up",
}  # fmt: skip


def finding_text(data: dict[str, Any]) -> str:
    """ "corruption in src/cart.ts:12 by frontend: const const"."""
    path = one_line(data.get("path", ""))
    line = data.get("line")
    place = f" in {path}" + (f":{line}" if line else "") if path else ""
    who = f" by {one_line(data['assignment'])}" if data.get("assignment") else ""
    summary = one_line(data["summary"])
    for prefix in (f"{path}:{line}: ", f"{path}: "):
        if path:
            summary = summary.removeprefix(prefix)
    evidence = first_line(data.get("evidence", "")).strip()
    said = f"{summary} ({cut(evidence, 60)})" if evidence and evidence not in summary else summary
    return f"{one_line(data['monitor'])}{place}{who}: {said}"


def reaction_text(data: dict[str, Any]) -> str:
    """What a reaction sets out to do."""
    named = ", ".join(_DONE.get(action, action) for action in data["actions"])
    whom = f" {one_line(data['responder'])}" if data.get("responder") else ""
    agents = f" ({', '.join(map(one_line, data['assignments']))})" if data.get("assignments") else ""
    return f"{data['reaction']}: {named}{whom}{agents}"


def restored_text(data: dict[str, Any]) -> str:
    """ "restored src/cart.ts from s3"."""
    if not data["ok"]:
        return f"not restored: {first_line(data['detail'])}"
    total = data["total"]
    names = [*data["restored"], *(f"-{path}" for path in data["removed"])]
    what = ", ".join(map(one_line, names[:3])) + (f" and {total - 3} more" if total > 3 else "")
    took = f" in {lasting(data['seconds'])}"
    return f"restored {what or 'nothing: no file differed'}" + (f" from {data['to']}" if data["to"] else "") + took


def done_text(reaction: dict[str, Any]) -> str:
    """What a reaction has done: "frontend frozen, kept as s5, restored src/cart.ts from s1, frontend started again"."""
    agents = ", ".join(dict.fromkeys(one_line(run.partition("/")[2].rpartition("#")[0]) for run in reaction["runs"]))
    names = list(map(one_line, reaction["restored"]))
    more = f" and {reaction['total'] - 3} more" if reaction["total"] > 3 else ""
    origin = f" from {reaction['to']}" if reaction.get("to") else ""
    actions, ok = reaction["actions"], reaction["ok"]
    again = {"restart-agent", "stop-all"} & set(actions) and ok and reaction["assignments"]
    steps = [
        f"{agents} frozen" if agents and reaction["present"] else "",
        f"kept as {reaction['present']}" if reaction["present"] else "",
        f"restored {', '.join(names[:3])}{more}{origin}" if names else "",
        f"{one_line(reaction['responder'])} has answered" if reaction["responder"] and ok else "",
        f"{', '.join(map(one_line, reaction['assignments']))} started again" if again else "",
        "told" if actions == ["alert"] else "",
        "a person was asked" if "hold" in actions else "",
        first_line(reaction["detail"]) if not ok else "",
    ]
    took = lasting(reaction["ended"] - reaction["started"])
    return f"{', '.join(filter(None, steps)) or first_line(reaction['detail']) or 'nothing was to be done'} ({took})"


def done_lines(view: dict[str, Any], paint: Paint, width: int) -> dict[str, list[str]]:
    """Each reaction that has ended, oldest first: what was found, and what was done about it. By the reaction's id.

    `width`: columns there are; what is longer goes on in further lines.
    """
    findings = {found["finding"]: found for found in view.get("findings", ())}
    over = [reaction for reaction in view.get("reactions", ()) if reaction["ended"] is not None]
    lines: dict[str, list[str]] = {}
    for reaction in sorted(over, key=lambda each: float(each["ended"])):
        found = findings.get(reaction["finding"])
        why = finding_text(found) if found else first_line(reaction["reason"])
        sign = paint("!", _COLOURS.get(found["severity"] if found else "", "yellow"))
        done = paint("✓", "green") if reaction["ok"] else paint("✗", "red")
        lines[reaction["reaction"]] = [*_wrapped(sign, why, width), *_wrapped(f"  {done}", done_text(reaction), width)]
    return lines


def _wrapped(sign: str, text: str, width: int) -> list[str]:
    """A text behind a sign, in as many lines as it takes."""
    margin = visible(sign) + 1
    first, *rest = textwrap.wrap(text, max(20, width - margin), break_on_hyphens=False) or [""]
    return [f"{sign} {first}", *(" " * margin + line for line in rest)]


def frozen_text(data: dict[str, Any]) -> str:
    """ "frozen 3 processes in 4 ms"."""
    if not data["ok"]:
        return f"could not be frozen: {first_line(data['detail'])}"
    count = data["processes"]
    return f"frozen {count} process{'' if count == 1 else 'es'} in {lasting(data['seconds'])}"


def guard_lines(view: dict[str, Any], paint: Paint) -> list[str]:
    """The guards of a session view: open findings, reactions under way, the preview. Nothing for a quiet session."""
    lines = []
    preview = view.get("preview")
    if preview:
        state = preview["state"]
        why = f": {first_line(preview['reason'])}" if preview["reason"] and state != "up" else ""
        uptime = f", up {preview['uptime']:.0%}" if preview.get("uptime") is not None else ""
        sign = paint("✓", "green") if state == "up" else paint("!", "yellow")
        lines.append(f"{sign} preview {state} {one_line(preview['url'])}{uptime}{why}")
    still = [found for found in view.get("findings", ()) if found["cleared"] is None]
    for found in still[:MOST_OPEN]:
        sign = paint("!", _COLOURS.get(found["severity"], "yellow"))
        lines.append(f"{sign} {found['finding']} {finding_text(found)}")
    if len(still) > MOST_OPEN:
        lines.append(f"  … and {len(still) - MOST_OPEN} more findings")
    for reaction in view.get("reactions", ()):
        if reaction["ended"] is None:
            lines.append(f"{paint('◆', 'cyan')} {reaction_text(reaction)}: {reaction['state']}")
    return lines
