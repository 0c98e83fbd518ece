"""What clients are shown of a session, as plain values (docs/architecture.md, "Wire"): a reading of its state."""

from __future__ import annotations

from typing import Any

from waved.domain import budgets, metrics, view_guards
from waved.domain.checklists import checklists
from waved.domain.gate import build_checks
from waved.domain.state import CheckState, Gate, Node, Run, Session, WaveState

_MAX_RUNS = 20_000
"""Runs in one view: with more, only the newest of each assignment are shown (an answer has a size limit)."""
_MOST_RESPONDERS = 200
"""Responses in one view; of more, the newest are shown."""
_MAX_TEXT = 4000
"""Characters of a reason or detail; the whole is in the journal."""


def state_of(session: Session) -> str:
    """The session's state in one word: checking, running, held, stopping, ended."""
    return "held" if session.held and session.phase == "running" else session.phase


def summary(session: Session) -> dict[str, Any]:
    """One line of `wavectl list`."""
    wave = session.current
    counts = {"total": len(session.nodes), "running": 0, "succeeded": 0, "failed": 0, "skipped": 0, "waiting": 0}
    for node in session.nodes.values():
        counts[_count_as(node)] += 1
    return {
        "session": session.id,
        "name": session.plan.session.name,
        "state": state_of(session),
        "outcome": session.outcome,
        "reason": (session.held or session.reason)[:_MAX_TEXT],
        "workspace": session.workspace,
        "submitted": session.submitted,
        "started": session.started,
        "ended": session.ended,
        "wave": wave.plan.name if wave is not None else "",
        "waves": {"done": sum(1 for other in session.waves if other.phase == "ended"), "total": len(session.waves)},
        "agents": counts,
        **view_guards.summary(session),
    }


def view(session: Session, now: float) -> dict[str, Any]:
    """Everything `wavectl status` and the live views show."""
    return {
        **summary(session),
        "plan_path": session.plan_path,
        "submitted_by": session.submitted_by,
        "last_seq": session.last_seq,
        "deadline": session.deadline,
        "now": now,
        "checklist": [
            {"item": item.item, "ok": item.ok, "detail": item.detail, "hint": item.hint, "waived": item.waived}
            for item in session.checklist
        ],
        "waves": [_wave(session, wave) for wave in session.waves],
        "budgets": budgets.limits_of(session),
        "spent": {scope: {"tokens": spent.tokens, "cost": spent.cost} for scope, spent in session.spent.items()},
        "providers": [
            {"provider": limit.provider, "until": limit.until, "room": limit.room, "reason": limit.reason}
            for limit in session.providers.values()
        ],
        **view_guards.view(session, now),
        "responders": _responders(session),
        "checklists": [each.as_dict() for each in checklists(session, now)],
        "metrics": metrics.measure(session, now).as_dict(),
        "report": _report(session),
    }


def _report(session: Session) -> dict[str, Any] | None:
    """What became of the report; None where none is written (yet)."""
    report = session.report
    if report is None:
        return None
    return {
        "state": report.state,
        "files": list(report.files),
        "change_log": report.change_log,
        "snapshot": report.snapshot,
        "error": report.error[:_MAX_TEXT],
        "seconds": report.seconds,
    }


def _count_as(node: Node) -> str:
    if node.state in ("starting", "running", "checking"):
        return "running"
    if node.state != "ended":
        return "waiting"
    return node.outcome if node.outcome in ("succeeded", "skipped") else "failed"


