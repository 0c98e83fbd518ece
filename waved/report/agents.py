"""What is told of each agent: asked, did, changed, cost, said."""

from __future__ import annotations

from collections.abc import Mapping

from waved.domain.measures.work import Work
from waved.domain.state import Gate, Node, Run, Session
from waved.domain.usage import add
from waved.domain.view_guards import stood
from waved.report import bounds
from waved.report.bounds import Bounds, line
from waved.report.given import Given
from waved.report.model import AgentReport, CheckReport, FileReport, GateReport, RunReport, Text
from waved.report.story import Story

_MOST_TOOLS = 12
_MOST_STOOD = 50


class Agents:
    """All assignments of a session."""

    def __init__(
        self,
        session: Session,
        story: Story,
        work: Work,
        given: Given,
        limits: Bounds,
        now: float,
        files: Mapping[str, FileReport],
    ) -> None:
        self._session = session
        self._story = story
        self._work = work
        self._given = given
        self._limits = limits
        self._now = now
        self._files = files
        self._found: dict[str, list[str]] = {}
        for each in story.findings.values():
            self._found.setdefault(each.agent, []).append(each.finding)
        self._undone = {
            name
            for reaction in story.reactions.values()
            if reaction.total
            for name in self._runs_of(reaction.agents, reaction.started)
        }

    def _runs_of(self, agents: list[str], at: float) -> list[str]:
        """The runs of these assignments that were going on, or the last that had ended, at that time."""
        found = []
        for key in agents:
            node = self._session.nodes.get(key)
            before = [run for run in node.runs if run.decided <= at] if node is not None else []
            found += [run.id for run in before[-1:]]
        return found

    def all(self) -> list[AgentReport]:
        """One for each assignment, in the plan's order."""
        return [self._agent(node) for node in self._session.nodes.values()]

    def _agent(self, node: Node) -> AgentReport:
        runs = [run for run in node.runs if run.started is not None]
        ends = [run.ended if run.ended is not None else self._now for run in runs]
        spent = [max(0.0, end - (run.started or end)) for run, end in zip(runs, ends, strict=True)]
        usage = add([run.usage for run in node.runs])
        told = any(run.usage.tokens for run in node.runs)
        cpu = [run.cpu_seconds for run in node.runs if run.cpu_seconds is not None]
        changed = sorted(self._work.changed.get(node.key, ()))
        stats = [self._files[path] for path in changed if path in self._files]
        counted = [each for each in stats if each.added is not None]
        limits = self._limits
        last = node.runs[-1] if node.runs else None
        return AgentReport(
            key=node.key,
            agent=node.agent.name,
            wave=self._session.waves[node.wave].plan.name,
            program=node.agent.program,
            model=next((run.model for run in reversed(node.runs) if run.model), node.agent.model or ""),
            domain=node.agent.domain or "",
            tasks=[task.name for task in node.tasks],
            requires=list(node.requires),
            critical=node.agent.critical,
            state=node.state,
            outcome=node.outcome,
            reason=line(node.reason or (node.failure if node.state == "backing-off" else ""), limits.reason),
            verified=node.verified,
            started=runs[0].started if runs else None,
            ended=max(ends) if runs and node.state == "ended" else None,
            seconds=sum(spent) if runs else None,
            asked=bounds.head(self._asked(node), limits.prompt),
            said=self._said(last),
            runs=[self._run(run) for run in node.runs[-limits.runs :]],
            states={name: round(seconds, 3) for name, seconds in self._story.states.get(node.key, {}).items()},
            tools=dict(sorted(usage.tools.items(), key=lambda each: -each[1])[:_MOST_TOOLS]),
            wrote=list(node.wrote)[: limits.paths],
            changed=changed[: limits.paths],
            changed_total=len(changed),
            added=sum(each.added or 0 for each in counted) if counted else None,
            removed=sum(each.removed or 0 for each in counted) if counted else None,
            tokens=usage.tokens if told else None,
            tokens_in=usage.input,
            tokens_out=usage.output,
            tokens_cached=usage.cached,
            context=max((run.usage.context for run in node.runs), default=0),
            window=max((run.usage.window for run in node.runs), default=0),
            cost=usage.cost if told else None,
            cost_unknown=sum(1 for run in node.runs if run.usage.tokens and run.usage.cost is None),
            cpu_seconds=sum(cpu) if cpu else None,
            memory=max((memory for run in node.runs if (memory := memory_of(run)) is not None), default=None),
            gate=gate_of(node.gate, limits),
            findings=self._found.get(node.key, []),
        )

    def _run(self, run: Run) -> RunReport:
        told = run_of(run, self._limits, self._given, undone=run.id in self._undone)
        told.stood = stood(self._session, run)[-_MOST_STOOD:]
        return told

    def _asked(self, node: Node) -> str:
        """The prompt as it was rendered for the last run that has one; before any run, as the plan has it."""
        for run in reversed(node.runs):
            if self._given.prompts.get(run.id):
                return self._given.prompts[run.id].strip()
        parts = [node.agent.prompt, *(task.prompt for task in node.tasks)]
        return "\n\n".join(part.strip() for part in parts if part.strip())

    def _said(self, last: Run | None) -> Text:
        """Its last words; of a program that nobody can read, the last lines it printed."""
        if last is None:
            return Text()
        if last.last_words.strip():
            return bounds.head(last.last_words.strip(), self._limits.said)
        return bounds.end((last.tail or self._given.tails.get(last.id, "")).strip(), self._limits.said)


def responders(session: Session, limits: Bounds, given: Given) -> list[RunReport]:
    """The runs that reactions have started, in that order."""
    found = []
    for run in session.runs.values():
        if run.purpose == "responder":
            told = run_of(run, limits, given, undone=False)
            told.name, told.reaction, told.wave = run.agent, run.reaction, session.waves[run.wave].plan.name
            found.append(told)
    return found[-bounds.REACTIONS :]


def memory_of(run: Run) -> int | None:
    """The most a run had: of all its processes together, else of the largest."""
    return run.memory_peak if run.memory_peak is not None else run.max_rss


def run_of(run: Run, limits: Bounds, given: Given, *, undone: bool) -> RunReport:
    """One attempt."""
    said = run.tail if run.outcome and not run.succeeded else ""
    return RunReport(
        run=run.id,
        attempt=run.attempt,
        started=run.started,
        ended=run.ended,
        outcome=run.outcome,
        exit_code=run.exit_code,
        signal=run.signal,
        reason=line(run.reason or run.stop_reason, limits.reason),
        cause=run.cause,
        good=run.succeeded,
        undone=undone,
        cpu_seconds=run.cpu_seconds,
        memory=memory_of(run),
        output_bytes=run.output_bytes,
        tokens=run.usage.tokens or None,
        cost=run.usage.cost,
        tail=bounds.end((said or given.tails.get(run.id, "") if said else "").strip(), limits.tail),
    )


def gate_of(gate: Gate | None, limits: Bounds) -> GateReport | None:
    """The checks of a gate and their verdicts."""
    if gate is None:
        return None
    checks = [
        CheckReport(line(each.name, 200), each.ok, line(each.detail, limits.reason * 2), each.tests, each.run)
        for each in gate.checks
    ]
    return GateReport(gate.verdict, line(gate.reason, limits.reason), checks)
