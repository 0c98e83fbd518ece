"""From a session's events to its report. Pure: the same events and the same `Given` make the same report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from waved.domain import events as ev
from waved.domain import metrics as parallel
from waved.domain import view_guards
from waved.domain.checklists import checklists
from waved.domain.fold import begin, fold
from waved.domain.measures.figures import Figures
from waved.domain.measures.quality import Quality
from waved.domain.measures.work import Work
from waved.domain.state import Session, WaveState
from waved.domain.usage import add
from waved.domain.view import state_of
from waved.domain.view import summary as summary_of
from waved.plan.reporting import own_files
from waved.report import bounds
from waved.report.agents import Agents, gate_of, responders
from waved.report.bounds import Bounds, bounds_for, line
from waved.report.given import Given
from waved.report.model import (
    VERSION,
    ChangesReport,
    ChecklistReport,
    FileReport,
    FindingReport,
    ItemReport,
    Report,
    SnapshotReport,
    WaveReport,
)
from waved.report.story import Story


class Told:
    """A session with all its events folded, and what they amount to.

    Raises ValueError when the events do not begin with a submission.
    """

    def __init__(self, events: Iterable[ev.Event]) -> None:
        following = iter(events)
        submitted = next(following, None)
        if not isinstance(submitted, ev.SessionSubmitted):
            raise ValueError("the events do not begin with a session's submission")  # noqa: TRY004 — of the journal
        self.session: Session = begin(submitted)
        self.story = Story(self.session)
        self.work, self.quality = Work(), Quality(self.session.plan)
        for event in self.story.through(following):
            fold(self.session, event)
            if type(event) is not ev.RunActed:  # nearly all events of a long session, and of no concern to these
                self.work.heed(event)
                self.quality.heed(event)


def build(told: Told, now: float, given: Given) -> Report:
    """The report at `now` (waved's clock): of a session that has ended, of its end."""
    session, story = told.session, told.story
    at = session.ended if session.ended is not None else now
    story.close(at)
    limits = bounds_for(len(session.nodes), len(story.findings))
    files = _files(told, given)
    agents = Agents(session, story, told.work, given, limits, at, {each.path: each for each in files})
    told_agents = agents.all()
    measured = parallel.measure(session, at)
    changes = _changes(given, files)
    return Report(
        version=VERSION,
        session=session.id,
        name=session.plan.session.name,
        state=state_of(session),
        outcome=session.outcome,
        reason=line(session.held or session.reason, 2_000),
        workspace=session.workspace,
        folder=session.plan.session.folder or "",
        plan_path=session.plan_path,
        submitted_by=session.submitted_by,
        submitted=session.submitted,
        started=session.started,
        ended=session.ended,
        made=now,
        seconds=max(0.0, at - session.submitted),
        live=session.phase != "ended",
        waved=given.waved,
        events=story.events,
        last_seq=session.last_seq,
        totals=_totals(told, changes),
        parallel=measured.as_dict(),
        waves=[_wave(session, story, wave, limits) for wave in session.waves],
        agents=told_agents,
        responders=responders(session, limits, given),
        metrics=[each.as_dict() for each in Figures(session, told.work, told.quality, at).metrics()],
        checklists=_checklists(session, at),
        findings=[_finding(each, limits) for each in story.findings.values()],
        reactions=list(story.reactions.values()),
        moments=story.moments,
        preview=_preview(session, at),
        snapshots=_snapshots(session),
        changes=changes,
        left_out=_left_out(session, story, files),
    )


def _totals(told: Told, changes: ChangesReport) -> dict[str, Any]:
    session = told.session
    counts = summary_of(session)["agents"]
    runs = [run for run in session.runs.values() if run.purpose in ("agent", "responder")]
    telling = [run.usage for run in runs if run.usage.tokens]
    used = add(telling)
    cpu = [run.cpu_seconds for run in session.runs.values() if run.cpu_seconds is not None]
    passed, ran = told.quality.tests
    return {
        "agents": counts,
        "runs": len(runs),
        "attempts_repeated": sum(1 for run in runs if run.attempt > 1),
        "tokens": used.tokens if telling else None,
        "cost": used.cost if telling else None,
        "cost_unknown": sum(1 for usage in telling if usage.cost is None),
        "cpu_seconds": sum(cpu) if cpu else None,
        "files": changes.total if changes.known else len(told.work.files),
        "added": changes.added if changes.known else None,
        "removed": changes.removed if changes.known else None,
        "findings": told.story.found,
        "open_findings": len(session.guards.findings) if session.guards is not None else 0,
        "reactions": told.story.reacted,
        "rollbacks": told.story.rollbacks,
        "tests": {"passed": passed, "ran": ran},
    }


def _wave(session: Session, story: Story, wave: WaveState, limits: Bounds) -> WaveReport:
    ends = [run.ended for run in parallel.runs_of(session, wave) if run.ended is not None]
    over = wave.unended == 0 and ends
    return WaveReport(
        name=wave.plan.name,
        outcome=wave.outcome,
        state="gate" if wave.phase == "judged" else wave.phase,
        reason=line(wave.reason, limits.reason),
        started=wave.started,
        ended=wave.ended,
        judged_from=max(ends) if over else story.wave_done.get(wave.plan.name),
        attempt=wave.gate_attempt,
        skew=parallel.skew(parallel.runs_of(session, wave)),
        parallel=wave.limit is None or wave.limit > 1,
        gate=gate_of(wave.gate, limits),
        agents=list(wave.keys),
    )


def _finding(found: FindingReport, limits: Bounds) -> FindingReport:
    found.evidence = bounds.head(found.evidence.text, limits.evidence)
    return found


def _files(told: Told, given: Given) -> list[FileReport]:
    """What differs, with who was seen to change it. waved's own files are no agent's doing."""
    writers: dict[str, list[str]] = {}
    for assignment, paths in told.work.changed.items():
        for path in paths:
            if assignment:
                writers.setdefault(path, []).append(assignment)
    seen = told.work.files
    watched = bool(told.work.changed)
    verified = told.work.verified
    own = own_files(told.session.plan)
    return [
        FileReport(
            each.path, each.kind, each.added, each.removed, sorted(writers.get(each.path, ())),
            (each.path in verified) if watched and each.path in seen and each.kind != "deleted" else None,
        )
        for each in given.changes.files
        if each.path not in own or each.path in seen
    ]  # fmt: skip


def _changes(given: Given, files: list[FileReport]) -> ChangesReport:
    changes = given.changes
    if not changes.since:
        return ChangesReport(known=False, why=changes.why)
    # What changed most comes first: of many files, those are named.
    ranked = sorted(files, key=lambda each: ((each.added or 0) + (each.removed or 0), each.path), reverse=True)
    shown = sorted(ranked[: bounds.FILES], key=lambda each: each.path)
    return ChangesReport(
        known=True, why=changes.why, since=changes.since, until=changes.until, files=shown, total=len(files),
        added=sum(each.added or 0 for each in files), removed=sum(each.removed or 0 for each in files),
        diff=changes.diff[: bounds.DIFF], diff_cut=changes.truncated or len(changes.diff) > bounds.DIFF,
    )  # fmt: skip


def _checklists(session: Session, now: float) -> list[ChecklistReport]:
    """Those of the session (docs/checklists.md), and what was looked at before anything was started."""
    looked_at = [
        ItemReport(each.item, each.item, "ticked" if each.ok else "unticked", line(each.detail, 600), each.waived)
        for each in session.checklist
    ]
    titles = {"pre-deployment": "Before deployment", "completion": "Completion"}
    return [
        *([ChecklistReport("looked-at", "", "Looked at before the start", looked_at)] if looked_at else []),
        *(
            ChecklistReport(
                each.checklist, each.wave, titles.get(each.checklist, f"Wave {each.wave}"),
                [ItemReport(item.item, item.title, item.state, line(item.evidence, 600)) for item in each.items],
            )
            for each in checklists(session, now)
        ),
    ]  # fmt: skip


def _preview(session: Session, now: float) -> dict[str, Any] | None:
    found: dict[str, Any] | None = view_guards.view(session, now)["preview"]
    return found


def _snapshots(session: Session) -> list[SnapshotReport]:
    if session.guards is None:
        return []
    known = list(session.guards.snapshots.values())
    if len(known) > bounds.SNAPSHOTS:
        known = [*known[:10], *known[10 - bounds.SNAPSHOTS :]]
    return [
        SnapshotReport(
            each.name, line(each.label, 120), each.time, each.commit, each.files, each.changed, each.skipped,
            line(each.error, 300),
        )
        for each in known
    ]  # fmt: skip


def _left_out(session: Session, story: Story, files: list[FileReport]) -> dict[str, int]:
    """How many of each kind are not told."""
    snapshots = len(session.guards.snapshots) if session.guards is not None else 0
    counts = {
        "findings": story.found - len(story.findings),
        "reactions": story.reacted - len(story.reactions),
        "moments": story.happened - len(story.moments),
        "files": len(files) - bounds.FILES,
        "snapshots": snapshots - bounds.SNAPSHOTS,
    }
    return {name: count for name, count in counts.items() if count > 0}
