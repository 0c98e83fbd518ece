"""Reads the trajectory of mini-swe-agent (`--output`), as seen of 2.4.6 (tests/fixtures/agents/mini-*).

It is one JSON file, written anew after each step; what mini prints is for people. A step is seen when it is over. After
a kill there may be none, or one that is cut off; what was read of it before still counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waved.agents.activity import (
    LONGEST_TEXT,
    Activity,
    RateLimited,
    Result,
    Said,
    Thinking,
    ToolCalled,
    ToolEnded,
    Used,
    clip,
    count,
)
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.lines import LineReader, how_it_ended, items, table, text, unfinished
from waved.agents.reader import SIDE, STDOUT, Cause, Judgement, SideFile

_LIMITS: dict[str, Cause] = {"LimitsExceeded": "budget", "TimeExceeded": "turns"}


class MiniReader(LineReader):
    """One run of mini. `trajectory`: where it was told to write it."""

    def __init__(self, trajectory: Path, provider: str = "") -> None:
        super().__init__(provider)
        self.side_files = (SideFile(trajectory, whole=True),)
        self._seen = 0
        """Messages that have been reported."""
        self._limited: RateLimited | None = None

    def feed(self, data: bytes | memoryview, stream: int = STDOUT) -> list[Activity]:
        """See `waved.agents.reader.Reader`."""
        if stream != SIDE:
            return super().feed(data, stream)
        self._found = []
        try:
            trajectory = json.loads(str(bytes(data), "utf-8", "replace"))
            messages = items(table(trajectory).get("messages"))
            for number in range(self._seen, len(messages)):
                self._seen = number + 1
                self._message(table(messages[number]), number)
        except (ValueError, RecursionError):
            # It is being written at this moment, or never was written to its end.
            self.unknown += 1
        return self._found

    def _line(self, data: bytes, start: int, end: int) -> None:
        """What it prints is for people."""

    def _message(self, message: Mapping[str, Any], number: int) -> None:
        role, extra = message.get("role"), table(message.get("extra"))
        if role == "assistant":
            self._answer(message, extra, number)
        elif role == "exit" or extra.get("exit_status"):
            self._exit(message, extra)
        elif "returncode" in extra:
            code, output = extra.get("returncode"), extra.get("raw_output")
            ok = code == 0 if isinstance(code, int) else None
            size = len(output.encode("utf-8", "replace")) if isinstance(output, str) else 0
            known = code if isinstance(code, int) and 0 <= code <= 255 else None
            self._found.append(ToolEnded(text(message.get("tool_call_id")), ok, size, known))
        elif role == "user":
            self._found.append(Thinking())

    def _answer(self, message: Mapping[str, Any], extra: Mapping[str, Any], number: int) -> None:
        self.finished = False
        usage = table(table(extra.get("response")).get("usage"))
        sent, cost = count(usage.get("prompt_tokens")), extra.get("cost")
        # 0 is what mini writes of a model whose price it does not know.
        known = float(cost) if isinstance(cost, int | float) and 0 < cost < 1e9 else None
        cached = count(table(usage.get("prompt_tokens_details")).get("cached_tokens"))
        used = Used(sent, count(usage.get("completion_tokens")), cached, cost=known, context=sent)
        if used != Used():
            self._found.append(used)
        said = clip(message.get("content"), LONGEST_TEXT)
        if said.strip():
            self.last_words = said
            self._found.append(Said(said))
        for place, action in enumerate(items(extra.get("actions"))):
            name = text(table(action).get("tool_call_id")) or f"action-{number}-{place}"
            self._found.append(ToolCalled("bash", name, command=clip(table(action).get("command"))))

    def _exit(self, message: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
        status = text(extra.get("exit_status"))
        error = "" if status == "Submitted" else ": ".join(filter(None, (status, clip(message.get("content")))))
        if error and cause_of(message=error) == "rate-limited":
            self._limited = RateLimited(self.provider, reset_in(error), clip(error))
            self._found.append(self._limited)
        last = clip(extra.get("submission"), LONGEST_TEXT) or self.last_words
        self._conclude(Result(not error, status, "" if error else last, clip(error)))

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`."""
        result = self.result
        if result is None or not self.finished:
            return unfinished(exit_code, signal, self.complaint)
        if not result.ok:
            reset_at = self._limited.reset_at if self._limited is not None else None
            cause = _LIMITS.get(result.subtype) or cause_of(message=result.error)
            return Judgement(False, result.error, cause, reset_at)
        if exit_code not in (0, None, 130, 143):
            return Judgement(False, f"{how_it_ended(exit_code, signal)} in spite of a good result")
        return Judgement(True)
