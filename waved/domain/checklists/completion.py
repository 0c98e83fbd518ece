"""The checklist of a session's completion."""

from __future__ import annotations

from waved.domain.checklists.item import Checklist, Item, Tick, counted, decided, named
from waved.domain.state import Session
from waved.plan.reporting import change_log_of


def completion(session: Session, now: float) -> Checklist:
    """Tasks, findings, preview, what still runs, change log and report."""
    return Checklist(
        "completion",
        "",
        [
            _tasks(session),
            _findings(session),
            _preview(session, now),
            _nothing_runs(session),
            _change_log(session),
            _report(session),
        ],
    )


def _is_over(session: Session) -> bool:
    return session.phase == "ended"


def _tasks(session: Session) -> Item:
    """Of an agent without tasks: itself."""
    name, title = "tasks", "All tasks verified complete"
    nodes = session.nodes.values()
    noun = "agent" if not any(node.tasks for node in nodes) else "task"
    if noun == "task" and not all(node.tasks for node in nodes):
        noun = "piece of work"
    total = done = verified = 0
    missing: list[str] = []
    unverified: list[str] = []
    for node in nodes:
        of_node = [task.name for task in node.tasks] or [node.key]
        total += len(of_node)
        if node.state != "ended" or node.outcome != "succeeded":
            missing += of_node
            continue
        done += len(of_node)
        if node.verified or session.waves[node.wave].outcome == "passed":
            verified += len(of_node)
        else:
            unverified += of_node
    told = f"{done} of {counted(total, noun, 'pieces of work' if noun == 'piece of work' else '')} succeeded,"
    told += f" {verified} verified"
    if _is_over(session):
        told += f"; not done: {named(missing)}" if missing else ""
        told += f"; unverified: {named(unverified)}" if unverified else ""
    holds = verified == total and not session.outcome.startswith(("failed", "stopped", "timed-out", "refused"))
    return Item(name, title, decided(holds=holds, over=_is_over(session)), told)


def _findings(session: Session) -> Item:
    name, title = "findings", "No corruption and no other finding left open"
    guards = session.guards
    if guards is None or not session.plan.monitors:
        return Item(name, title, "not-applicable", "the plan has no monitors")
    made = guards.made + guards.own
    if guards.findings:
        left = named(f"{found.monitor} {found.path or found.assignment}".strip() for found in guards.findings.values())
        state: Tick = "unticked" if _is_over(session) else "open"
        return Item(name, title, state, f"{len(guards.findings)} of {counted(made, 'finding')} open: {left}")
    told = f"{counted(made, 'finding')}, all cleared" if made else "nothing was found"
    return Item(name, title, decided(holds=True, over=_is_over(session)), told)


def _preview(session: Session, now: float) -> Item:
    name, title = "preview", "Preview functional"
    preview = session.guards.preview if session.guards is not None else None
    if preview is None:
        return Item(name, title, "not-applicable", "the plan has no preview")
    passed = max(0.0, now - preview.changed) if preview.watched_from is not None else 0.0
    seconds, up = preview.seconds + passed, preview.seconds_up + (passed if preview.up else 0.0)
    told = f"{preview.url or (session.plan.preview.url if session.plan.preview else '')}"
    told += f", up {up:.0f} of {seconds:.0f} s" if seconds else ""
    if not _is_over(session):
        return Item(name, title, "open", told + (", answers now" if preview.up else ", does not answer now"))
    if preview.at_end is None:
        return Item(name, title, "unticked", f"{told}; it was never looked at")
    if not preview.at_end:
        return Item(name, title, "unticked", f"{told}; it did not answer at the end: {preview.reason}"[:400])
    return Item(name, title, "ticked", f"{told}; it answered to the end")


def _nothing_runs(session: Session) -> Item:
    name, title = "nothing-runs", "No agent left running"
    left = list(session.active)
    if left:
        return Item(name, title, "open", f"{counted(len(left), 'run')} under way: {named(left)}")
    leftovers = sum(len(run.leftovers) for run in session.runs.values())
    told = f"{counted(len(session.runs), 'run')}, all ended"
    told += f"; {counted(leftovers, 'process', 'processes')} left behind by them were ended" if leftovers else ""
    lost = [run.id for run in session.runs.values() if run.outcome == "lost"]
    told += f"; nobody can say how these ended: {named(lost)}" if lost else ""
    return Item(name, title, decided(holds=True, over=_is_over(session)), told)


def _change_log(session: Session) -> Item:
    name, title = "change-log", "change_log.md updated"
    if not session.plan.report.enabled or not change_log_of(session.plan):
        return Item(name, title, "not-applicable", "the plan names no place for a change log")
    report = session.report
    if report is None or report.state == "writing":
        return Item(name, title, _until_written(session), "")
    if report.change_log:
        return Item(name, title, "ticked", report.change_log)
    return Item(name, title, "unticked", report.error or "it was not written")


def _report(session: Session) -> Item:
    name, title = "report", "Session report written"
    if not session.plan.report.enabled:
        return Item(name, title, "not-applicable", "the plan says `[report] enabled = false`")
    report = session.report
    if report is None or report.state == "writing":
        return Item(name, title, _until_written(session), "")
    if report.state == "written":
        more = f" and {counted(len(report.files) - 1, 'more form')}" if len(report.files) > 1 else ""
        told = report.files[0] + more if report.files else "in waved's own folder"
        return Item(name, title, "ticked", told + (f"; {report.error}" if report.error else ""))
    return Item(name, title, "unticked", report.error or "it was not written")


def _until_written(session: Session) -> Tick:
    """Open as long as it may still be written."""
    return "unticked" if _is_over(session) and session.report is None else "open"
