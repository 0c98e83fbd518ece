"""What the activities of one run add up to: its totals, what it is at, and what of that is worth telling now.

Pure; lives in the worker, which imports little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from waved.agents.activity import (
    Activity,
    ContextWindow,
    RateLimited,
    Result,
    Retrying,
    Said,
    SessionNamed,
    Thinking,
    ToolCalled,
    ToolEnded,
    Used,
    Waiting,
)
from waved.domain.usage import ActingState, Usage

REPORT_INTERVAL = 1.0
"""Seconds between two reports of a run."""
URGENT_INTERVAL = 0.1
"""The same when guards or the scheduler wait to know: files written, forbidden tools, rate limits, the result."""
MOST_TOOLS = 200
"""Different tools counted by name; the rest is counted as "other"."""
MOST_FILES = 20_000
"""Different files remembered for a run."""
MOST_NEW = 500
"""Paths told in one report; the others come with the next."""
LAST_WORDS = 2_000
"""Characters kept of the agent's last words."""
TOO_MANY_REQUESTS = 429


class Documentation:
    """Which tool calls look up documentation (requirement S2).

    `tools` are patterns as of the shell, `paths` regular expressions for paths relative to `workspace`.
    """

    def __init__(self, tools: Sequence[str] = (), paths: Sequence[str] = (), workspace: str = "") -> None:
        self._tools = tuple(tools)
        self._paths = [re.compile(path) for path in paths]
        self._prefix = f"{workspace}/"

    def covers(self, call: ToolCalled) -> bool:
        """Whether the result of this call is documentation."""
        if any(fnmatchcase(call.tool, pattern) for pattern in self._tools):
            return True
        within = [path.removeprefix(self._prefix) for path in call.paths_read]
        return any(expression.fullmatch(path) for path in within for expression in self._paths)


_URGENT = ("rate-limited", "waiting", "finished")


