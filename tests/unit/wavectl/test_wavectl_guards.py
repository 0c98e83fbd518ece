"""What is shown of guards, at 80 columns too."""

from __future__ import annotations

from typing import Any

from wavectl.views.guards import (
    done_lines,
    done_text,
    finding_text,
    frozen_text,
    guard_lines,
    reaction_text,
    restored_text,
)
from wavectl.views.lines import Narrator
from wavectl.views.snapshots import coloured_diff, listing, restored
from wavectl.views.text import Paint, visible
from wavectl.views.words import word_of

FINDING: dict[str, Any] = {
    "finding": "f1", "monitor": "corruption", "summary": 'src/cart.ts:12: matches the pattern "const const"',
    "severity": "critical", "path": "src/cart.ts", "line": 12, "assignment": "frontend",
    "evidence": "const const b = 2", "cleared": None,
}  # fmt: skip


def told(kind: str, **data: Any) -> str | None:
    """The line for an event."""
    return Narrator(Paint(False)).tell({"seq": 1, "time": 1.0, "session": "s", "kind": kind, "data": data})


def test_one_plain_line_each() -> None:
    assert finding_text(FINDING) == (
        'corruption in src/cart.ts:12 by frontend: matches the pattern "const const" (const const b = 2)'
    )
    assert frozen_text({"ok": True, "processes": 3, "seconds": 0.004}) == "frozen 3 processes in 4.0ms"
    done = {"ok": True, "total": 1, "restored": ["src/cart.ts"], "removed": [], "to": "s3", "seconds": 0.02}
    assert restored_text(done) == "restored src/cart.ts from s3 in 20ms"
    assert reaction_text({"reaction": "r1", "actions": ["rollback-file", "restart-agent"], "assignments": ["a"]}) == (
        "r1: roll back the file, restart (a)"
    )


def test_the_narrator_tells_of_them() -> None:
    assert "corruption in src/cart.ts:12 by frontend" in str(told("finding.made", **FINDING))
    passed = {"gate": "g", "name": "guards", "ok": True, "detail": "", "run": ""}
    assert told("check.ended", **passed) is None
    assert "failed" in str(told("check.ended", **{**passed, "ok": False, "detail": "f1 is open"}))
    assert "answers at http://x" in str(told("preview.up", url="http://x", seconds=0.1))
    assert told("snapshot.taken", snapshot="s1", error="", skipped_total=0, skipped=[]) is None
    assert "not taken: the disk is full" in str(
        told("snapshot.taken", snapshot="s1", error="the disk is full", skipped_total=0, skipped=[])
    )


def test_status_shows_what_is_open() -> None:
    preview = {"state": "down", "url": "http://x", "reason": "status 500", "uptime": 0.5}
    reaction = {"reaction": "r1", "actions": ["hold"], "ended": None, "state": "holding"}
    view = {"findings": [FINDING, {**FINDING, "cleared": 2.0}], "reactions": [reaction], "preview": preview}
    lines = guard_lines(view, Paint(False))
    assert lines[0] == "! preview down http://x, up 50%: status 500"
    assert lines[1].startswith("! f1 corruption in src/cart.ts:12")
    assert lines[2] == "◆ r1: hold: holding"
    assert guard_lines({}, Paint(False)) == []


DONE: dict[str, Any] = {
    "reaction": "r1", "actions": ["rollback-file", "restart-agent"], "finding": "f1", "runs": ["s-1/frontend#1"],
    "present": "s5", "to": "s1", "restored": ["src/cart.ts"], "total": 1, "responder": "", "assignments": ["frontend"],
    "reason": "", "detail": "", "ok": True, "started": 1.0, "ended": 1.5,
}  # fmt: skip


def test_what_a_reaction_has_done_is_said_when_it_is_over() -> None:
    assert done_text(DONE) == (
        "frontend frozen, kept as s5, restored src/cart.ts from s1, frontend started again (500ms)"
    )
    assert done_text({**DONE, "actions": ["alert"], "present": "", "restored": [], "runs": []}) == "told (500ms)"
    failed = {**DONE, "ok": False, "detail": "the disk is full", "restored": []}
    assert done_text(failed) == "frontend frozen, kept as s5, the disk is full (500ms)"
    view = {"findings": [FINDING], "reactions": [{**DONE, "reaction": "r2", "ended": None}, DONE]}
    lines = done_lines(view, Paint(False), 60)["r1"]
    assert lines[0].startswith("! corruption in src/cart.ts:12 by frontend")
    assert "  ✓ frontend frozen, kept as s5," in lines[2]
    assert max(map(visible, lines)) <= 60
    assert list(done_lines(view, Paint(False), 60)) == ["r1"], "what is under way has a line of its own"


def test_who_stands_still_is_said_to() -> None:
    still = {"state": "running", "outcome": "", "runs": [{"frozen": False}, {"frozen": True}]}
    assert word_of(still) == "frozen"
    assert word_of({**still, "runs": [{"frozen": True}, {"frozen": False}]}) == "running"


def test_what_files_hold_cannot_steer_the_terminal() -> None:
    shown = list(coloured_diff("--- a\n+\x1b[2Jboo\n", Paint(False)))
    assert shown == ["--- a", "+boo"]
    rows = listing(
        [{"snapshot": "s1", "time": 0.0, "label": "before\x1b[31m r1", "files": 2, "changed": 1}], Paint(False)
    )
    assert "\x1b" not in rows[0]
    assert visible(rows[0]) < 80
    text = restored({"restored": ["a\nb"], "removed": [], "failed": [], "total": 1, "present": "abc"})
    assert len(text[0].splitlines()) == 1
