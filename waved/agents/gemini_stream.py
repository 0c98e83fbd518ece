"""Reads what `gemini --output-format stream-json` prints, as seen of 0.61.0 (tests/fixtures/agents/gemini-*).

* What the agent says comes in pieces; tokens come once, with `result`. There is no cost.
* Its exit status after an error of the API is the HTTP status modulo 256. SIGTERM and SIGINT end it without a word, and
  with exit status 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waved.agents.activity import RateLimited, Result, SessionNamed, Thinking, ToolEnded, Used, clip, count
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.lines import LineReader, table, text, unfinished
from waved.agents.meter import Meter
from waved.agents.reader import Cause, Judgement
from waved.agents.tools import called

_RESULT = b'{"type":"tool_result"'
_CAUSES: dict[int, Cause] = {41: "login", 53: "turns", 130: "interrupted"}
"""Exit statuses of its own."""


class GeminiReader(LineReader):
    """One run of gemini."""

    def __init__(self, provider: str = "google") -> None:
        super().__init__(provider)
        self._meter = Meter()
        self._error = ""
        self._limited: RateLimited | None = None

    def _told_by_edges(self, head: bytes) -> bool:
        """A tool's result: most of its line is what the tool gave."""
        return head.startswith(_RESULT) and b'"output":"' in head

    def _edges(self, head: bytes, tail: bytes, size: int) -> None:  # noqa: ARG002 — the beginning says it all
        edge = head.find(b'"output":"')
        name, status = _between(head, b'"tool_id":"', 0, edge), _between(head, b'"status":"', 0, edge)
        self._ended_tool(name, status == "success", size - edge - 12)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind != "message":
            self._said()
        if kind == "message":
            self._message(event)
        elif kind == "tool_use":
            self.finished = False
            name, call = event.get("tool_name"), event.get("tool_id")
            self._found.append(called(name, call, table(event.get("parameters"))))
        elif kind == "tool_result":
            output, status = event.get("output"), event.get("status")
            size = len(output.encode("utf-8", "replace")) if isinstance(output, str) else 0
            self._ended_tool(
                text(event.get("tool_id")), status == "success", size, text(table(event.get("error")).get("message"))
            )
        elif kind == "init":
            self._found += (SessionNamed(text(event.get("session_id")), text(event.get("model"))), Thinking())
        elif kind == "error":
            self._error = text(event.get("message"))
        elif kind == "result":
            self._result(event)
        else:
            self.unknown += 1

    def _message(self, event: Mapping[str, Any]) -> None:
        if event.get("role") == "assistant":
            self.finished = False
            if event.get("delta") is not True:
                self._said()
            self._say(event.get("content"))

    def _ended_tool(self, name: str, ok: bool, size: int, detail: str = "") -> None:
        self._found += (ToolEnded(name, ok, size, detail=detail), Thinking())

    def _result(self, event: Mapping[str, Any]) -> None:
        stats = table(event.get("stats"))
        missing = self._meter.up_to(Used(count(stats.get("input_tokens")), _output(stats), count(stats.get("cached"))))
        if missing is not None:
            self._found.append(missing)
        status = text(event.get("status"))
        error = text(table(event.get("error")).get("message")) or self._error
        ok = status == "success"
        if not ok and cause_of(message=error) == "rate-limited":
            self._limited = RateLimited(self.provider, reset_in(error), error)
            self._found.append(self._limited)
        self._conclude(Result(ok, status, self.last_words if ok else "", "" if ok else error or status))

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`."""
        result = self.result
        reset_at = self._limited.reset_at if self._limited is not None else None
        if result is not None and result.ok and self.finished and exit_code in (0, None, 130, 143):
            return Judgement(True)
        error = (result.error if result is not None else "") or self._error
        if not error and not exit_code:
            return unfinished(exit_code, signal, self.complaint)
        reason = error or self.complaint or f"exited with status {exit_code}"
        # 17 is 529 modulo 256, 145 is 401, 173 is 429.
        status = {145: 401, 147: 403, 173: 429, 17: 529, 244: 500, 247: 503}.get(exit_code or 0, 0)
        cause = cause_of(message=reason) or _CAUSES.get(exit_code or 0) or cause_of(status)
        return Judgement(False, clip(reason), cause, reset_at)


def _output(stats: Mapping[str, Any]) -> int:
    """Tokens written, with those of thinking: what is in the total and was not sent."""
    said, total, sent = (count(stats.get(key)) for key in ("output_tokens", "total_tokens", "input_tokens"))
    return max(said, total - sent)


def _between(data: bytes, key: bytes, start: int, end: int) -> str:
    begin = data.find(key, start, end)
    stop = data.find(b'"', begin + len(key), end) if begin >= 0 else -1
    return data[begin + len(key) : stop].decode("utf-8", "replace") if stop >= 0 else ""