class Progress:
    """One run as its activities tell it. Times are given by the caller (seconds)."""

    def __init__(self, documentation: Documentation | None = None, forbidden: Sequence[str] = ()) -> None:
        self.usage = Usage()
        self.state: ActingState = "starting"
        self.since = 0.0
        """When it came into that state."""
        self.tool = ""
        """The tool it uses, and what for, in a few words."""
        self.session = ""
        """What the program calls its own session."""
        self.model = ""
        self.version = ""
        self.last_words = ""
        self.reset_at: float | None = None
        """When the provider that refuses calls will take them again, if it said so."""
        self.detail = ""
        """Of a state that is not work: why."""
        self._documentation = documentation or Documentation()
        self._forbidden = tuple(forbidden)
        self._open: dict[str, tuple[str, bool]] = {}
        """Tool calls under way: what they are, and whether they read documentation."""
        self._read: set[str] = set()
        self._written: set[str] = set()
        self._new_paths: list[str] = []
        self._new_forbidden: list[str] = []
        self._pending = [0, 0]
        """Bytes of tool results that came since the last call to the model: all, and of documentation."""
        self._context = 0
        self._told = self._now()
        self._reported = 0.0

    def heed(self, activities: Iterable[Activity], now: float) -> None:
        """Take in what a reader found."""
        for activity in activities:
            match activity:
                case Used():
                    self._used(activity)
                    if self.state in ("retrying", "rate-limited"):
                        self._be("thinking", now)
                case ToolCalled():
                    self._called(activity, now)
                case ToolEnded():
                    self._ended(activity, now)
                case Said():
                    if not activity.inner:
                        self.last_words = activity.text[-LAST_WORDS:]
                    self._think(now)
                case Thinking():
                    self._think(now)
                case Retrying():
                    self.usage.retries += 1
                    limited = activity.status == TOO_MANY_REQUESTS
                    self._be("rate-limited" if limited else "retrying", now, activity.error)
                case RateLimited():
                    if activity.refused:
                        self.reset_at = activity.reset_at
                        self._be("rate-limited", now, activity.detail)
                case Waiting():
                    self._be(
                        "waiting", now, f"{activity.what}: {activity.detail}" if activity.detail else activity.what
                    )
                case SessionNamed():
                    self.session = activity.program_session
                    self.model = activity.model or self.model
                    self.version = activity.version or self.version
                case ContextWindow():
                    self.usage.window = activity.size
                case Result():
                    self.last_words = activity.text[-LAST_WORDS:] or self.last_words
                    self.usage.denied = max(self.usage.denied, activity.denied)
                    self._open.clear()
                    self._be("finished", now)

    def _be(self, state: ActingState, now: float, detail: str = "") -> None:
        if state != self.state:
            self.state, self.since = state, now
        if state != "rate-limited":
            self.reset_at = None
        if state != "tool":
            self.tool = ""
        self.detail = detail

    def _think(self, now: float) -> None:
        if not self._open:
            self._be("thinking", now)

    def _called(self, call: ToolCalled, now: float) -> None:
        tools = self.usage.tools
        name = call.tool if call.tool in tools or len(tools) < MOST_TOOLS else "other"
        tools[name] = tools.get(name, 0) + 1
        self._open[call.id] = (call.tool, self._documentation.covers(call))
        if any(fnmatchcase(call.tool, pattern) for pattern in self._forbidden):
            self._new_forbidden.append(call.tool)
        self._note(call.paths_read, self._read)
        self._new_paths += self._note(call.paths_written, self._written)
        self.usage.files_read, self.usage.files_written = len(self._read), len(self._written)
        about = call.command or ", ".join(call.paths_written or call.paths_read) or call.detail
        self._be("tool", now)
        self.tool = f"{call.tool} {about}".strip()

    @staticmethod
    def _note(paths: Sequence[str], known: set[str]) -> list[str]:
        """Remember these paths; all of them are told again each time they are written."""
        known.update(paths[: max(0, MOST_FILES - len(known))])
        return list(paths)

    def _ended(self, ended: ToolEnded, now: float) -> None:
        _, documentation = self._open.pop(ended.id, ("", False))
        self._pending[0] += ended.size
        if documentation:
            self._pending[1] += ended.size
        if ended.denied:
            self.usage.denied += 1
        self._think(now)

    def _used(self, used: Used) -> None:
        usage = self.usage
        usage.input += used.input
        usage.output += used.output
        usage.cached += used.cached
        usage.cache_write += used.cache_write
        if used.cost is not None:
            usage.cost = (usage.cost or 0.0) + used.cost
        if not used.context:
            return
        # What the context grew by since the call before is what came in between: results, in proportion to their sizes.
        results, documentation = self._pending
        if documentation and results:
            grown = max(0, used.context - self._context)
            usage.documentation += grown * documentation / results
        self._pending = [0, 0]
        self._context = used.context
        usage.context = max(usage.context, used.context)

    # --- what is told -------------------------------------------------------------------------------------------

    def due(self, *, more: bool = False) -> float | None:
        """When the next report is due, perhaps in the past; None: there is nothing new to tell (`more`: there is)."""
        told = self._now()
        if self._new_paths or self._new_forbidden or (told[0] != self._told[0] and told[0] in _URGENT):
            return self._reported + URGENT_INTERVAL
        return self._reported + REPORT_INTERVAL if more or told != self._told else None

    def _now(self) -> tuple[Any, ...]:
        usage = self.usage
        return (
            self.state, self.tool, self.session, self.model, self.reset_at,
            usage.input, usage.output, usage.cost, sum(usage.tools.values()),
        )  # fmt: skip

    def report(self, now: float) -> dict[str, Any]:
        """What `run.acted` tells; the paths and forbidden tools of it are not told again."""
        self._told, self._reported = self._now(), now
        paths, self._new_paths = self._new_paths[:MOST_NEW], self._new_paths[MOST_NEW:]
        forbidden, self._new_forbidden = self._new_forbidden[:MOST_NEW], []
        return {**self.totals(), "wrote": list(dict.fromkeys(paths)), "forbidden": list(dict.fromkeys(forbidden))}

    def totals(self) -> dict[str, Any]:
        """What the exit record keeps."""
        return {
            "state": self.state,
            "since": self.since,
            "tool": self.tool,
            "detail": self.detail,
            "reset_at": self.reset_at,
            "program_session": self.session,
            "model": self.model,
            "version": self.version,
            "usage": self.usage.as_dict(),
        }
