"""Reads the stream-json of Claude Code (`--output-format stream-json --verbose`), which qwen-code speaks too.

What it prints, as seen of 2.1.330 (tests/fixtures/agents/claude-*.jsonl):

* One `assistant` line for each block of a message; all repeat the usage of the whole message, in which `output_tokens`
  is that of its first moment. The true figures come with `result`.
* `result`: `usage` since the last result; `total_cost_usd` and `modelUsage` of the whole session, and so of the runs
  that it resumes, too; `model_usage_since_last_result` is what is wanted, where it is there.
* A failed call to the API is `subtype` "success" with `is_error` true.
* A task left in the background keeps it alive after `result`; when that ends, it begins anew and prints a second one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from waved.agents.activity import (
    LONGEST_TEXT,
    ContextWindow,
    RateLimited,
    Result,
    Retrying,
    Said,
    SessionNamed,
    Thinking,
    ToolEnded,
    Used,
    clip,
    count,
)
from waved.agents.api_errors import cause_of
from waved.agents.lines import LineReader, how_it_ended, items, table, text, unfinished
from waved.agents.meter import Meter
from waved.agents.reader import Judgement
from waved.agents.tools import called

_RESULT = b'{"type":"user"'
_PIECE = b'{"type":"stream_event"'
_THOUGHT = b'{"type":"system","subtype":"thinking_tokens"'
_EARLY = re.compile(rb'"tool_use_id":"([^"\\]{1,200})"')
_LATE = re.compile(rb',"tool_result_meta":\[\{"id":"([^"\\]{1,200})"')
_MANY = 1000
"""Messages and refused calls remembered."""


class ClaudeReader(LineReader):
    """One run of Claude Code. `used_before`: what has been counted of the session that this run resumes."""

    def __init__(self, provider: str = "anthropic", used_before: Used | None = None) -> None:
        super().__init__(provider)
        self._session = ""
        self._messages: set[str] = set()
        """Messages whose usage has been counted."""
        self._refused: set[str] = set()
        """Tool calls that were not permitted."""
        self._meter = Meter()
        """Since the last result."""
        self._cost_so_far = (used_before.cost if used_before is not None else 0.0) or 0.0
        self._thinking = False
        self._window = 0
        self._limited: RateLimited | None = None
        self._failure: tuple[int, str] = (0, "")
        """HTTP status and kind of the last call to the API that failed for good."""
        self._retry = ""

    # --- which lines are looked at ------------------------------------------------------------------------------

    def _line(self, data: bytes, start: int, end: int) -> None:
        if data.startswith(_PIECE, start):
            self._piece(data, start, end)
            return
        if data.startswith(_THOUGHT, start):
            self._think()
            return
        event = self._decoded(data, start, end)
        if event is not None:
            self._event(event)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind == "assistant":
            self._assistant(event)
        elif kind == "user":
            self._user(event)
        elif kind == "system":
            self._system(event)
        elif kind == "result":
            self._result(event)
        elif kind == "rate_limit_event":
            self._rate_limit(table(event.get("rate_limit_info")))
        else:
            self.unknown += 1

    def _piece(self, data: bytes, start: int, end: int) -> None:
        """Of the pieces of a message (`--include-partial-messages`) only the last tells something new: its usage."""
        if data.find(b'"type":"message_delta"', start, min(end, start + 100)) < 0:
            self._think()
            return
        event = self._decoded(data, start, end) or {}
        usage = table(table(event.get("event")).get("usage"))
        # The message itself was counted with the output of its first moment.
        self._report(Used(output=max(0, count(usage.get("output_tokens")) - 1)))

    # --- messages -----------------------------------------------------------------------------------------------

    def _assistant(self, event: Mapping[str, Any]) -> None:
        message = table(event.get("message"))
        inner = bool(event.get("parent_tool_use_id"))
        self.finished = False
        if event.get("is_api_error_message") or event.get("error"):
            self._failure = (count(event.get("api_error_status")), text(event.get("error")))
        self._count_message(message, inner=inner)
        for item in items(message.get("content")):
            block = table(item)
            kind = block.get("type")
            if kind == "text":
                self._thinking = False
                said = clip(block.get("text"), LONGEST_TEXT)
                if said.strip():
                    self._found.append(Said(said, inner))
            elif kind == "tool_use":
                self._thinking = False
                self._found.append(called(block.get("name"), block.get("id"), table(block.get("input")), inner=inner))
            elif kind in ("thinking", "redacted_thinking"):
                self._think()

    def _count_message(self, message: Mapping[str, Any], *, inner: bool) -> None:
        name = text(message.get("id"))
        if not name or name in self._messages or message.get("model") == "<synthetic>":
            return
        self._remember(self._messages, name)
        used = self._usage_of(table(message.get("usage")))
        self._report(Used(used.input, used.output, used.cached, used.cache_write, None, 0 if inner else used.input))

    def _user(self, event: Mapping[str, Any]) -> None:
        message = table(event.get("message"))
        for item in items(message.get("content")):
            block = table(item)
            if block.get("type") == "tool_result":
                content = block.get("content")
                self._tool_ended(
                    text(block.get("tool_use_id")),
                    failed=block.get("is_error") is True,
                    size=size_of(content),
                    detail=clip(content) if isinstance(content, str) else "",
                )

    def _told_by_edges(self, head: bytes) -> bool:
        """A tool's result: what the tool gave stands in it twice, as the model gets it and as the program keeps it."""
        return head.startswith(_RESULT) and b'"tool_result"' in head

    def _edges(self, head: bytes, tail: bytes, size: int) -> None:
        """A long result of a tool. In a JSON string a quote has a backslash before it: `,"` is always between strings.

        A result that failed has its call's name behind the content, and keeps a string and no object. The size of one
        that is not over within `HEAD` is half of the line.
        """
        begins = head.find(b'"content":', head.find(b'"tool_result"'))
        closes = head.find(b'}]},"', begins)
        early, late = _EARLY.search(head, 0, max(0, begins)), _LATE.search(tail)
        name = early or late
        if name is None:
            self.unknown += 1
            return
        failed = early is None or (late is not None and tail[late.start() - 1 : late.start()] == b'"')
        length = closes - begins - 10 if closes >= 0 else (size - begins) // 2
        self._tool_ended(name[1].decode("utf-8", "replace"), failed=failed, size=length)

    def _tool_ended(self, name: str, *, failed: bool | None, size: int, detail: str = "") -> None:
        denied = name in self._refused
        self._refused.discard(name)
        ok = None if failed is None else not failed
        self._found.append(ToolEnded(name, ok, size, detail=detail if failed else "", denied=denied))
        self._think()

    # --- the rest -----------------------------------------------------------------------------------------------

    def _system(self, event: Mapping[str, Any]) -> None:
        kind = event.get("subtype")
        if kind == "init":
            self.finished = False
            name = text(event.get("session_id"))
            if name and name != self._session:
                self._session = name
                version = text(event.get("claude_code_version") or event.get("qwen_code_version"))
                self._found.append(SessionNamed(name, text(event.get("model")), version))
        elif kind == "api_retry":
            delay = event.get("retry_delay_ms")
            self._retry = text(event.get("error"))
            self._found.append(
                Retrying(
                    count(event.get("attempt")),
                    count(event.get("max_retries")),
                    count(delay) / 1000 if isinstance(delay, int | float) else None,
                    self._retry,
                    count(event.get("error_status")),
                )
            )
            self._thinking = False
        elif kind == "permission_denied":
            self._remember(self._refused, text(event.get("tool_use_id")))
        elif kind in ("thinking_tokens", "status"):
            self._think()

    def _rate_limit(self, info: Mapping[str, Any]) -> None:
        status = info.get("status")
        if status == "allowed":
            return
        resets = info.get("resetsAt")
        detail = ", ".join(filter(None, (text(status), text(info.get("rateLimitType")))))
        limited = RateLimited(self.provider, float(count(resets)) or None, detail, refused=status == "rejected")
        self._found.append(limited)
        if limited.refused:
            self._limited = limited

    def _result(self, event: Mapping[str, Any]) -> None:
        self._settle(event)
        for model in table(event.get("modelUsage")).values():
            window = count(table(model).get("contextWindow"))
            if window and window != self._window:
                self._window = window
                self._found.append(ContextWindow(window))
        subtype, last = text(event.get("subtype")), clip(event.get("result"), LONGEST_TEXT)
        failed = event.get("is_error") is True or subtype.startswith("error")
        status = count(event.get("api_error_status"))
        if status:
            self._failure = (status, self._failure[1] or text(event.get("api_error_type")))
            if status == 429 and self._limited is None:
                self._limited = RateLimited(self.provider, None, clip(last))
                self._found.append(self._limited)
        elif not failed:
            self._failure, self._limited = (0, ""), None
        errors = "; ".join(filter(None, (text(error) for error in items(event.get("errors")))))
        self._conclude(
            Result(
                not failed,
                subtype,
                "" if failed else last,
                (errors or clip(last) or subtype) if failed else "",
                count(event.get("num_turns")),
                len(items(event.get("permission_denials"))),
            )
        )
        self._thinking = False

    def _settle(self, event: Mapping[str, Any]) -> None:
        """Bring what was counted since the last result up to what it says."""
        total_cost = event.get("total_cost_usd")
        since = event.get("model_usage_since_last_result")
        if isinstance(since, dict):
            models = [table(model) for model in since.values()]
            costs = [model.get("costUSD") for model in models]
            cost = sum(float(cost) for cost in costs if isinstance(cost, int | float)) if models else 0.0
            total = Used(
                sum(count(model.get(key)) for model in models for key in _PROMPT_KEYS),
                sum(count(model.get("outputTokens")) for model in models),
                sum(count(model.get("cacheReadInputTokens")) for model in models),
                sum(count(model.get("cacheCreationInputTokens")) for model in models),
                cost,
            )
        else:
            cost_since = None
            if isinstance(total_cost, int | float):
                cost_since = max(0.0, float(total_cost) - self._cost_so_far)
            used = self._usage_of(table(event.get("usage")))
            total = Used(used.input, used.output, used.cached, used.cache_write, cost_since)
        missing = self._meter.up_to(total)
        if missing is not None:
            self._found.append(missing)
        if isinstance(total_cost, int | float):
            self._cost_so_far = float(total_cost)
        self._meter = Meter()

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`: whether a result came, then its error flag, then the exit status."""
        result, (status, kind) = self.result, self._failure
        reset_at = self._limited.reset_at if self._limited is not None else None
        if result is None:
            judged = unfinished(exit_code, signal, self.complaint)
            limited = self._limited is not None or "rate_limit" in self._retry
            return Judgement(False, judged.reason, "rate-limited", reset_at) if limited else judged
        if result.ok is False:
            cause = cause_of(status, kind, result.error)
            if result.subtype == "error_max_turns":
                cause = "turns"
            elif result.subtype == "error_max_budget_usd":
                cause = "budget"
            return Judgement(False, result.error, cause, reset_at if cause == "rate-limited" else None)
        if not self.finished:
            begun = f"{how_it_ended(exit_code, signal)} in the midst of work it began after its result"
            return Judgement(False, begun, "interrupted" if signal or exit_code else "no-result")
        # One that lingers after its result is ended by waved: what it is ended with says nothing.
        if exit_code and exit_code not in (130, 143):
            return Judgement(False, f"exited with status {exit_code} in spite of a good result")
        return Judgement(True)

    # --- help ---------------------------------------------------------------------------------------------------

    def _think(self) -> None:
        if not self._thinking:
            self._thinking = True
            self._found.append(Thinking())

    def _report(self, used: Used) -> None:
        if used != Used():
            self._found.append(self._meter.add(used))

    @staticmethod
    def _usage_of(usage: Mapping[str, Any]) -> Used:
        """Tokens as Anthropic's API counts them: there `input_tokens` are those that the cache has no part in."""
        cached = count(usage.get("cache_read_input_tokens"))
        written = count(usage.get("cache_creation_input_tokens"))
        sent = count(usage.get("input_tokens")) + cached + written
        return Used(sent, count(usage.get("output_tokens")), cached, written)

    @staticmethod
    def _remember(names: set[str], name: str) -> None:
        if len(names) >= _MANY:
            names.clear()
        names.add(name)


_PROMPT_KEYS = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")


def size_of(content: object) -> int:
    """Bytes of a tool's result: a string, or blocks of text and pictures."""
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    return sum(
        size_of(value)
        for block in items(content)
        for value in (table(block).get("text"), table(table(block).get("source")).get("data"))
    )
