"""What an error of a model's API means for the run: from its HTTP status, its name, and the words it is told in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from waved.agents.reader import Cause

OVERLOADED = (500, 502, 503, 504, 529)
"""HTTP statuses that say: not the request's fault, and not for long."""
_LIMITED = re.compile(
    r"rate.?limit|usage.?limit|hit your .{0,30}limit|quota|resource.?exhausted|too many requests|\b429\b",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"\b401\b|\b403\b|unauthori[sz]ed|authentication|invalid.{0,12}api.?key|incorrect.{0,12}api.?key|api key not valid"
    r"|not logged in|please run /login|oauth token|no auth|permission_error|missing.{0,20}api.?key|AuthenticationError",
    re.IGNORECASE,
)
_OVERLOADED = re.compile(
    r"overloaded|\b(?:500|502|503|504|529)\b|unavailable|internal server error|connection error|connection refused"
    r"|stream disconnected|timed? ?out|ECONNRE|ENOTFOUND|fetch failed",
    re.IGNORECASE,
)

_NO_SESSION = re.compile(
    r"no conversation found|no rollout found|session not found|invalid session identifier|no (?:saved )?session found"
    r"|no previous sessions found",
    re.IGNORECASE,
)
"""What claude, codex, opencode, gemini, goose and qwen say when the session they are to go on with is not there."""


def cause_of(status: int = 0, name: str = "", message: str = "") -> Cause:
    """What kind of failure it is, "" when that cannot be told. The HTTP status decides where there is one."""
    if status == 429:
        return "rate-limited"
    if status in (401, 403):
        return "login"
    if status in OVERLOADED:
        return "overloaded"
    if status:
        return ""
    words = f"{name} {message}"
    if _NO_SESSION.search(words):
        return "no-session"
    if _LIMITED.search(words):
        return "rate-limited"
    if _LOGIN.search(words):
        return "login"
    return "overloaded" if _OVERLOADED.search(words) else ""


_AT = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2})(?:st|nd|rd|th)?, (?P<year>\d{4}) )?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2}) ?(?P<half>[AP]M)"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IN = re.compile(
    r"(?:again|retry|reset|resets|retryDelay)\W+(?:in |after )?((?:\d+(?:\.\d+)?\s*[a-z]+[ ,]*(?:and )?)+)",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)[a-z]*", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def reset_in(message: str, now: Callable[[], float] = time.time) -> float | None:
    """The moment (seconds since the epoch) until which a message says to wait; None when it does not.

    "try again at Nov 23rd, 2026 12:22 AM" (local time, as codex writes it; the end of that minute),
    "try again in 1 hour 5 minutes", "Please retry in 12.5s.", "quota will reset after 2h3m4s".
    """
    at = _AT.search(message)
    if at is not None and "again at" in message:
        return _moment(at, now())
    span = _IN.search(message)
    if span is not None:
        seconds = sum(float(number) * _SECONDS[unit.lower()] for number, unit in _SPAN.findall(span.group(1)))
        return now() + seconds if seconds else None
    return None


def _moment(at: re.Match[str], now: float) -> float | None:
    today = time.localtime(now)
    hour = int(at["hour"]) % 12 + (12 if at["half"] == "PM" else 0)
    year, month, day = today.tm_year, today.tm_mon, today.tm_mday
    if at["month"]:
        if at["month"] not in _MONTHS:
            return None
        year, month, day = int(at["year"]), _MONTHS.index(at["month"]) + 1, int(at["day"])
    try:
        moment = time.mktime((year, month, day, hour, int(at["minute"]), 59, 0, 0, -1))
        if moment < now and not at["month"]:
            moment = time.mktime((year, month, day + 1, hour, int(at["minute"]), 59, 0, 0, -1))
    except (OverflowError, ValueError):
        return None
    return moment