def _wave(session: Session, wave: WaveState) -> dict[str, Any]:
    kept = max(3, _MAX_RUNS // len(session.nodes))
    return {
        "name": wave.plan.name,
        "index": wave.index,
        "state": "gate" if wave.phase == "judged" else wave.phase,
        "outcome": wave.outcome,
        "reason": wave.reason[:_MAX_TEXT],
        "started": wave.started,
        "ended": wave.ended,
        "deadline": wave.deadline,
        "attempt": wave.gate_attempt,
        "skew": metrics.skew(metrics.runs_of(session, wave)),
        "gate": _gate(wave.gate) if wave.gate is not None else _gate_ahead(session, wave),
        "assignments": [_assignment(session, session.nodes[key], kept) for key in wave.keys],
    }


def _gate_ahead(session: Session, wave: WaveState) -> dict[str, Any] | None:
    """The gate that is still to come, so that a viewer sees what will be checked; None where nothing will be."""
    checks = build_checks(session, wave, None)
    if not checks:
        return None
    return {"gate": "", "state": "waiting", "verdict": "", "reason": "", "checks": [_check(check) for check in checks]}


def _gate(gate: Gate) -> dict[str, Any]:
    return {
        "gate": gate.id,
        "state": gate.state,
        "verdict": gate.verdict,
        "reason": gate.reason[:_MAX_TEXT],
        "checks": [_check(check) for check in gate.checks],
    }


def _check(check: CheckState) -> dict[str, Any]:
    return {
        "name": check.name,
        "state": check.state,
        "ok": check.ok,
        "detail": check.detail[:_MAX_TEXT],
        "tests": check.tests,
        "run": check.run,
    }


def _assignment(session: Session, node: Node, kept: int) -> dict[str, Any]:
    return {
        "key": node.key,
        "agent": node.agent.name,
        "tasks": [task.name for task in node.tasks],
        "requires": list(node.requires),
        "domain": node.agent.domain or "",
        "program": node.agent.program,
        "critical": node.agent.critical,
        "state": node.state,
        "outcome": node.outcome,
        "reason": (node.reason or (node.failure if node.state == "backing-off" else ""))[:_MAX_TEXT],
        "verified": node.verified,
        "attempt": node.attempt,
        "retry_at": node.retry_at,
        "timeout": node.agent.timeout,
        "gate": _gate(node.gate) if node.gate is not None else None,
        **view_guards.writing(session, node),
        "runs": [_run(session, run) for run in node.runs[-kept:]],
    }


def _responders(session: Session) -> list[dict[str, Any]]:
    """What reactions have started, oldest first: a responder's runs for one reaction, told much as an assignment's."""
    if not session.plan.responders:
        return []
    found: dict[str, list[Run]] = {}
    for run in session.runs.values():
        if run.purpose == "responder":
            found.setdefault(run.reaction, []).append(run)
    return [_responder(session, name, runs) for name, runs in [*found.items()][-_MOST_RESPONDERS:]]


def _responder(session: Session, name: str, runs: list[Run]) -> dict[str, Any]:
    guards, last = session.guards, runs[-1]
    reaction = (guards.reactions.get(name) or guards.past.get(name)) if guards is not None else None
    agent = next((each for each in session.plan.responders if each.name == last.agent), None)
    # Between two attempts it has not ended: its reaction, which goes on, starts it again.
    again = last.state == "ended" and not last.succeeded and reaction is not None and reaction.ended is None
    ended = last.state == "ended" and not again
    known = last.outcome in ("stopped", "timed-out", "lost")
    outcome = "succeeded" if last.succeeded else last.outcome if known else "failed"
    return {
        "key": f"{last.agent}@{name}",
        "agent": last.agent,
        "wave": session.waves[last.wave].plan.name,
        "reaction": name,
        "finding": reaction.finding if reaction is not None else "",
        "program": agent.program if agent is not None else "command",
        "state": "backing-off" if again else "ended" if ended else "running" if last.started else "starting",
        "outcome": outcome if ended else "",
        "reason": "" if last.succeeded else last.reason[:_MAX_TEXT],
        "attempt": last.attempt,
        "timeout": agent.timeout if agent is not None else None,
        "runs": [_run(session, run) for run in runs[-20:]],
    }


def _run(session: Session, run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "attempt": run.attempt,
        "state": run.state,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "reason": (run.reason or run.stop_reason)[:_MAX_TEXT],
        "pid": run.pid,
        "started": run.started,
        "ended": run.ended,
        "output_bytes": run.output_bytes,
        "dropped_bytes": run.dropped_bytes,
        "rotated_bytes": run.rotated_bytes,
        "leftovers": list(run.leftovers),
        "cpu_seconds": run.cpu_seconds,
        "max_rss": run.max_rss,
        "memory_peak": run.memory_peak,
        "cause": run.cause,
        "acting": run.acting,
        "acting_since": run.acting_since,
        "tool": run.tool,
        "detail": run.acting_detail,
        "behind": run.behind,
        "reset_at": run.reset_at,
        "model": run.model,
        "version": run.version,
        "usage": run.usage.as_dict(),
        "last_words": run.last_words,
        "frozen": view_guards.is_frozen(session, run.id),
        "frozen_for": view_guards.frozen_for(session, run.id),
        "stood": view_guards.stood(session, run),
    }
