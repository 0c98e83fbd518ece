"""Responders: what reactions have started, each listed in the wave in which it answers a finding (docs/guards.md)."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import first_line, one_line


def responders_in(view: dict[str, Any], wave: str) -> list[dict[str, Any]]:
    """Those that were started in this wave, oldest first. (An older daemon does not tell of them.)"""
    return [one for one in view.get("responders", ()) if one["wave"] == wave]


def answered(view: dict[str, Any], one: dict[str, Any]) -> str:
    """What a responder was started for: "for f1 corruption in src/cart.ts:12"."""
    found = next((each for each in view.get("findings", ()) if each["finding"] == one["finding"]), None)
    if found is None:
        return f"for {one['finding'] or one['reaction']}"
    place = found["path"] + (f":{found['line']}" if found["line"] else "")
    where = f" in {one_line(place)}" if place else f": {first_line(found['summary'])}"
    return f"for {found['finding']} {one_line(found['monitor'])}{where}"
