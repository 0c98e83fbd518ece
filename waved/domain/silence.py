"""Monitors of time: no file changes (M1), no progress (M4), a time limit nears or has passed (M5); and commands that
are run again and again (M7).
"""

from __future__ import annotations

from waved.domain import events as ev
from waved.domain import ladders
from waved.domain.limits import run_limit
from waved.domain.state import Session, WaveState
from waved.domain.state_guards import PERSON, Guards, key_of
from waved.domain.telling import made
from waved.plan.guards import CommandMonitor, FileChangesMonitor
from waved.plan.quantities import format_duration


def decide(session: Session, guards: Guards, now: float) -> list[ev.Event]:
    """A finding that is due, or a command."""
    if not (guards.timed or guards.warnings or guards.stalled or guards.overran):
        return []
    for runs, kind in ((guards.stalled, "progress"), (guards.overran, "timeouts")):
        for run, summary in runs.items():
            if found := _of_run(session, guards, run, kind, summary):
                return found
    wave = session.current
    if wave is None or session.held:
        return []
    due = _warning_due(session, guards)
    if due is not None and now >= due:
        return _near_limit(session, guards)
    for place in guards.timed:
        monitor = session.plan.monitors[place]
        if isinstance(monitor, FileChangesMonitor):
            quiet = _quiet_due(session, guards, monitor, wave)
            if quiet is not None and now >= quiet:
                text = f"no file has changed for {format_duration(now - (guards.quiet_since or now))}"
                return [made(session, guards, monitor.label, text)]
        elif isinstance(monitor, CommandMonitor) and (found := _command(session, guards, monitor, wave, now)):
            return found
    return []


def deadlines(session: Session, guards: Guards) -> list[float | None]:
    """When one of them has something to say."""
    wave = session.current
    if wave is None or session.held:
        return []
    times: list[float | None] = [_warning_due(session, guards)]
    for place in guards.timed:
        monitor = session.plan.monitors[place]
        if isinstance(monitor, FileChangesMonitor):
            times.append(_quiet_due(session, guards, monitor, wave))
        elif isinstance(monitor, CommandMonitor):
            times.append(_command_due(session, guards, monitor, wave))
    return times


def _of_run(session: Session, guards: Guards, name: str, kind: str, summary: str) -> list[ev.Event]:
    """A finding of each monitor of that kind, about one run; none while something is done about the one before."""
    run = session.runs[name]
    found: list[ev.Event] = []
    for number, label in enumerate(ladders.labels_for(session, kind, run.assignment)):
        if key_of(label, run.assignment) in guards.reacting:
            continue
        one = made(session, guards, label, summary, assignment=run.assignment, run=name, evidence=run.tail)
        one.finding = f"d{guards.own + 1 + number}"
        found.append(one)
    return found


def _warning_due(session: Session, guards: Guards) -> float | None:
    """When the next run nears its time limit."""
    if not guards.warnings:
        return None
    when, name = guards.warnings[0]
    assignment = session.runs[name].assignment
    labels = ladders.labels_for(session, "timeouts", assignment)
    return when if any(key_of(label, assignment) not in guards.reacting for label in labels) else None


def _near_limit(session: Session, guards: Guards) -> list[ev.Event]:
    name = guards.warnings[0][1]
    run = session.runs[name]
    ran = format_duration(guards.warnings[0][0] - run.decided)
    return _of_run(session, guards, name, "timeouts", f"has run {ran} of its {format_duration(run.timeout or 0)}")


def _quiet_due(session: Session, guards: Guards, monitor: FileChangesMonitor, wave: WaveState) -> float | None:
    """When the silence has lasted too long; said again after as long, where the ladder has more to offer."""
    if guards.quiet_since is None or not ladders.applies(session, monitor) or wave.phase != "running":
        return None
    if guards.frozen and all(is_frozen_by_person(guards, run) for run in session.active):
        return None  # nobody can write
    key = key_of(monitor.label, "")
    if key in guards.reacting:
        return None
    before = guards.open_by_subject.get(key)
    if before is None:
        return guards.quiet_since + monitor.interval
    if ladders.only_alerts(ladders.steps_of(session.plan, monitor.label)):
        return None
    return guards.findings[before].made + monitor.interval


def is_frozen_by_person(guards: Guards, run: str) -> bool:
    """Whether a run stands still because a person wants it to."""
    entry = guards.frozen.get(run)
    return entry is not None and PERSON in entry.holders


def _command_due(session: Session, guards: Guards, monitor: CommandMonitor, wave: WaveState) -> float | None:
    patrol = guards.patrols[monitor.label]
    if patrol.run or not session.active_agents or not ladders.applies(session, monitor):
        return None
    return patrol.next if patrol.next is not None else (wave.started or 0.0) + monitor.interval


def _command(session: Session, guards: Guards, monitor: CommandMonitor, wave: WaveState, now: float) -> list[ev.Event]:
    patrol = guards.patrols[monitor.label]
    if patrol.failed and key_of(monitor.label, "") not in guards.reacting:
        run = session.runs[patrol.failed]
        return [made(session, guards, monitor.label, run.reason or run.outcome, run=run.id, evidence=run.tail)]
    due = _command_due(session, guards, monitor, wave)
    if due is None or now < due:
        return []
    timeout, whose = run_limit(session, wave, monitor.timeout, "monitor", now)
    name = f"{session.id}/monitor@{monitor.label}#{patrol.runs + 1}"
    return [
        ev.RunStarting(
            session.id, name, wave.plan.name, "monitor", monitor.label,
            attempt=patrol.runs + 1, timeout=timeout, timeout_of=whose,
        )
    ]  # fmt: skip
