"""`wavectl status`: a session's waves and assignments as they stand."""

from __future__ import annotations

from typing import Any

from wavectl.views.acting import acting_note, refusing
from wavectl.views.checklist import checklist_lines
from wavectl.views.checklists import in_short, of_completion, of_wave
from wavectl.views.guards import guard_lines
from wavectl.views.report import report_lines
from wavectl.views.responders import answered, responders_in
from wavectl.views.text import Paint, columns, first_line, one_line
from wavectl.views.words import coloured, glyph, word_of
from waved.amounts import lasting, size

WIDE = 120
"""Columns of a terminal on which there is room for what runs use."""


def header(view: dict[str, Any], paint: Paint, now: float) -> str:
    """Name, state, wave and time of a session in one line."""
    word = word_of(view)
    end = view["ended"] if view["ended"] is not None else now
    parts = [f"{glyph(word, paint)} {paint(view['name'], 'bold')}", coloured(word, paint)]
    if view["state"] != "ended" and view["wave"]:
        position = min(view["waves_done"] + 1, view["waves_total"])
        parts.append(f"wave {view['wave']} ({position} of {view['waves_total']})")
    parts.append(lasting(max(0.0, end - view["submitted"])))
    return "  ".join(parts)


def with_counts(view: dict[str, Any]) -> dict[str, Any]:
    """The view with `waves_done` and `waves_total` beside its list of waves."""
    done = sum(1 for wave in view["waves"] if wave["state"] == "ended")
    return {**view, "waves_done": done, "waves_total": len(view["waves"])}


def elapsed(assignment: dict[str, Any], now: float) -> float | None:
    """Seconds of the assignment's present (or last) run; None before the first started."""
    runs = [run for run in assignment["runs"] if run["started"] is not None]
    if not runs:
        return None
    last = runs[-1]
    return max(0.0, float((last["ended"] if last["ended"] is not None else now) - last["started"]))


def assignment_row(assignment: dict[str, Any], paint: Paint, now: float) -> list[str]:
    """Cells of one assignment: sign, key, word, attempt, time, reason; the note says what all its attempts used."""
    word = word_of(assignment)
    note = first_line(assignment["reason"])
    if assignment["state"] == "backing-off" and assignment["retry_at"]:
        note = f"again in {lasting(max(0.0, assignment['retry_at'] - now))}: {note}"
    elif assignment["state"] == "waiting" and assignment["requires"]:
        note = "needs " + ", ".join(assignment["requires"])
    elif word == "succeeded" and not assignment["verified"]:
        note = note or "unverified"
    return _row(assignment, [note], paint, now)


def responder_row(view: dict[str, Any], one: dict[str, Any], paint: Paint, now: float) -> list[str]:
    """The same cells of what a reaction has started; the note says for what."""
    return _row(one, [answered(view, one), first_line(one["reason"])], paint, now)


def rows_of_wave(view: dict[str, Any], wave: dict[str, Any], paint: Paint, now: float) -> list[list[str]]:
    """The assignments of a wave, and below them the responders that were started in it."""
    rows = [assignment_row(one, paint, now) for one in wave["assignments"]]
    return [*rows, *(responder_row(view, one, paint, now) for one in responders_in(view, wave["name"]))]


def _row(thing: dict[str, Any], notes: list[str], paint: Paint, now: float) -> list[str]:
    word = word_of(thing)
    again = f"attempt {thing['attempt']}" if thing["attempt"] > 1 else ""
    note = " · ".join(filter(None, [*notes, acting_note(thing["runs"], now)]))
    return [
        glyph(word, paint), thing["key"], coloured(word, paint), again, lasting(elapsed(thing, now)),
        paint(note, "" if word in ("failed", "oom", "timed-out", "lost") else "dim"),
    ]  # fmt: skip


def usage_cells(assignment: dict[str, Any], usage: dict[str, Any]) -> list[str]:
    """Processor time and memory of the assignment's last run: now, or in all and at most once it has ended."""
    if not assignment["runs"]:
        return ["", ""]
    run = assignment["runs"][-1]
    now = usage.get(run["run"])
    cpu = now["cpu_seconds"] if now else run.get("cpu_seconds")
    memory = now["memory"] if now else run.get("memory_peak") or run.get("max_rss")
    return [f"cpu {lasting(cpu)}" if cpu is not None else "", size(memory) if memory else ""]


def gate_lines(gate: dict[str, Any] | None, paint: Paint) -> list[str]:
    """The checks of a gate, one a line."""
    lines = []
    for check in gate["checks"] if gate else ():
        word = check["state"] if check["state"] != "ended" else ("passed" if check["ok"] else "failed")
        detail = first_line(check["detail"]) if check["state"] == "ended" else ""
        lines.append(f"{glyph(word, paint)} {one_line(check['name'])}  {paint(detail, 'dim')}".rstrip())
    return lines


def wave_title(wave: dict[str, Any], paint: Paint, now: float) -> str:
    """A wave in one line: its word, time, skew and reason."""
    word = word_of(wave)
    parts = [f"{glyph(word, paint)} {paint(wave['name'], 'bold')}", coloured(word, paint)]
    if wave["started"] is not None:
        parts.append(lasting(max(0.0, (wave["ended"] if wave["ended"] is not None else now) - wave["started"])))
    if wave["skew"] is not None:
        parts.append(paint(f"start skew {lasting(wave['skew'])}", "dim"))
    if wave["reason"]:
        parts.append(first_line(wave["reason"]))
    return "  ".join(parts)


def status(view: dict[str, Any], paint: Paint, usage: dict[str, Any] | None = None) -> list[str]:
    """The whole session. `usage`: what runs use now, by run; given where there is room for it (`WIDE`)."""
    view = with_counts(view)
    now = view["now"]
    lines = [header(view, paint, now)]
    lines.append(paint(f"  session {view['session']}  workspace {one_line(view['workspace'])}", "dim"))
    if view["reason"]:
        lines.append(f"  {first_line(view['reason'])}")
    lines += [f"  {text}" for text in refusing(view)]
    if any(not item["ok"] for item in view["checklist"]) or view["state"] == "checking":
        lines += ["", *("  " + line for line in checklist_lines(view["checklist"], paint))]
    guards = guard_lines(view, paint)
    if guards:
        lines += ["", *("  " + line for line in guards)]
    for wave in view["waves"]:
        lines += ["", "  " + wave_title(wave, paint, now)]
        rows = rows_of_wave(view, wave, paint, now)
        if usage is not None:
            used = [usage_cells(one, usage) for one in (*wave["assignments"], *responders_in(view, wave["name"]))]
            rows = [[*row[:5], *cells, *row[5:]] for row, cells in zip(rows, used, strict=True)]
        lines += columns(rows, right=(4,) if usage is None else (4, 5, 6), indent=4)
        lines += [f"    {line}" for line in gate_lines(wave["gate"], paint)]
        if wave["started"] is not None and (ticked := of_wave(view, wave["name"])) is not None:
            lines += [f"    {line}" for line in in_short(ticked, paint)]
    done = of_completion(view)
    if view["state"] == "ended" and done is not None:
        lines += ["", *(f"  {line}" for line in in_short(done, paint))]
    report = report_lines(view, paint)
    return [*lines, "", *report] if report else lines
