"""Agents as rows: what is shown of each, in which order, and which are shown at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from wavectl.views.acting import acting_state
from wavectl.views.responders import answered, responders_in
from wavectl.views.status import elapsed
from wavectl.views.text import first_line, one_line
from wavectl.views.used import Used, used_by
from wavectl.views.words import word_of
from waved.amounts import lasting

FAILING = frozenset({"failed", "timed-out", "lost", "oom", "stopped"})
_RANK = {
    "failed": 0, "oom": 0, "timed-out": 0, "lost": 0, "stopped": 1, "backing-off": 2, "frozen": 3, "stopping": 4,
    "running": 5, "checking": 6, "starting": 7, "ready": 8, "waiting": 9, "succeeded": 10, "skipped": 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One assignment."""

    key: str
    wave: str
    word: str
    """Its state, its outcome once it has ended, or "frozen"."""
    at: str
    """What it is at, or why it stands where it does."""
    took: float | None
    """Seconds of its present or last run."""
    limit: float | None
    """Seconds that run may take in all; None: nobody has set a limit."""
    used: Used
    """By all its attempts."""
    files: int
    attempt: int
    run: str
    """Its present or last run; "" before the first."""
    findings: int
    """Open ones of it."""
    by_person: bool = False
    """A person has frozen it."""
    responds: bool = False
    """It is no assignment: a reaction has started it."""
    attempts: tuple[str, ...] = ()
    """Its runs that are known, oldest first."""

    @property
    def failing(self) -> bool:
        """Whether a person should look at it."""
        return self.word in FAILING or self.word == "backing-off" or self.findings > 0


def rows_of(view: dict[str, Any], now: float) -> list[Row]:
    """All assignments in the order of the plan; below those of a wave what reactions have started in it."""
    found: dict[str, int] = {}
    for finding in view.get("findings", ()):
        if finding["cleared"] is None and finding["assignment"]:
            found[finding["assignment"]] = found.get(finding["assignment"], 0) + 1
    here = f"{view['workspace']}/"
    rows: list[Row] = []
    for wave in view["waves"]:
        rows += [_row(wave, one, found, here, now) for one in wave["assignments"]]
        rows += [_responder(view, wave, one, here, now) for one in responders_in(view, wave["name"])]
    return rows


def _row(wave: dict[str, Any], one: dict[str, Any], findings: dict[str, int], here: str, now: float) -> Row:
    word = word_of(one)
    last = one["runs"][-1] if one["runs"] else None
    if last is not None and last["state"] != "ended":
        word = "frozen" if last["frozen"] else "stopping" if last["state"] == "stopping" else word
    return Row(
        key=one["key"],
        wave=wave["name"],
        word=word,
        at=_at(one, last, word, now).replace(here, ""),  # paths as the workspace has them
        took=elapsed(one, now),
        limit=_limit(wave, one, last),
        used=used_by(one["runs"]),
        files=one["files_changed"],
        attempt=one["attempt"],
        run=last["run"] if last is not None else "",
        findings=findings.get(one["key"], 0),
        by_person=last is not None and "person" in last.get("frozen_for", ()),
        attempts=tuple(run["run"] for run in one["runs"]),
    )


def _responder(view: dict[str, Any], wave: dict[str, Any], one: dict[str, Any], here: str, now: float) -> Row:
    last = one["runs"][-1]
    word = "frozen" if last["frozen"] else word_of(one)
    at = first_line(one["reason"]) if one["state"] == "ended" else acting_state(last, now)
    return Row(
        key=one["key"],
        wave=wave["name"],
        word=word,
        at=" · ".join(filter(None, [answered(view, one), at])).replace(here, ""),
        took=elapsed(one, now),
        limit=_limit(wave, one, last),
        used=used_by(one["runs"]),
        files=0,
        attempt=one["attempt"],
        run=last["run"],
        findings=0,
        responds=True,
        attempts=tuple(run["run"] for run in one["runs"]),
    )


def _at(one: dict[str, Any], last: dict[str, Any] | None, word: str, now: float) -> str:
    if word == "backing-off" and one["retry_at"]:
        return f"again in {lasting(max(0.0, one['retry_at'] - now))}: {first_line(one['reason'])}"
    if word == "waiting" and one["requires"]:
        return "needs " + ", ".join(map(one_line, one["requires"]))
    if word == "frozen" and last is not None:
        return _frozen(last.get("frozen_for", ()))
    if one["state"] == "checking":
        if one["gate"] is None:
            return ""  # its run is over, and the session is held: what follows from it is still to be decided
        check = next((each for each in one["gate"]["checks"] if each["state"] == "running"), None)
        return f"its gate: {one_line(check['name'])}" if check else "its gate"
    if one["state"] == "ended":
        if one["reason"]:
            return first_line(one["reason"])
        return "unverified" if word == "succeeded" and not one["verified"] else ""
    return acting_state(last, now) if last is not None else first_line(one["reason"])


def _frozen(holders: Iterable[str]) -> str:
    """Who wants it: "by a person", "for r2"."""
    reactions = [holder for holder in holders if holder != "person"]
    parts = [*(["by a person"] if "person" in holders else []), *([f"for {', '.join(reactions)}"] if reactions else [])]
    return " ".join(["frozen", *([" and ".join(parts)] if parts else [])])


def _limit(wave: dict[str, Any], one: dict[str, Any], last: dict[str, Any] | None) -> float | None:
    """The agent's own limit, or what its wave leaves it."""
    if one["timeout"] is not None:
        return float(one["timeout"])
    if wave["deadline"] is not None and last is not None and last["started"] is not None:
        return max(0.0, float(wave["deadline"] - last["started"]))
    return None


def assigned(rows: Iterable[Row]) -> list[Row]:
    """Only assignments: what the plan has, and a person may stop, freeze and retry."""
    return [row for row in rows if not row.responds]


# --- which, and in which order --------------------------------------------------------------------------------------

_ORDERS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: (_RANK.get(row.word, 6), -row.findings),
    "time": lambda row: -(row.took or 0.0),
    "tokens": lambda row: -row.used.tokens,
    "cost": lambda row: -(row.used.cost or 0.0),
    "files": lambda row: -row.files,
    "name": lambda row: row.key,
}
ORDERS = ("plan", *_ORDERS)
"""In the order in which the key goes through them."""


def ordered(rows: Iterable[Row], order: str) -> list[Row]:
    """The rows in that order; what is alike stays in the order of the plan."""
    key = _ORDERS.get(order)
    return list(rows) if key is None else sorted(rows, key=key)


def fitting(rows: Iterable[Row], wanted: str) -> list[Row]:
    """The rows that have all these words in their name, their state or what they are at."""
    words = wanted.lower().split()
    if not words:
        return list(rows)
    return [row for row in rows if all(word in f"{row.key} {row.word} {row.at}".lower() for word in words)]


def next_failing(rows: list[Row], key: str, step: int = 1) -> str:
    """The name of the next row (or the one before, with -1) that a person should look at; `key` if there is none."""
    names = [row.key for row in rows]
    at = names.index(key) if key in names else (-1 if step > 0 else 0)
    for distance in range(1, len(rows) + 1):
        row = rows[(at + distance * step) % len(rows)]
        if row.failing:
            return row.key
    return key
