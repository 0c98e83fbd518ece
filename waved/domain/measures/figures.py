"""From what was counted to metrics with goals."""

from __future__ import annotations

from waved.domain import metrics
from waved.domain.measures.metric import Goal, Metric
from waved.domain.measures.quality import Quality
from waved.domain.measures.work import Work
from waved.domain.state import Run, Session
from waved.domain.usage import Usage, add
from waved.domain.watching import needs_watching


class Figures:
    """The metrics of one session at one instant."""

    def __init__(self, session: Session, work: Work, quality: Quality, now: float) -> None:
        self._session = session
        self._goals = session.plan.goals
        self._work = work
        self._quality = quality
        self._now = now
        self._parallel = metrics.measure(session, now)

    def metrics(self) -> list[Metric]:
        """All of them, in the order of docs/metrics.md."""
        return [
            self._parallel_rate(),
            self._skew(),
            self._speedup(),
            self._documentation(),
            *self._used(),
            self._files_per_minute(),
            self._corruption(),
            self._rollbacks(),
            self._verification(),
            self._test_pass_rate(),
            self._file_size(),
            self._preview_uptime(),
        ]

    def _runs(self) -> list[Run]:
        return [run for run in self._session.runs.values() if run.purpose in ("agent", "responder")]

    # --- S1 -----------------------------------------------------------------------------------------------------

    def _parallel_rate(self) -> Metric:
        goal = Goal(">", self._goals.parallel_rate)
        return Metric("parallel_rate", "Parallel execution rate", self._parallel.parallel_rate, "share", goal)

    def _skew(self) -> Metric:
        goal = Goal("<=", self._goals.skew) if self._goals.skew is not None else None
        return Metric("skew", "Start skew", self._parallel.skew, "seconds", goal)

    def _speedup(self) -> Metric:
        goal = Goal(">=", self._goals.speedup) if self._goals.speedup is not None else None
        return Metric("speedup", "Speed-up", self._parallel.speedup, "factor", goal, self._times())

    def _times(self) -> str:
        sequential, wall = self._parallel.sequential_seconds, self._parallel.wall_seconds
        if sequential is None or wall is None:
            return ""
        return f"{sequential:.1f} s of work in {wall:.1f} s"

    # --- S2 -----------------------------------------------------------------------------------------------------

    def _documentation(self) -> Metric:
        told = [run.usage for run in self._runs() if run.usage.context]
        context = sum(usage.context for usage in told)
        read = sum(usage.documentation for usage in told)
        detail = f"{read:,.0f} of {context:,} tokens of context" if context else ""
        value = min(1.0, read / context) if context else None
        goal = Goal("<", self._goals.documentation)
        return Metric("documentation", "Context used for documentation", value, "share", goal, detail)

    def _used(self) -> list[Metric]:
        told: list[Usage] = [run.usage for run in self._runs() if run.usage.tokens]
        whole = add(told)
        tokens = whole.tokens if told else None
        unknown = sum(1 for usage in told if usage.cost is None)
        cached = f"{whole.input:,} sent ({whole.cached:,} from a cache), {whole.output:,} written" if told else ""
        missing = f"unknown of {unknown} of {len(told)} runs" if unknown and whole.cost is not None else ""
        return [
            Metric(
                "tokens", "Tokens", tokens, "tokens",
                Goal("<=", self._goals.tokens) if self._goals.tokens is not None else None, cached,
            ),
            Metric(
                "cost", "Cost", whole.cost if told else None, "dollars",
                Goal("<=", self._goals.cost) if self._goals.cost is not None else None, missing,
            ),
        ]  # fmt: skip

    # --- S3 -----------------------------------------------------------------------------------------------------

    def _files_per_minute(self) -> Metric:
        wall = self._parallel.wall_seconds
        count = len(self._work.files)
        watched = count > 0 or (self._session.guards is not None and needs_watching(self._session.plan))
        value = count / (wall / 60) if wall and watched else None
        goal = Goal(">", self._goals.files_per_minute)
        detail = f"{count} files in {wall / 60:.1f} minutes" if wall and watched else ""
        by_agent = self._rates() if wall and watched else {}
        return Metric("files_per_minute", "File modification rate", value, "per minute", goal, detail, by_agent)

    def _rates(self) -> dict[str, float]:
        """Of each agent that ran: its files by the minutes in which it ran."""
        files: dict[str, set[str]] = {}
        spans: dict[str, list[tuple[float, float]]] = {}
        for node in self._session.nodes.values():
            agent = node.agent.name
            spans.setdefault(agent, []).extend(metrics.spans(node.runs, self._now))
            files.setdefault(agent, set()).update(self._work.changed.get(node.key, ()))
        took = {agent: metrics.covered(times) for agent, times in spans.items()}
        return {agent: len(files[agent]) / (seconds / 60) for agent, seconds in took.items() if seconds}

    # --- S4 -----------------------------------------------------------------------------------------------------

    def _corruption(self) -> Metric:
        watched = any(monitor.kind == "corruption" for monitor in self._session.plan.monitors)
        value = self._quality.found.get("corruption", 0) if watched else None
        goal = Goal("<=", self._goals.corruption)
        return Metric("corruption", "Corruption incidents", value, "count", goal)

    def _rollbacks(self) -> Metric:
        kept = self._session.plan.snapshots.enabled and self._session.guards is not None
        value = self._quality.rollbacks if kept else None
        return Metric("rollbacks", "Rollbacks", value, "count", Goal("<", self._goals.rollbacks))

    # --- S5 -----------------------------------------------------------------------------------------------------

    def _verification(self) -> Metric:
        present, verified = self._work.present, self._work.verified
        value = len(verified) / len(present) if present else None
        detail = f"{len(verified)} of {len(present)} changed files" if present else ""
        if self._work.untold:
            detail += f"; of {self._work.untold:,} files of large rollbacks nobody has told the names"
        goal = Goal(">=", self._goals.verification)
        return Metric("verification", "Changed files verified", value, "share", goal, detail)

    def _test_pass_rate(self) -> Metric:
        passed, ran = self._quality.tests
        detail = f"{passed} of {ran} tests" if ran else ""
        goal = Goal(">", self._goals.test_pass_rate)
        return Metric("test_pass_rate", "Test pass rate", passed / ran if ran else None, "share", goal, detail)

    def _file_size(self) -> Metric:
        counted = self._quality.counted(self._work.present)
        kept = counted - self._quality.oversize
        detail = f"{len(kept)} of {len(counted)} changed files" if counted else ""
        value = len(kept) / len(counted) if counted else None
        return Metric("file_size", "Files within their size", value, "share", Goal(">=", self._goals.file_size), detail)

    def _preview_uptime(self) -> Metric:
        goal = Goal(">=", self._goals.preview_uptime)
        guards = self._session.guards
        state = guards.preview if guards is not None else None
        if state is None:
            return Metric("preview_uptime", "Preview uptime", None, "share", goal)
        open_for = 0.0 if state.watched_from is None else max(0.0, self._now - state.changed)
        seconds, up = state.seconds + open_for, state.seconds_up + (open_for if state.up else 0.0)
        detail = f"{up:.0f} of {seconds:.0f} seconds" if seconds else ""
        value = up / seconds if seconds else None
        return Metric("preview_uptime", "Preview uptime", value, "share", goal, detail)
