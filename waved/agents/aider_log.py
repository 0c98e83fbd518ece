"""Reads aider: its analytics log (`--analytics-log`) for tokens and cost, what it prints for edits and errors.

As seen of 0.86.2 (tests/fixtures/agents/aider-*): it exits with 0 whatever happens, and of a failed call to the API
nothing stands in the log but that it began; the error is printed among the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waved.agents.activity import (
    Result,
    Retrying,
    Thinking,
    ToolCalled,
    ToolEnded,
    Used,
    clip,
    count,
)
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.lines import LineReader, how_it_ended, table, text, unfinished
from waved.agents.reader import Judgement, SideFile

_LINE = 400
"""Bytes of a printed line that are looked at; what matters is short."""
_EDIT = re.compile(r"Applied edit to (.+)")
_REFUSED = re.compile(r"The LLM did not conform to the edit format|Only \d+ reflections allowed")
_ERROR = re.compile(r"litellm\.(\w+(?:Error|Exception)|Timeout): ?(.*)")
_RETRY = re.compile(r"Retrying in (\d+(?:\.\d+)?) seconds")


class AiderReader(LineReader):
    """One run of aider. `log`: where it was told to write its analytics."""

    def __init__(self, log: Path, provider: str = "") -> None:
        super().__init__(provider)
        self.side_files = (SideFile(log),)
        self._edits = 0
        self._answers = 0
        self._error = ""
        self._retries = 0

    def _line(self, data: bytes, start: int, end: int) -> None:
        if data[start] == 0x7B and data.startswith(b'{"event":', start):
            event = self._decoded(data, start, end)
            if event is not None:
                self._event(event)
        elif end - start <= _LINE:
            self._print(data[start:end].decode("utf-8", "replace").rstrip())

    def _print(self, line: str) -> None:
        """Of what it prints: an edit, an error, a retry."""
        edit, error, retry = _EDIT.match(line), _ERROR.match(line), _RETRY.search(line)
        if edit is not None:
            self._edits += 1
            name = f"edit-{self._edits}"
            self._found += (ToolCalled("edit", name, paths_written=(clip(edit[1]),)), ToolEnded(name, True))
        elif error is not None:
            self._error = clip(line)
        elif retry is not None:
            self._retries += 1
            self._found.append(Retrying(self._retries, 0, float(retry[1]), self._error))
        elif _REFUSED.search(line):
            self._error = clip(line)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind, properties = event.get("event"), table(event.get("properties"))
        if kind == "message_send_starting":
            self.finished = False
            self._found.append(Thinking())
        elif kind == "message_send":
            self._answers += 1
            self._error = ""
            cost = properties.get("cost")
            # 0 is what aider writes of a model whose price it does not know.
            known = float(cost) if isinstance(cost, int | float) and 0 < cost < 1e9 else None
            sent = count(properties.get("prompt_tokens"))
            self._found.append(Used(sent, count(properties.get("completion_tokens")), cost=known, context=sent))
        elif kind == "message_send_exception":
            self._error = text(properties.get("exception"))
        elif kind == "exit":
            reason = text(properties.get("reason"))
            ok = self._answers > 0 if reason.startswith("Completed") else None
            self._conclude(Result(ok, reason, turns=self._answers, error="" if ok else self._error))

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`. The exit status says nothing: an answer of the model does."""
        if self._error:
            cause = cause_of(message=self._error)
            return Judgement(False, self._error, cause, reset_in(self._error) if cause == "rate-limited" else None)
        if self.result is None or (self.result.ok and exit_code not in (0, None, 130, 143)):
            return unfinished(exit_code, signal, self.complaint)
        if not self._answers:
            return Judgement(False, f"{how_it_ended(exit_code, signal)} without an answer of the model", "no-result")
        return Judgement(True)
