"""How a report says lengths of time, sizes, amounts and outcomes; and what it takes out of texts from elsewhere."""

from __future__ import annotations

import re
import time
from typing import Any

from waved import amounts

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])?")
_COMPARISONS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}
GOOD, BAD, WARN, IDLE, BUSY = "good", "bad", "warn", "idle", "busy"
_LOOKS = {
    "succeeded": ("✓", GOOD), "passed": ("✓", GOOD), "met": ("✓", GOOD), "exited": ("✓", GOOD),
    "unverified": ("○", WARN), "stopped": ("■", WARN), "held": ("‖", WARN), "backing-off": ("↻", WARN),
    "stopping": ("■", WARN), "waived": ("○", WARN),
    "failed": ("✗", BAD), "refused": ("✗", BAD), "timed-out": ("✗", BAD), "lost": ("?", BAD), "missed": ("✗", BAD),
    "oom": ("✗", BAD), "signalled": ("✗", BAD), "not-started": ("✗", BAD),
    "running": ("▶", BUSY), "starting": ("▶", BUSY), "checking": ("◆", BUSY), "gate": ("◆", BUSY),
    "ticked": ("✓", GOOD), "unticked": ("✗", BAD), "open": ("·", IDLE), "not-applicable": ("–", IDLE),
    "waiting": ("·", IDLE), "ready": ("·", IDLE), "skipped": ("–", IDLE), "not measured": ("–", IDLE),
}  # fmt: skip


def clean(text: str) -> str:
    """Text that cannot steer a terminal, turn the direction of what follows, or break a document."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def cleaned(value: Any) -> Any:  # noqa: ANN401 — any plain data
    """Plain data with all its texts clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if isinstance(value, dict):
        return {key: cleaned(each) for key, each in value.items()}
    return value


def one_line(text: str) -> str:
    """All of it in one line."""
    return " ".join(text.split())


def sign(word: str) -> str:
    """The sign of an outcome or state."""
    return _LOOKS.get(word, ("·", IDLE))[0]


def tone(word: str) -> str:
    """What kind of outcome it is: good, bad, warn, idle, busy."""
    return _LOOKS.get(word, ("·", IDLE))[1]


def word_of(thing: dict[str, Any]) -> str:
    """The word for a session, wave or agent: its outcome once it has ended, else its state."""
    if thing["state"] != "ended":
        return str(thing["state"])
    if thing["outcome"] == "failed" and any(run.get("cause") == "oom" for run in (thing.get("runs") or [])[-1:]):
        return "oom"
    return str(thing["outcome"] or "ended")


def lasting(seconds: float | None) -> str:
    """A length of time: "0.8 ms", "4.21 s", "1 m 05 s", "2 h 05 m"; "–" for None."""
    return amounts.lasting(seconds, " ")


def short(seconds: float) -> str:
    """A length of time for the ticks of an axis: no more digits than it needs."""
    if seconds == 0:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds < 60:
        return f"{seconds:g} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} m" + (f" {seconds % 60:.0f} s" if seconds % 60 else "")
    return f"{seconds // 3600:.0f} h" + (f" {seconds % 3600 // 60:.0f} m" if seconds % 3600 else "")


def number(count: float | None) -> str:
    """A number with thousands told apart; "–" for None."""
    return "–" if count is None else f"{count:,.0f}"


def about(count: float | None) -> str:
    """A large number in few characters: "1.2 M"."""
    if count is None:
        return "–"
    if count < 10_000:
        return f"{count:,.0f}"
    return f"{count / 1000:.0f} k" if count < 1_000_000 else f"{count / 1_000_000:.1f} M"


def money(dollars: float | None) -> str:
    """US dollars; "–" for None."""
    if dollars is None:
        return "–"
    return f"${dollars:,.2f}" if dollars >= 0.995 or dollars == 0 else f"${dollars:.3f}"


def known_money(dollars: float | None, unknown: int) -> str:
    """US dollars as far as they were told: "at least $1.20" when `unknown` runs did not tell theirs."""
    if dollars is None:
        return "not told"
    return f"at least {money(dollars)}" if unknown else money(dollars)


def share(value: float | None) -> str:
    """A share of one as a percentage."""
    return "–" if value is None else f"{value * 100:.1f}".removesuffix(".0") + " %"


def amount(value: float | None, unit: str) -> str:
    """A metric's value in its unit."""
    if value is None:
        return "not measured"
    match unit:
        case "share":
            return share(value)
        case "seconds":
            return lasting(value)
        case "factor":
            return f"{value:.1f}×"
        case "dollars":
            return money(value)
        case "per minute":
            return f"{value:.1f}".removesuffix(".0") + " / min"
        case _:
            return number(value)


def goal(metric: dict[str, Any]) -> str:
    """A metric's goal in words: "more than 80 %"; "" where there is none."""
    wanted = metric["goal"]
    return f"{_COMPARISONS[wanted['comparison']]} {amount(wanted['target'], metric['unit'])}" if wanted else ""


def moment(unix: float | None) -> str:
    """A point in time, with the daemon's time zone."""
    return "–" if unix is None else time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(unix))


def clock(unix: float | None) -> str:
    """The time of day."""
    return "–" if unix is None else time.strftime("%H:%M:%S", time.localtime(unix))


def count(number_of: int, noun: str) -> str:
    """ "1 file", "3 files"."""
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def lines(added: int | None, removed: int | None) -> str:
    """ "+12 −3"; "binary" where lines were not counted."""
    return "binary" if added is None else f"+{added:,} −{removed or 0:,}"
