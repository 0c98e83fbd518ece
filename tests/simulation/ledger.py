"""What must hold of every history of a session, judged from its events alone: an account beside the fold."""

from __future__ import annotations

from guard_ledger import GuardLedger

from waved.domain import events as ev
from waved.plan import graph
from waved.plan.models import Agent, Plan

BACKGROUND = ("preview", "monitor")
GOOD = ("passed", "unverified")


class Ledger:
    """Sees the events one by one; raises AssertionError at the first that must not be."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        built = graph.build(plan)
        self.assignments = built.assignments
        self.waves = built.waves
        self.agents: dict[str, Agent] = {agent.name: agent for wave in plan.waves for agent in wave.agents}
        self.state = "checking"
        self.held = False
        self.wave = -1
        self.wave_open = False
        self.outcomes: dict[str, str] = {}
        """Outcome by assignment that has ended and is not being repeated."""
        self.wave_outcomes: dict[int, str] = {}
        self.runs: dict[str, ev.RunStarting] = {}
        self.ended: dict[str, ev.RunEnded] = {}
        self.last_run: dict[str, str] = {}
        self.gates: dict[str, ev.GateStarted] = {}
        self.verdicts: dict[str, str] = {}
        self.gate_of: dict[str, str] = {}
        """The gate of an assignment's present attempt."""
        self.tries: dict[str, int] = {}
        """By assignment: runs that did begin since the plan, a wave's gate or a person had it run."""
        self.withdrawn: dict[str, int] = {}
        """By what is to be run: starts in a row that came to nothing."""
        self.withdrawn_at: dict[str, float] = {}
        self.failing: set[str] = set()
        """Gates with a check that failed by itself."""
        self.cut: set[str] = set()
        """Runs that were asked to end."""
        self.session_deadline: float | None = None
        self.wave_deadline: float | None = None
        self.stopped_by = ""
        self.held_at = 0.0
        self.guards = GuardLedger(self)
        self.unreported = False
        """It has ended, and its report is still to be asked for."""
        self.looked_at: dict[str, int] = {}
        """By agent: how many runs there were when its `produces` were last found right."""

    @property
    def active(self) -> list[ev.RunStarting]:
        """Runs decided and not ended."""
        return [run for name, run in self.runs.items() if name not in self.ended]

    def see(self, event: ev.Event) -> None:
        """Judge and remember one event."""
        after_end = isinstance(event, (ev.SessionRetried, ev.ReportWriting))
        assert self.state != "ended" or after_end, f"{event.kind} after the end"
        self.guards.see(event)
        handler = getattr(self, "_" + event.kind.replace(".", "_").replace("-", "_"), None)
        if handler is not None:
            handler(event)

    # --- the session and its waves ------------------------------------------------------------------------------

    def _set_session_deadline(self, time: float) -> None:
        limit = self.plan.session.timeout
        self.session_deadline = None if limit is None else time + limit

    def _set_wave_deadline(self, time: float) -> None:
        limit = self.plan.waves[self.wave].timeout
        self.wave_deadline = None if limit is None else time + limit

    def _late(self, time: float) -> bool:
        return self.wave_deadline is not None and time >= self.wave_deadline

    def _session_started(self, event: ev.SessionStarted) -> None:
        assert self.state == "checking"
        self.state = "running"
        self._set_session_deadline(event.time)

    def _session_stop_requested(self, event: ev.SessionStopRequested) -> None:
        if event.by == "timeout":
            assert self.session_deadline is not None
            assert event.time >= self.session_deadline
        self.state, self.held, self.stopped_by = "stopping", False, event.by

    def _session_held(self, event: ev.SessionHeld) -> None:
        if not self.held:
            self.held_at = event.time
        self.held = True

    def _session_resumed(self, event: ev.SessionResumed) -> None:
        self._go_on(event.time)

    def _go_on(self, time: float) -> None:
        """Deadlines stood still while it was held."""
        if self.held and self.session_deadline is not None:
            self.session_deadline += time - self.held_at
        if self.held and self.wave_deadline is not None:
            self.wave_deadline += time - self.held_at
        self.held = False

    def _session_retried(self, event: ev.SessionRetried) -> None:
        index = min(self.assignments[key].wave for key in event.assignments)
        assert all(self.assignments[key].wave == index for key in event.assignments)
        if self.state != "ended":
            assert index == self.wave, "a wave that is over is not opened again while the session goes on"
        for key in event.assignments:
            assert key in self.outcomes, f"{key} is repeated but has not ended"
            self._again(key)
        for wave in range(index + 1, len(self.waves)):
            for key in self.waves[wave]:
                self._again(key)
        for wave in range(index, len(self.waves)):
            self.wave_outcomes.pop(wave, None)
        self._go_on(event.time)
        if self.state == "ended":
            self._set_session_deadline(event.time)
        self.state, self.held, self.wave, self.wave_open, self.stopped_by = "running", False, index, True, ""
        self._set_wave_deadline(event.time)

    def _again(self, key: str) -> None:
        self.outcomes.pop(key, None)
        self.gate_of.pop(key, None)
        self.tries.pop(key, None)
        self.withdrawn.pop(key, None)
        self.guards.reset(key)

    def _wave_started(self, event: ev.WaveStarted) -> None:
        assert self.state == "running"
        assert not self.held, "a held session starts nothing"
        assert not self.wave_open
        self.wave += 1
        assert self.plan.waves[self.wave].name == event.wave
        for before in range(self.wave):
            policy = self.plan.waves[before].gate.on_failure
            assert self.wave_outcomes[before] in GOOD or policy == "continue", f"{event.wave} before its gate"
        self.wave_open = True
        self._set_wave_deadline(event.time)

    def _wave_retried(self, event: ev.WaveRetried) -> None:
        gate = self.plan.waves[self.wave].gate
        assert event.assignments
        for key in event.assignments:
            cut = self.outcomes[key] in ("lost", "stopped") and not event.reaction
            assert not cut, f"{key} was {self.outcomes[key]}"
            self._again(key)
        if event.reaction:
            assert self.guards.reactions[event.reaction].scope in ("wave", "session")
            return
        assert gate.on_failure == "retry"
        assert not self.held

    def _wave_ended(self, event: ev.WaveEnded) -> None:
        keys = self.waves[self.wave]
        assert set(keys) <= set(self.outcomes), "a wave ends when all its assignments have ended"
        assert not [run for run in self.active if run.purpose not in BACKGROUND]
        if event.outcome in GOOD:
            assert all(self.outcomes[key] == "succeeded" for key in keys), "failure counted as success"
            for agent in self.plan.waves[self.wave].agents:
                self._produced(agent)
        if event.outcome == "timed-out":
            assert self._late(event.time) or self.stopped_by == "timeout"
        self.wave_outcomes[self.wave] = event.outcome
        self.wave_open = False

    def _produced(self, agent: Agent) -> None:
        """What an agent must produce was found after its last run (unless its own gate failed and may fail)."""
        own = [key for key in self.waves[self.wave] if self.assignments[key].agent == agent.name]
        forgiven = agent.gate is not None and agent.gate.on_failure == "continue"
        if agent.produces and not forgiven:
            runs = sum(1 for run in self.runs.values() if run.assignment in own)
            assert self.looked_at.get(agent.name) == runs, f"what {agent.name} produces was not looked at"

    def _session_ended(self, event: ev.SessionEnded) -> None:
        assert not self.active, "ended with runs under way"
        assert not self.held
        if event.outcome == "succeeded":
            assert [self.wave_outcomes.get(index) in GOOD for index in range(len(self.waves))] == [True] * len(
                self.waves
            )
        elif event.outcome == "failed":
            assert any(outcome not in GOOD for outcome in self.wave_outcomes.values())
        self.state = "ended"
        self.unreported = event.outcome != "refused"

    def _report_writing(self, _event: ev.ReportWriting) -> None:
        assert self.state == "ended"
        assert self.unreported, "a report is written once an end, and never of what was refused"
        self.unreported = False

    # --- gates --------------------------------------------------------------------------------------------------

    def _gate_started(self, event: ev.GateStarted) -> None:
        assert event.gate not in self.gates, "a gate's id is used once"
        self.gates[event.gate] = event
        if event.assignment:
            self.gate_of[event.assignment] = event.gate
            assert self.ended[self.last_run[event.assignment]].exit_code == 0
        else:
            assert all(self.outcomes.get(key) == "succeeded" for key in self.waves[self.wave])

    def _check_started(self, _event: ev.CheckStarted) -> None:
        assert not self.held, "a held session starts nothing"

    def _check_ended(self, event: ev.CheckEnded) -> None:
        assert event.gate in self.gates
        assert event.gate not in self.verdicts, "a check ends before its gate"
        last = [run for run in self.runs.values() if run.gate == event.gate and run.index == event.index][-1:]
        if not event.ok and not (last and last[0].run in self.cut):
            self.failing.add(event.gate)
        assignment = self.gates[event.gate].assignment
        if not assignment or not event.ok or not event.name.startswith("outputs"):
            return
        agent = self.assignments[assignment].agent
        if any(output.path in event.name for output in self.agents[agent].produces):
            own = [run for run in self.runs.values() if self.assignments_agent(run) == agent]
            if all(run.run in self.ended for run in own):  # else one was repeated meanwhile: it is looked at again
                self.looked_at[agent] = len(own)

    def assignment_of(self, run: str) -> str:
        """The assignment of a run; "" when it is another's."""
        return self.runs[run].assignment if run in self.runs else ""

    def assignments_agent(self, run: ev.RunStarting) -> str:
        """The agent a run is of; "" for a check's."""
        return self.assignments[run.assignment].agent if run.assignment else ""

    def _gate_ended(self, event: ev.GateEnded) -> None:
        assert event.gate not in self.verdicts, "a gate speaks once"
        assert not any(run.gate == event.gate for run in self.active), "a gate speaks when its checks have ended"
        if event.verdict != "failed":
            self.guards.passes(event)
        self.verdicts[event.gate] = event.verdict
        if event.reaction:
            assert event.reaction in self.guards.reactions
            return
        if event.gate not in self.gates:
            assert not event.assignment
            failed = any(self.outcomes[key] != "succeeded" for key in self.waves[self.wave])
            assert (event.verdict == "failed") == failed

    # --- assignments and runs -----------------------------------------------------------------------------------

    def _run_starting(self, event: ev.RunStarting) -> None:
        assert event.run not in self.runs, f"{event.run} is started twice"
        if event.purpose != "preview":  # it is kept up in any case
            assert self.state == "running"
            assert not self.held, "a held session starts nothing"
        assert event.timeout is None or event.timeout > 0
        for deadline in (self.wave_deadline, self.session_deadline):
            if deadline is not None and event.purpose != "preview":
                assert event.timeout is not None
                assert event.time + event.timeout <= max(deadline, event.time) + 0.002, "a limit beyond the deadline"
        if self.withdrawn.get(_what(event), 0) > 1:
            assert event.time >= self.withdrawn_at[_what(event)] + 0.99, "tried again and again without a pause"
        self.runs[event.run] = event
        if event.purpose in (*BACKGROUND, "responder"):
            return
        if event.purpose == "check":
            gate = self.gates[event.gate]
            assert event.gate not in self.verdicts
            assert sum(1 for run in self.active if run.gate == event.gate) == 1, "checks run one after another"
            assert gate.checks[event.index]
            return
        assignment = self.assignments[event.assignment]
        assert event.assignment not in self.outcomes, f"{event.assignment} has ended and is started"
        assert assignment.wave == self.wave
        assert self.wave_open
        for key in assignment.requires:
            assert self.outcomes.get(key) == "succeeded", f"{event.run} before {key} succeeded"
        running = [run for run in self.active if run.purpose == "agent"]
        wave = self.plan.waves[self.wave]
        if self.plan.session.max_parallel:
            assert len(running) <= self.plan.session.max_parallel
        if not (wave.parallel and self.plan.session.parallel):
            assert len(running) == 1, "one at a time"
            open_gates = [gate for gate in self.gates if gate not in self.verdicts]
            assert not open_gates, "one at a time: the one before has not been judged"
        assert sum(1 for run in running if run.assignment == event.assignment) == 1
        self.last_run[event.assignment] = event.run
        self.gate_of.pop(event.assignment, None)
        self.tries[event.assignment] = self.tries.get(event.assignment, 0) + 1

    def _run_stopping(self, event: ev.RunStopping) -> None:
        assert event.run not in self.ended
        assert event.run not in self.cut, "asked once"
        self.cut.add(event.run)

    def _run_started(self, event: ev.RunStarted) -> None:
        assert event.run in self.runs
        assert event.run not in self.ended

    def _run_ended(self, event: ev.RunEnded) -> None:
        assert event.run in self.runs, "an end without a start"
        assert event.run not in self.ended, "a run's end is recorded once"
        self.ended[event.run] = event
        run = self.runs[event.run]
        if event.outcome != "withdrawn" or event.run in self.cut:
            self.withdrawn.pop(_what(run), None)
            return
        self.withdrawn[_what(run)] = self.withdrawn.get(_what(run), 0) + 1
        self.withdrawn_at[_what(run)] = event.time
        if run.assignment:
            self.tries[run.assignment] -= 1

    def _assignment_ended(self, event: ev.AssignmentEnded) -> None:
        key = event.assignment
        assert key not in self.outcomes, f"{key} ends twice"
        assert not any(run.assignment == key for run in self.active), f"{key} ends while its run goes on"
        gate = self.gate_of.get(key)
        last = self.ended.get(self.last_run.get(key, ""))
        if event.outcome == "succeeded":
            assert last is not None
            assert (last.outcome, last.exit_code) == ("exited", 0), f"{key} succeeded, but {last}"
            own = self.agents[event.agent].gate
            forgiven = own is not None and own.on_failure == "continue"
            assert gate is None or self.verdicts[gate] in GOOD or forgiven
            assert event.verified == (gate is not None and self.verdicts[gate] == "passed")
        else:
            assert not event.verified
        if event.outcome == "lost":
            assert last is not None
            assert last.outcome == "lost"
        if event.outcome == "timed-out":
            assert self._late(event.time) or self.stopped_by == "timeout" or (last and last.outcome == "timed-out")
        if event.outcome == "failed":
            assert last is not None
            by_itself = (last.outcome, last.exit_code) != ("exited", 0)
            given_up = key in self.guards.given_up
            assert by_itself or gate in self.failing or given_up, f"{key} was cut short, it did not fail"
            if not given_up and self.state == "running" and not self._late(event.time):
                assert self.tries[key] > self.agents[event.agent].retries, f"{key} had attempts left"
        if event.outcome == "skipped":
            outcomes = [self.outcomes.get(name) for name in self.assignments[key].requires]
            assert any(outcome not in (None, "succeeded") for outcome in outcomes)
        self.outcomes[key] = event.outcome

    def uncounted(self, key: str) -> bool:
        """Whether the last run of an assignment never began: it counts for nothing anyway."""
        last = self.last_run[key]
        return self.ended[last].outcome == "withdrawn" and last not in self.cut

    def _retry_scheduled(self, event: ev.RetryScheduled) -> None:
        assert event.assignment not in self.outcomes
        assert event.at >= event.time
        if event.reaction:
            assert event.assignment in self.guards.again, "it starts again for nothing"
            self.guards.again.discard(event.assignment)
            if not self.uncounted(event.assignment):
                self.tries[event.assignment] -= 1
        agent = self.agents[event.agent]
        own = agent.gate.retries if agent.gate is not None and agent.gate.on_failure == "retry" else 0
        at_least = 1 if self.plan.session.on_lost == "retry" else 0
        assert self.tries[event.assignment] <= max(agent.retries, own, at_least), "more attempts than the plan gives"
        lost = self.ended[self.last_run[event.assignment]].outcome == "lost"
        assert not lost or self.plan.session.on_lost == "retry", "what is lost is not repeated by itself"


def _what(run: ev.RunStarting) -> str:
    return run.assignment or f"{run.purpose} {run.agent} {run.gate}.{run.index} {run.reaction}"
