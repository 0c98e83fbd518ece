"""What must hold of every history of a guarded session, judged from its events alone. Beside `ledger`, which judges
what holds of every session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from waved.domain import events as ev
from waved.domain import ladders
from waved.plan import globs

if TYPE_CHECKING:
    from ledger import Ledger


class GuardLedger:
    """Sees the events one by one; raises AssertionError at the first that must not be."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.plan = ledger.plan
        self.open: dict[str, ev.FindingMade] = {}
        self.findings: dict[str, ev.FindingMade] = {}
        self.reactions: dict[str, ev.ReactionStarted] = {}
        """Under way."""
        self.seen: set[str] = set()
        self.rungs: dict[tuple[str, str], tuple[int, int]] = {}
        """By monitor and subject: the rung taken last, and how often."""
        self.asked: dict[str, ev.SnapshotTaking] = {}
        self.taken: dict[str, ev.SnapshotTaken] = {}
        self.restoring = ""
        self.restored: set[str] = set()
        self.again: set[str] = set()
        """Assignments that start again because of a reaction."""
        self.given_up: set[str] = set()
        """Assignments whose ladder is used up."""
        self.frozen: dict[str, str] = {}
        self.by_person: set[str] = set()
        """Runs that a person wants frozen."""
        """Runs that were asked to stand still and not to go on: freezing, frozen, failed."""
        self.ended_for: dict[str, str] = {}
        """By run: the reaction that ends it."""
        self.dropped: dict[str, str] = {}
        """By gate: the reaction that put an end to it."""
        self.let_go: set[tuple[str, str]] = set()
        """(reaction, assignment) that began anew meanwhile."""
        self.judged_at: dict[str, int] = {}
        self.waves_begun = 0
        self.guarded = False

    def see(self, event: ev.Event) -> None:
        """Judge and remember one event."""
        handler = getattr(self, "_" + event.kind.replace(".", "_").replace("-", "_"), None)
        if handler is not None:
            handler(event)

    def _session_submitted(self, event: ev.SessionSubmitted) -> None:
        self.guarded = event.guarded

    def at_rest(self) -> None:
        """Nothing follows any more: what is frozen is so for a reaction, or a person."""
        for run in self.frozen:
            holders = [each for each in self.reactions.values() if run in each.runs]
            assert holders or run in self.by_person or run in self.ledger.cut, f"{run} stays frozen for nothing"

    def _session_ended(self, _event: ev.SessionEnded) -> None:
        assert not self.reactions, "a reaction outlives its session"
        assert not self.frozen, "a frozen run outlives its session"

    def _session_held(self, event: ev.SessionHeld) -> None:
        assert event.reason, "held for no stated reason"
        assert not event.reaction or event.reaction in self.reactions

    def _wave_started(self, event: ev.WaveStarted) -> None:
        assert not self.reactions, "a wave starts while files may be brought back"
        if self.guarded and self.plan.snapshots.enabled:
            label = "session" if self.waves_begun == 0 else f"wave {event.wave}"
            mine = [name for name, asked in self.asked.items() if asked.label == label]
            assert any(name in self.taken for name in mine), f"{event.wave} starts and what was there is not kept"
        self.waves_begun += 1

    def _wave_ended(self, _event: ev.WaveEnded) -> None:
        assert not self.reactions, "a wave ends before what is done about findings has"

    # --- findings and ladders -----------------------------------------------------------------------------------

    def _finding_made(self, event: ev.FindingMade) -> None:
        assert event.finding not in self.findings, f"{event.finding} is made twice"
        same = [name for name, each in self.open.items() if _key(each) == _key(event)]
        for name in same:
            del self.open[name]
        self.open[event.finding] = self.findings[event.finding] = event

    def _finding_cleared(self, event: ev.FindingCleared) -> None:
        assert self.open.pop(event.finding, None) is not None, f"{event.finding} is cleared, but not open"

    def _reaction_started(self, event: ev.ReactionStarted) -> None:
        assert event.reaction not in self.seen, "a reaction's name is used once"
        assert self.ledger.state == "running"
        assert not event.scope or self.plan.snapshots.enabled
        self.seen.add(event.reaction)
        for other in self.reactions.values():
            assert not event.finding or _key(other) != _key(event), "two reactions to one subject"
        self.reactions[event.reaction] = event
        if event.finding:
            assert event.finding in self.open
            self._climbed(event)
            self._concerned(event, self.findings[event.finding])

    def _climbed(self, event: ev.ReactionStarted) -> None:
        steps = ladders.steps_of(self.plan, event.monitor)
        rung, used = self.rungs.get(_key(event), (0, 0))
        assert event.step >= rung, "a ladder is never descended"
        assert event.step <= rung + 1
        used = used + 1 if event.step == rung else 1
        self.rungs[_key(event)] = (event.step, used)
        if event.step < len(steps):
            assert set(event.actions) == set(steps[event.step].do)
            assert used <= steps[event.step].times or ladders.only_alerts(steps), "a rung is taken too often"
        else:
            assert set(event.actions) & {"give-up", "hold"}, "a ladder that is used up ends"
            assert "hold" in event.actions or used == 1 or event.assignments, "it goes on for ever"

    def _concerned(self, event: ev.ReactionStarted, found: ev.FindingMade) -> None:
        """Who is not concerned never notices."""
        if event.scope == "wave" or "stop-all" in event.actions:
            return
        writer = found.assignment or self.ledger.assignment_of(found.run)
        writer = writer if writer in self.ledger.assignments else ""
        for run in event.runs:
            own = self.ledger.assignment_of(run)
            assert not writer or own == writer, f"{run} is frozen for what {writer} did"
            if not writer and found.run != run and found.path and own:
                owns = self.ledger.agents[self.ledger.assignments[own].agent].owns
                assert not owns or any(globs.matches(each, found.path) for each in owns), (
                    f"{run} cannot have written it"
                )
        for key in event.assignments:
            assert key == writer, f"{key} is started again for what {writer or 'somebody'} did"

    def _reaction_ended(self, event: ev.ReactionEnded) -> None:
        started = self.reactions.pop(event.reaction)
        assert self.restoring != event.reaction or not event.ok, "it is well before its restore has ended"
        if self.restoring == event.reaction:
            self.restoring = ""
        if event.ok and started.scope and not event.needless:
            assert event.reaction in self.restored, "it is well, but restored nothing"

        for key in started.assignments:
            if event.needless:
                continue
            if event.ok and "give-up" in started.actions:
                self.given_up.add(key)
            elif event.ok and {"restart-agent", "stop-all"} & set(started.actions):
                self.again.add(key)
        self.again.update(key for key in self._ended_for(event.reaction) if key)

    def _ended_for(self, reaction: str) -> list[str]:
        return [self.ledger.assignment_of(run) for run, by in self.ended_for.items() if by == reaction] + [
            self.ledger.gates[gate].assignment for gate, by in self.dropped.items() if by == reaction
        ]

    def passes(self, event: ev.GateEnded) -> None:
        """A gate may only be passed when no finding that matters speaks against it, and nothing is done about any."""
        if not self.guarded:
            return
        asked = {
            monitor.label
            for monitor in ladders.content_monitors(self.plan)
            if not ladders.only_alerts(ladders.steps_of(self.plan, monitor.label))
        }
        gate = self.ledger.gates.get(event.gate)
        if gate is None or "guards" not in gate.checks:
            return
        for found in self.open.values():
            own = found.assignment or self.ledger.assignment_of(found.run)
            if event.assignment and own == event.assignment and found.monitor in asked:
                assert found.seq > self.judged_at.get(event.gate, 0), f"{event.gate} passes in spite of {found.finding}"
        if event.assignment:
            assert not any(event.assignment in each.assignments for each in self.reactions.values())
        else:
            assert not self.reactions

    def _check_ended(self, event: ev.CheckEnded) -> None:
        if event.name == "guards":
            self.judged_at[event.gate] = event.seq

    def _gate_started(self, event: ev.GateStarted) -> None:
        if event.assignment:
            self._judged(event.assignment)

    def _gate_ended(self, event: ev.GateEnded) -> None:
        if event.reaction:
            self.dropped[event.gate] = event.reaction

    def reset(self, key: str) -> None:
        """An assignment begins anew: what reactions were to do with its last attempt no longer matters."""
        self.again.discard(key)
        self.given_up.discard(key)
        for reaction in self.reactions.values():
            self.let_go.add((reaction.reaction, key))
            if key in reaction.assignments:
                reaction.assignments.remove(key)

    def _judged(self, key: str) -> None:
        """A verdict is spoken: nothing may be under way that could change it."""
        for reaction in self.reactions.values():
            found = self.findings.get(reaction.finding)
            own = (found.assignment or self.ledger.assignment_of(found.run)) if found is not None else ""
            concerned = [*reaction.assignments, own, *map(self.ledger.assignment_of, reaction.runs)]
            waits = key in concerned and (reaction.reaction, key) not in self.let_go
            assert not waits, f"{key} is judged while {reaction.reaction} is under way"

    def _assignment_ended(self, event: ev.AssignmentEnded) -> None:
        if event.outcome in ("succeeded", "failed"):
            self._judged(event.assignment)

    # --- runs ---------------------------------------------------------------------------------------------------

    def _run_freeze_requested(self, event: ev.RunFreezeRequested) -> None:
        assert event.run not in self.by_person
        assert event.run not in self.ledger.ended
        self.by_person.add(event.run)

    def _run_thaw_requested(self, event: ev.RunThawRequested) -> None:
        self.by_person.remove(event.run)

    def _run_freezing(self, event: ev.RunFreezing) -> None:
        wanted = self.reactions[event.reaction].runs if event.reaction else self.by_person
        assert event.run in wanted
        assert event.run not in self.ledger.ended
        assert event.run not in self.frozen, "asked once"
        self.frozen[event.run] = "freezing"

    def _run_frozen(self, event: ev.RunFrozen) -> None:
        assert self.frozen[event.run] == "freezing"
        self.frozen[event.run] = "frozen" if event.ok else "failed"
        if not event.ok:
            self.by_person.discard(event.run)

    def _run_thawing(self, event: ev.RunThawing) -> None:
        self.frozen.pop(event.run, None)
        assert event.run not in self.by_person, "thawed while a person wants it frozen"
        assert not any(event.run in each.runs for each in self.reactions.values()), "thawed while wanted frozen"

    def _run_ended(self, event: ev.RunEnded) -> None:
        self.frozen.pop(event.run, None)
        self.by_person.discard(event.run)

    def _run_stopping(self, event: ev.RunStopping) -> None:
        if not event.reaction:
            return
        self.ended_for[event.run] = event.reaction
        reaction = self.reactions[event.reaction]
        run = self.ledger.runs[event.run]
        own = run.assignment or (self.ledger.gates[run.gate].assignment if run.gate else "")
        found = self.findings.get(reaction.finding)
        allowed = event.run in reaction.runs or own in reaction.assignments or (found and found.run == event.run)
        assert allowed or reaction.scope in ("wave", "session"), f"{event.run} is not concerned"
        if reaction.scope and event.reaction not in self.restored:
            assert self.frozen.get(event.run) != "frozen", "it stands still: it can wait"

    def _run_starting(self, event: ev.RunStarting) -> None:
        if event.purpose not in ("agent", "responder"):
            return
        assert not self.restoring, "a run starts while files are brought back"
        for reaction in self.reactions.values():
            wanted = reaction.scope and reaction.reaction not in self.restored
            assert not wanted, f"a run starts before the restore of {reaction.reaction}"
            if event.purpose == "agent":
                assert "stop-all" not in reaction.actions, "all of the wave is at a stop"
                assert event.assignment not in reaction.assignments, "it starts before the reaction has ended"
        if self.guarded and self.plan.snapshots.enabled:
            assert self.taken, "an agent writes and nothing was kept before"

    # --- snapshots ----------------------------------------------------------------------------------------------

    def _snapshot_taking(self, event: ev.SnapshotTaking) -> None:
        assert self.plan.snapshots.enabled
        assert event.snapshot not in self.asked, "a snapshot's name is used once"
        if event.reaction:
            for run in self.reactions[event.reaction].runs:
                still = run in self.ledger.ended or self.frozen.get(run) == "frozen" or run in self.ledger.cut
                assert still, f"{run} writes while files are kept"
        self.asked[event.snapshot] = event

    def _snapshot_taken(self, event: ev.SnapshotTaken) -> None:
        assert event.snapshot not in self.taken
        self.taken[event.snapshot] = event

    def _restore_starting(self, event: ev.RestoreStarting) -> None:
        assert not self.restoring, "one restore at a time"
        assert event.reaction in self.reactions
        assert self.asked[event.present].reaction == event.reaction
        assert not self.taken[event.present].error, "what is there is not kept"
        assert not event.to or not self.taken[event.to].error
        self.restoring = event.reaction

    def _restore_ended(self, event: ev.RestoreEnded) -> None:
        assert self.restoring == event.reaction
        self.restoring = ""
        if event.ok:
            self.restored.add(event.reaction)


def _key(event: ev.FindingMade | ev.ReactionStarted) -> tuple[str, str]:
    return event.monitor, event.subject
