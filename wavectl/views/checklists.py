"""The checklists of waves and of completion (C2): in full, or only what was not ticked."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint, one_line, pad

_SIGNS = {
    "ticked": ("✓", "green"),
    "unticked": ("✗", "red"),
    "open": ("·", "dim"),
    "not-applicable": ("–", "dim"),
}
_TITLES = {"pre-deployment": "before deployment", "completion": "of completion"}
_WIDEST = 44
"""Columns of an item's title."""


def of_wave(view: dict[str, Any], wave: str) -> dict[str, Any] | None:
    """The checklist of a wave; None where the daemon is too old to have one."""
    found = [each for each in view.get("checklists", ()) if each["checklist"] == "wave" and each["wave"] == wave]
    return found[0] if found else None


def of_completion(view: dict[str, Any]) -> dict[str, Any] | None:
    """The checklist of completion."""
    return next((each for each in view.get("checklists", ()) if each["checklist"] == "completion"), None)


def title(checklist: dict[str, Any], paint: Paint) -> str:
    """What it is of, and how many of the items that apply are ticked."""
    applicable = [item for item in checklist["items"] if item["state"] != "not-applicable"]
    ticked = sum(1 for item in applicable if item["state"] == "ticked")
    still = sum(1 for item in applicable if item["state"] == "open")
    name = _TITLES.get(checklist["checklist"]) or f"of wave {one_line(checklist['wave'])}"
    told = f"{ticked} of {len(applicable)} ticked" + (f", {still} open" if still else "")
    return f"{paint(f'checklist {name}', 'bold')}  {paint(told, 'dim')}"


def item_line(item: dict[str, Any], paint: Paint) -> str:
    """One item: its sign, title and evidence."""
    sign, colour = _SIGNS[item["state"]]
    quiet = item["state"] in ("open", "not-applicable")
    name = pad(item["title"], _WIDEST)
    line = f"{paint(sign, colour)} {paint(name, 'dim') if quiet else name}"
    return f"{line}  {paint(one_line(item['evidence']), 'dim')}" if item["evidence"] else line.rstrip()


def in_full(checklist: dict[str, Any], paint: Paint, *, everything: bool = False) -> list[str]:
    """The title and its items: those that apply, or `everything`."""
    shown = [item for item in checklist["items"] if everything or item["state"] != "not-applicable"]
    return [title(checklist, paint), *(f"  {item_line(item, paint)}" for item in shown)]


def in_short(checklist: dict[str, Any], paint: Paint) -> list[str]:
    """The title, and what was not ticked."""
    missed = [item for item in checklist["items"] if item["state"] == "unticked"]
    return [title(checklist, paint), *(f"  {item_line(item, paint)}" for item in missed)]


def all_lines(view: dict[str, Any], paint: Paint) -> list[str]:
    """Every checklist with every item."""
    lines: list[str] = []
    for each in view.get("checklists", ()):
        lines += ["", *(f"  {line}" for line in in_full(each, paint, everything=True))]
    return lines


def summary_lines(view: dict[str, Any], paint: Paint) -> list[str]:
    """What a summary says: of waves what was not ticked, of completion all."""
    lines: list[str] = []
    for each in view.get("checklists", ()):
        if each["checklist"] == "wave":
            lines += in_short(each, paint)
    done = of_completion(view)
    return [*lines, *in_full(done, paint)] if done is not None else lines
