"""The checklist of one wave: how it was started, watched and verified."""

from __future__ import annotations

from collections.abc import Iterator

from waved.domain.checklists.item import Checklist, Item, Tick, counted, decided, named
from waved.domain.checklists.starting import gaps, together
from waved.domain.state import CheckState, Session, WaveState
from waved.domain.state_guards import Finding
from waved.plan.guards import Monitor
from waved.plan.quantities import format_duration

_NOT_REACHED = "the wave was not reached"


def of_wave(session: Session, wave: WaveState) -> Checklist:
    """All items of a wave, in the order in which they are decided."""
    items = [
        _before(session, wave),
        _backup(session, wave),
        _tasks(wave),
        together(session, wave),
        gaps(session, wave),
        _monitors(session, wave),
        _progress(session, wave),
        _tools(session, wave),
        _agents(session, wave),
        _outputs(session, wave),
        _commands(session, wave),
        _corruption(session, wave),
        _verified(session, wave),
    ]
    if session.phase == "ended" and wave.phase == "waiting":
        items = [item if item.state != "open" else _unreached(item) for item in items]
    return Checklist("wave", wave.plan.name, items)


def _unreached(item: Item) -> Item:
    return Item(item.item, item.title, "unticked", _NOT_REACHED)


def _is_over(wave: WaveState) -> bool:
    return wave.phase == "ended"


def _before(session: Session, wave: WaveState) -> Item:
    name, title = "wave-before", "Changes of the wave before verified"
    if wave.index == 0:
        return Item(name, title, "not-applicable", "it is the first wave")
    other = session.waves[wave.index - 1]
    if other.phase != "ended":
        return Item(name, title, "open", "")
    told = f"{other.plan.name}: {other.outcome}" + (f" ({other.reason[:200]})" if other.reason else "")
    return Item(name, title, "ticked" if other.outcome == "passed" else "unticked", told)


def _backup(session: Session, wave: WaveState) -> Item:
    name, title = "backup", "Backup taken before the wave"
    if session.guards is None or not session.plan.snapshots.enabled:
        return Item(name, title, "not-applicable", "the plan keeps no snapshots")
    if wave.started is None:
        return Item(name, title, "open", "")
    snapshot = session.guards.snapshots.get(wave.base)
    if snapshot is None or not snapshot.commit:
        return Item(name, title, "unticked", f"snapshot {wave.base} is gone" if wave.base else "there is none")
    left_out = f", {snapshot.skipped:,} not kept" if snapshot.skipped else ""
    return Item(name, title, "ticked", f"snapshot {snapshot.name}: {counted(snapshot.files, 'file')}{left_out}")


def _tasks(wave: WaveState) -> Item:
    name, title = "tasks", "Independent tasks identified"
    tasks = wave.plan.tasks
    if not tasks:
        return Item(name, title, "not-applicable", "the plan gives the wave no tasks")
    dependent = [f"{task.name} (needs {named(task.requires)})" for task in tasks if task.requires]
    told = f"{len(tasks) - len(dependent)} of {counted(len(tasks), 'task')} independent"
    return Item(name, title, "ticked", told + (f"; dependent: {named(dependent)}" if dependent else ""))


def _of_wave(session: Session, wave: WaveState) -> list[Monitor]:
    return [each for each in session.plan.monitors if not each.waves or wave.plan.name in each.waves]


def _found(session: Session, wave: WaveState, labels: list[str]) -> list[Finding]:
    """Findings of these monitors in a wave, as far as they are remembered: all that are open, the last cleared."""
    guards = session.guards
    known = [*guards.findings.values(), *guards.cleared.values()] if guards is not None else []
    return [finding for finding in known if finding.wave == wave.index and finding.monitor in labels]


def _monitors(session: Session, wave: WaveState) -> Item:
    name, title = "monitors", "Monitors active"
    labels = [monitor.label for monitor in _of_wave(session, wave)]
    if session.guards is None or not labels:
        return Item(name, title, "not-applicable", "the plan has no monitor for this wave")
    if wave.started is None:
        return Item(name, title, "open", named(labels))
    blind = next((check.detail for _, check in _checks(session, wave) if check.guards and check.detail), "")
    changes = sum(w.changes for key in wave.keys if (w := session.guards.writings.get(key)) is not None)
    told = f"{counted(len(labels), 'monitor')}: {named(labels)}; {counted(changes, 'change')} of files seen"
    patrols = sum(session.guards.patrols[label].runs for label in labels if label in session.guards.patrols)
    if patrols:
        told += f"; commands were run {counted(patrols, 'time')}"
    if blind and any(check.ok is False and check.guards for _, check in _checks(session, wave)):
        return Item(name, title, "unticked", f"{told}; {blind.partition(chr(10))[0][:200]}")
    return Item(name, title, "ticked", told)


def _progress(session: Session, wave: WaveState) -> Item:
    name, title = "progress", "Progress watched"
    watching = [each for each in _of_wave(session, wave) if each.kind in ("progress", "file-changes")]
    if session.guards is None or not watching:
        return Item(name, title, "not-applicable", "the plan has no monitor of progress for this wave")
    said = []
    for each in watching:
        after = float(getattr(each, "after", 0.0) or getattr(each, "interval", 0.0))
        said.append(f"{each.label} (after {format_duration(after)})")
    found = _found(session, wave, [each.label for each in watching])
    if wave.started is None:
        return Item(name, title, "open", named(said))
    return Item(name, title, "ticked", f"{named(said)}; {counted(len(found), 'finding')}")


