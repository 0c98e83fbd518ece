"""Reads what `opencode run --format json` prints, as seen of 1.18.33 (tests/fixtures/agents/opencode-*).

* A tool is told of when it has ended. Each step tells its own tokens and cost; there is no total, and no last word:
  a step that ends for the reason "stop" is the end.
* Signals end it without a word. Older versions exited with 0 after an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waved.agents.activity import (
    LONGEST_TEXT,
    RateLimited,
    Result,
    Said,
    SessionNamed,
    Thinking,
    ToolEnded,
    Used,
    clip,
    count,
)
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.lines import LineReader, how_it_ended, table, text, unfinished
from waved.agents.reader import Judgement
from waved.agents.tools import called


class OpencodeReader(LineReader):
    """One run of opencode."""

    def __init__(self, provider: str = "") -> None:
        super().__init__(provider)
        self._session = ""
        self._error = ""
        self._status = 0
        self._limited: RateLimited | None = None

    def _event(self, event: Mapping[str, Any]) -> None:
        session = text(event.get("sessionID"))
        if session and session != self._session:
            self._session = session
            self._found.append(SessionNamed(session))
        kind, part = event.get("type"), table(event.get("part"))
        if kind == "step_start":
            self.finished = False
            self._found.append(Thinking())
        elif kind == "text":
            said = clip(part.get("text"), LONGEST_TEXT)
            if said.strip():
                self.last_words = said
                self._found.append(Said(said))
        elif kind == "reasoning":
            self._found.append(Thinking(text(part.get("text"))))
        elif kind == "tool_use":
            self._tool(part)
        elif kind == "step_finish":
            self._step(part)
        elif kind == "error":
            self._failed(table(event.get("error")))
        else:
            self.unknown += 1

    def _tool(self, part: Mapping[str, Any]) -> None:
        state = table(part.get("state"))
        self.finished = False
        self._found.append(called(part.get("tool"), part.get("callID"), table(state.get("input"))))
        output, error = state.get("output"), text(state.get("error"))
        code = table(state.get("metadata")).get("exit")
        ok = state.get("status") == "completed"
        self._found.append(
            ToolEnded(
                text(part.get("callID")),
                ok,
                len(output.encode("utf-8", "replace")) if isinstance(output, str) else 0,
                count(code) if isinstance(code, int) else None,
                "" if ok else error,
                denied="rejected permission" in error or "prevents you from using" in error,
            )
        )

    def _step(self, part: Mapping[str, Any]) -> None:
        tokens = table(part.get("tokens"))
        cache = table(tokens.get("cache"))
        cached, written = count(cache.get("read")), count(cache.get("write"))
        sent = count(tokens.get("input")) + cached + written
        cost = part.get("cost")
        # 0 is what opencode writes of a model whose price it does not know.
        known = float(cost) if isinstance(cost, int | float) and 0 < cost < 1e9 else None
        output = count(tokens.get("output")) + count(tokens.get("reasoning"))
        used = Used(sent, output, cached, written, known, sent)
        if used != Used():
            self._found.append(used)
        reason = text(part.get("reason"))
        if reason != "tool-calls":
            ok = reason in ("stop", "end-turn", "end_turn")
            self._conclude(Result(ok, reason, self.last_words, "" if ok else f"the model stopped: {reason}"))

    def _failed(self, error: Mapping[str, Any]) -> None:
        details = table(error.get("data"))
        self._error = text(details.get("message")) or text(error.get("name"))
        self._status = count(details.get("statusCode"))
        if cause_of(self._status, message=self._error) == "rate-limited":
            self._limited = RateLimited(self.provider, reset_in(self._error), self._error)
            self._found.append(self._limited)
        self._conclude(Result(False, text(error.get("name")), error=self._error))

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`."""
        result = self.result
        if self._error:
            reset_at = self._limited.reset_at if self._limited is not None else None
            return Judgement(False, self._error, cause_of(self._status, message=self._error), reset_at)
        if result is None or not self.finished:
            return unfinished(exit_code, signal, self.complaint)
        if result.ok and exit_code not in (0, None, 130, 143):
            return Judgement(False, f"{how_it_ended(exit_code, signal)} in spite of a good result")
        return Judgement(result.ok, result.error)
