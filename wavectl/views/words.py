"""One glyph, word and colour for each state and outcome, the same in every view; colour never says it alone."""

from __future__ import annotations

from typing import Any

from wavectl.views.text import Paint

_LOOKS: dict[str, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "ready": ("·", "dim"),
    "checking": ("◆", "cyan"),
    "gate": ("◆", "cyan"),
    "starting": ("▷", "cyan"),
    "running": ("▶", "cyan"),
    "backing-off": ("↻", "yellow"),
    "stopping": ("■", "yellow"),
    "held": ("!", "yellow"),
    "frozen": ("‖", "blue"),
    "succeeded": ("✓", "green"),
    "passed": ("✓", "green"),
    "unverified": ("○", "yellow"),
    "failed": ("✗", "red"),
    "refused": ("✗", "red"),
    "timed-out": ("✗", "red"),
    "stopped": ("■", "yellow"),
    "lost": ("?", "red"),
    "oom": ("✗", "red"),
    "skipped": ("–", "dim"),
}


def word_of(thing: dict[str, Any]) -> str:
    """The word for a session, wave or assignment: its outcome once it has ended, else its state. An assignment that has
    failed for want of memory is told as "oom", one whose run stands still as "frozen".
    """
    last: dict[str, Any] = thing["runs"][-1] if thing.get("runs") else {}
    if thing["state"] == "running" and last.get("frozen"):
        return "frozen"
    if thing["state"] == "ended" and thing["outcome"] == "failed" and last.get("cause") == "oom":
        return "oom"
    return str(thing["outcome"] or thing["state"]) if thing["state"] == "ended" else str(thing["state"])


def glyph(word: str, paint: Paint) -> str:
    """The sign for a state or outcome."""
    sign, colour = _LOOKS.get(word, ("·", ""))
    return paint(sign, colour)


def coloured(word: str, paint: Paint) -> str:
    """The word in its colour."""
    return paint(word, _LOOKS.get(word, ("", ""))[1])