def _tools(session: Session, wave: WaveState) -> Item:
    name, title = "tools", "No forbidden tool used"
    forbidden = [*wave.plan.forbid_tools, *(tool for agent in wave.plan.agents for tool in agent.forbid_tools)]
    if not forbidden:
        return Item(name, title, "not-applicable", "the plan forbids no tool in this wave")
    used = [
        f"{tool} by {run.assignment}" for key in wave.keys for run in session.nodes[key].runs for tool in run.forbidden
    ]
    if used:
        return Item(name, title, "unticked", f"used: {named(used)}")
    return Item(name, title, decided(holds=True, over=_is_over(wave)), f"none of {named(forbidden)} was used")


def _agents(session: Session, wave: WaveState) -> Item:
    name, title = "agents", "All agents succeeded"
    nodes = [session.nodes[key] for key in wave.keys]
    good = [node for node in nodes if node.state == "ended" and node.outcome == "succeeded"]
    bad = [f"{node.key} ({node.outcome})" for node in nodes if node.state == "ended" and node.outcome != "succeeded"]
    told = f"{len(good)} of {len(nodes)}" + (f"; not: {named(bad)}" if bad else "")
    return Item(name, title, decided(holds=len(good) == len(nodes), over=_is_over(wave)), told)


def _checks(session: Session, wave: WaveState) -> Iterator[tuple[str, CheckState]]:
    """The checks of the wave's gate ("") and of its assignments' own, as far as those were gone through."""
    for key in wave.keys:
        gate = session.nodes[key].gate
        for check in gate.checks if gate is not None else ():
            yield key, check
    for check in wave.gate.checks if wave.gate is not None else ():
        yield "", check


def _outputs(session: Session, wave: WaveState) -> Item:
    name, title = "outputs", "Expected outputs there"
    wanted = [
        *(output.path for agent in wave.plan.agents for output in agent.produces),
        *(output.path for agent in wave.plan.agents if agent.gate is not None for output in agent.gate.outputs),
        *(output.path for output in wave.plan.gate.outputs),
    ]
    if not wanted:
        return Item(name, title, "not-applicable", "the plan expects none of this wave")
    checks = [check for _, check in _checks(session, wave) if check.outputs]
    missing = [check.detail.partition("\n")[0] or check.name for check in checks if check.ok is False]
    if missing:
        return Item(name, title, "unticked", named(missing))
    there = {output.path for check in checks if check.ok for output in check.outputs}
    state = decided(holds=set(wanted) <= there, over=_is_over(wave))
    files = [file for key in wave.keys for file in session.nodes[key].produced]
    told = f"{len(there)} of {len(set(wanted))}: {named(wanted)}"
    return Item(name, title, state, told + (f"; {counted(len(files), 'file')} found: {named(files)}" if files else ""))


def _commands(session: Session, wave: WaveState) -> Item:
    name, title = "tests", "Tests and commands passed"
    if not (wave.plan.gate.commands or any(agent.gate and agent.gate.commands for agent in wave.plan.agents)):
        return Item(name, title, "not-applicable", "the plan checks this wave with no command")
    checks = [(key, check) for key, check in _checks(session, wave) if check.command is not None]
    passed = [check for _, check in checks if check.ok]
    failed = [f"{check.name} ({key or 'the wave'})" for key, check in checks if check.ok is False]
    told = f"{len(passed)} of {counted(len(checks), 'command')} succeeded"
    counts = [check.tests for _, check in checks if check.tests is not None]
    if counts:
        ran = sum(count.get("total", 0) - count.get("skipped", 0) for count in counts)
        told += f", {sum(count.get('passed', 0) for count in counts):,} of {counted(ran, 'test')} passed"
    if failed:
        return Item(name, title, "unticked", f"{told}; failed: {named(failed)}")
    holds = bool(checks) and len(passed) == len(checks)
    return Item(name, title, decided(holds=holds, over=_is_over(wave)), told if checks else "none was run")


def _corruption(session: Session, wave: WaveState) -> Item:
    name, title = "corruption", "No corruption left"
    labels = [monitor.label for monitor in _of_wave(session, wave) if monitor.kind == "corruption"]
    if session.guards is None or not labels:
        return Item(name, title, "not-applicable", "the plan has no monitor of corruption for this wave")
    found = _found(session, wave, labels)
    left = [finding for finding in found if finding.cleared is None]
    if left:
        told = f"{counted(len(left), 'finding')} open: {named(finding.path or finding.summary for finding in left)}"
        return Item(name, title, "unticked", told)
    told = f"{counted(len(found), 'finding')}, all put right" if found else "none was found"
    return Item(name, title, decided(holds=True, over=_is_over(wave)), told)


def _verified(session: Session, wave: WaveState) -> Item:
    name, title = "verified", "Wave verified by its gate"
    if not _is_over(wave):
        return Item(name, title, "open", "")
    told = {"passed": "passed", "unverified": "there was nothing to check"}.get(wave.outcome, wave.outcome)
    checks = [check for check in (wave.gate.checks if wave.gate is not None else []) if not check.guards]
    if wave.outcome == "passed":
        own = sum(1 for key in wave.keys if session.nodes[key].verified)
        parts = [f"{counted(len(checks), 'check')} of the wave passed"] if checks else []
        parts += [f"{own} of {counted(len(wave.keys), 'agent')} passed a gate of their own"] if own else []
        told = "; ".join(parts)
    elif wave.reason:
        told += f": {wave.reason[:200]}"
    state: Tick = "ticked" if wave.outcome == "passed" else "unticked"
    return Item(name, title, state, told)
