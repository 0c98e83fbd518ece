"""What a session's events tell that its state does not remember: all findings and reactions, moments, activity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from waved.domain import events as ev
from waved.domain.state import Session
from waved.report import bounds
from waved.report.bounds import line
from waved.report.model import FindingReport, Moment, ReactionReport, Text

_MOST_FILES = 40
_LONGEST = 400
_REST = "finished"
"""The state in which nothing is counted any more."""


class Story:
    """A fold over a session's events. Bounded: of what is told too often, the first and the number are kept."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.events = 1
        self.findings: dict[str, FindingReport] = {}
        self.found = 0
        self.reactions: dict[str, ReactionReport] = {}
        self.reacted = 0
        self.moments: list[Moment] = []
        self.happened = 0
        self.states: dict[str, dict[str, float]] = {}
        """By assignment: seconds in each state of its program."""
        self._at: dict[str, tuple[str, float]] = {}
        """By run: the state its program is in, and since when."""
        self.rollbacks = 0
        self.wave_done: dict[str, float] = {}
        """By wave: when its gate began."""

    def through(self, events: Iterable[ev.Event]) -> Iterator[ev.Event]:
        """The events, each after it was taken in."""
        for event in events:
            self.events += 1
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)
            yield event

    # --- activity -----------------------------------------------------------------------------------------------

    def _acted(self, event: ev.RunActed) -> None:
        if not event.state:
            return
        state, since = self._at.get(event.run, ("", 0.0))
        if state == event.state:
            return
        moment = event.since or event.time
        self._count(event.run, state, moment - since)
        self._at[event.run] = (event.state, moment)

    def _run_ended(self, event: ev.RunEnded) -> None:
        state, since = self._at.pop(event.run, ("", 0.0))
        self._count(event.run, state, (event.end_time or event.time) - since)

    def close(self, now: float) -> None:
        """All events were told: what goes on is counted until now."""
        for run, (state, since) in self._at.items():
            self._count(run, state, now - since)
        self._at.clear()

    def _count(self, run: str, state: str, seconds: float) -> None:
        known = self._session.runs.get(run)
        if state and state != _REST and seconds > 0 and known is not None and known.assignment:
            spent = self.states.setdefault(known.assignment, {})
            spent[state] = spent.get(state, 0.0) + seconds

    # --- findings and what was done -----------------------------------------------------------------------------

    def _finding(self, event: ev.FindingMade) -> None:
        self.found += 1
        if len(self.findings) < bounds.FINDINGS:
            self.findings[event.finding] = FindingReport(
                event.finding, event.monitor, event.severity, line(event.summary, _LONGEST),
                line(event.subject, _LONGEST), line(event.path, _LONGEST), event.line, event.assignment, event.run,
                Text(event.evidence), event.time,
            )  # fmt: skip
        self._mark(
            Moment(
                event.time, "finding", f"{event.monitor}: {line(event.summary, 200)}", event.assignment,
                event.severity, event.finding,
            )
        )  # fmt: skip

    def _cleared(self, event: ev.FindingCleared) -> None:
        found = self.findings.get(event.finding)
        if found is not None:
            found.cleared, found.reason, found.by = event.time, line(event.reason, _LONGEST), event.by

    def _reaction(self, event: ev.ReactionStarted) -> None:
        self.reacted += 1
        if len(self.reactions) >= bounds.REACTIONS:
            return
        agents = list(dict.fromkeys(event.assignments))
        known = self._session.guards.finding(event.finding) if self._session.guards is not None else None
        if not agents and known is not None and known.assignment:
            agents = [known.assignment]
        self.reactions[event.reaction] = ReactionReport(
            event.reaction, list(event.actions), event.finding, event.monitor, agents[:_MOST_FILES], event.scope,
            event.time, line(event.reason, _LONGEST), event.by, event.cause, event.responder,
        )  # fmt: skip
        if event.finding in self.findings:
            self.findings[event.finding].reactions.append(event.reaction)

    def _reaction_ended(self, event: ev.ReactionEnded) -> None:
        reaction = self.reactions.get(event.reaction)
        if reaction is not None:
            reaction.ended, reaction.ok, reaction.needless = event.time, event.ok, event.needless
            reaction.detail = line(event.detail, _LONGEST)

    def _restoring(self, event: ev.RestoreStarting) -> None:
        reaction = self.reactions.get(event.reaction)
        if reaction is not None:
            reaction.present, reaction.to = event.present, event.to

    def _restored(self, event: ev.RestoreEnded) -> None:
        if event.ok and event.total:
            self.rollbacks += 1
        reaction = self.reactions.get(event.reaction)
        if reaction is None:
            return
        reaction.restored, reaction.removed = event.restored[:_MOST_FILES], event.removed[:_MOST_FILES]
        reaction.total, reaction.restored_at = event.total, event.time
        reaction.to = event.to or reaction.to
        if event.total:
            files = "1 file" if event.total == 1 else f"{event.total} files"
            agent = reaction.agents[0] if len(reaction.agents) == 1 else ""
            self._mark(Moment(event.time, "rollback", f"rolled back {files}", agent, "", event.reaction))

    # --- moments ------------------------------------------------------------------------------------------------

    def _mark(self, moment: Moment) -> None:
        self.happened += 1
        if len(self.moments) < bounds.MOMENTS:
            self.moments.append(moment)

    def _held(self, event: ev.SessionHeld) -> None:
        self._mark(Moment(event.time, "hold", f"held: {line(event.reason, 200)}"))

    def _resumed(self, event: ev.SessionResumed) -> None:
        self._mark(Moment(event.time, "resume", f"resumed by {event.by}" if event.by else "resumed"))

    def _retried(self, event: ev.SessionRetried) -> None:
        who = ", ".join(event.assignments[:5]) + (" …" if len(event.assignments) > 5 else "")
        self._mark(Moment(event.time, "retry", f"{event.by or 'a person'} had run again: {who}"))

    def _wave_retried(self, event: ev.WaveRetried) -> None:
        self._mark(Moment(event.time, "retry", f"wave {event.wave} again: {len(event.assignments)} of its agents"))

    def _stop(self, event: ev.SessionStopRequested) -> None:
        self._mark(Moment(event.time, "stop", line(event.reason, 200)))

    def _limited(self, event: ev.ProviderLimited) -> None:
        run = self._session.runs.get(event.run)
        text = f"{event.provider} refuses calls" + (f": {line(event.reason, 120)}" if event.reason else "")
        self._mark(Moment(event.time, "limit", text, run.assignment if run is not None else ""))

    def _down(self, event: ev.PreviewFailed) -> None:
        self._mark(Moment(event.time, "preview-down", f"preview down: {line(event.reason, 200)}"))

    def _up(self, event: ev.PreviewAnswered) -> None:
        self._mark(Moment(event.time, "preview-up", "preview answers"))

    def _gate(self, event: ev.GateStarted) -> None:
        if not event.assignment:
            self.wave_done[event.wave] = event.time


_HANDLERS: dict[type[ev.Event], Callable[[Story, Any], None]] = {
    ev.RunActed: Story._acted,
    ev.RunEnded: Story._run_ended,
    ev.FindingMade: Story._finding,
    ev.FindingCleared: Story._cleared,
    ev.ReactionStarted: Story._reaction,
    ev.ReactionEnded: Story._reaction_ended,
    ev.RestoreStarting: Story._restoring,
    ev.RestoreEnded: Story._restored,
    ev.SessionHeld: Story._held,
    ev.SessionResumed: Story._resumed,
    ev.SessionRetried: Story._retried,
    ev.WaveRetried: Story._wave_retried,
    ev.SessionStopRequested: Story._stop,
    ev.ProviderLimited: Story._limited,
    ev.PreviewFailed: Story._down,
    ev.PreviewAnswered: Story._up,
    ev.GateStarted: Story._gate,
}
