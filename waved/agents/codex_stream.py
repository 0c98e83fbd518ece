"""Reads what `codex exec --json` prints, as seen of 0.169.0 (tests/fixtures/agents/codex-*.jsonl).

* A line when a command, a change of files or a tool begins, and one when it ends; messages and reasoning only when they
  are whole, so codex is silent while a model thinks.
* Tokens come once, at the end of the turn: the sum of the whole thread, of earlier runs that were resumed as well.
  `input_tokens` includes those read from the cache. There is no cost.
* An item of type `error` is a warning that good runs have too; a line of type `error` is a retry, or the end.
* SIGTERM and SIGINT end it without a word.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from waved.agents.activity import (
    LONGEST_TEXT,
    MOST_PATHS,
    RateLimited,
    Result,
    Retrying,
    Said,
    SessionNamed,
    Thinking,
    ToolCalled,
    ToolEnded,
    Used,
    clip,
    count,
)
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.lines import LineReader, how_it_ended, items, table, text, unfinished
from waved.agents.meter import Meter
from waved.agents.reader import Judgement

_COMMAND = re.compile(rb'\{"type":"item\.completed","item":\{"id":"([^"\\]{1,80})","type":"command_execution"')
_EDGE = re.compile(rb'","exit_code":(-?\d+|null),"status":"([a-z_]+)"\}\}\s*$')
_OUTPUT = b'","aggregated_output":"'
_RETRY = re.compile(r"Reconnecting\.\.\. (\d+)/(\d+)")
_STATUS = re.compile(r"(?:status:?|HTTP) (\d{3})\b")


class CodexReader(LineReader):
    """One run of codex. `used_before`: what has been counted of the thread that this run resumes."""

    def __init__(
        self, provider: str = "openai", used_before: Used | None = None, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(provider)
        self._meter = Meter()
        if used_before is not None:
            self._meter.add(used_before)
        self._now = now
        self._open: set[str] = set()
        """Items that have begun."""
        self._last = ""
        self._error = ""
        self._limited: RateLimited | None = None

    def _told_by_edges(self, head: bytes) -> bool:
        """A command that has ended: most of its line is what it printed."""
        return _COMMAND.match(head) is not None

    def _edges(self, head: bytes, tail: bytes, size: int) -> None:
        command, end = _COMMAND.match(head), _EDGE.search(tail)
        if command is None:
            return
        name, output = command[1].decode(), head.find(_OUTPUT, command.end())
        length = size - (output + len(_OUTPUT) if output >= 0 else len(head))
        if end is None:
            self._end(name, None, length)
        else:
            code = None if end[1] == b"null" else int(end[1])
            self._end(name, end[2] == b"completed", length - (len(tail) - end.start()), code)

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind in ("item.started", "item.completed"):
            self.finished = False
            self._item(table(event.get("item")), ended=kind == "item.completed")
        elif kind == "thread.started":
            self._found.append(SessionNamed(text(event.get("thread_id"))))
        elif kind == "turn.started":
            self.finished = False
            self._found.append(Thinking())
        elif kind == "turn.completed":
            self._completed(table(event.get("usage")))
        elif kind == "turn.failed":
            self._failed(text(table(event.get("error")).get("message")))
        elif kind == "error":
            self._trouble(text(event.get("message")))
        elif kind != "item.updated":
            self.unknown += 1

    def _item(self, item: Mapping[str, Any], *, ended: bool) -> None:
        kind = item.get("type")
        if kind == "agent_message":
            self._last = clip(item.get("text"), LONGEST_TEXT)
            if self._last.strip():
                self._found.append(Said(self._last))
        elif kind == "reasoning":
            self._found.append(Thinking(clip(item.get("text"))))
        elif kind in ("command_execution", "file_change", "mcp_tool_call", "web_search", "collab_tool_call"):
            self._tool(item, str(kind), ended=ended)

    def _tool(self, item: Mapping[str, Any], kind: str, *, ended: bool) -> None:
        name = text(item.get("id"))
        if name not in self._open:
            if len(self._open) > 1000:
                self._open.clear()
            self._open.add(name)
            self._found.append(_call(item, kind, name))
        if not ended:
            return
        status, error = item.get("status"), table(item.get("error"))
        code = item.get("exit_code")
        output = item.get("aggregated_output")
        size = len(output.encode("utf-8", "replace")) if isinstance(output, str) else _size(item.get("result"))
        ok = None if not isinstance(status, str) else status == "completed" and not error
        detail = text(error.get("message")) or ("" if ok else clip(output))
        denied = status == "declined"
        self._end(name, ok, size, code if isinstance(code, int) else None, detail, denied=denied)

    def _end(
        self, name: str, ok: bool | None, size: int, code: int | None = None, detail: str = "", *, denied: bool = False
    ) -> None:
        self._open.discard(name)
        self._found += (ToolEnded(name, ok, size, code, detail, denied), Thinking())

    def _completed(self, usage: Mapping[str, Any]) -> None:
        missing = self._meter.up_to(
            Used(
                count(usage.get("input_tokens")),
                count(usage.get("output_tokens")),
                count(usage.get("cached_input_tokens")),
                count(usage.get("cache_write_input_tokens")),
            )
        )
        if missing is not None:
            self._found.append(missing)
        self._error, self._limited = "", None
        self._conclude(Result(True, "turn.completed", self._last))

    def _failed(self, message: str) -> None:
        if not self._error:
            self._trouble(message)
        self._error = message or self._error
        self._conclude(Result(False, "turn.failed", error=self._error))

    def _trouble(self, message: str) -> None:
        """It tries again, or says why it will not."""
        retry = _RETRY.match(message)
        status = _STATUS.search(message)
        if retry is not None:
            code = int(status[1]) if status is not None else 0
            self._found.append(Retrying(int(retry[1]), int(retry[2]), None, message, code))
            return
        self._error = message
        if cause_of(int(status[1]) if status is not None else 0, message=message) == "rate-limited":
            self._limited = RateLimited(self.provider, reset_in(message, self._now), message)
            self._found.append(self._limited)

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`."""
        result = self.result
        if result is None and not self._error:
            return unfinished(exit_code, signal, self.complaint)
        if result is None or result.ok is False:
            reset_at = self._limited.reset_at if self._limited is not None else None
            status = _STATUS.search(self._error)
            cause = cause_of(int(status[1]) if status is not None else 0, message=self._error)
            return Judgement(False, self._error or "turn.failed", cause, reset_at)
        if not self.finished:
            begun = f"{how_it_ended(exit_code, signal)} in the midst of a turn"
            return Judgement(False, begun, "interrupted" if signal or exit_code else "no-result")
        if exit_code and exit_code not in (130, 143):
            return Judgement(False, f"exited with status {exit_code} in spite of a good result")
        return Judgement(True)


def _call(item: Mapping[str, Any], kind: str, name: str) -> ToolCalled:
    if kind == "command_execution":
        return ToolCalled(kind, name, command=clip(item.get("command")))
    if kind == "file_change":
        paths = [clip(table(change).get("path")) for change in items(item.get("changes"))[:MOST_PATHS]]
        return ToolCalled(kind, name, paths_written=tuple(filter(None, paths)))
    if kind == "mcp_tool_call":
        return ToolCalled(f"mcp__{text(item.get('server'))}__{text(item.get('tool'))}", name)
    return ToolCalled(kind, name, detail=clip(item.get("query") or item.get("prompt")))


def _size(result: object) -> int:
    """Bytes of what an MCP tool answered."""
    blocks = items(table(result).get("content"))
    return sum(
        len(said.encode("utf-8", "replace")) for block in blocks if isinstance(said := table(block).get("text"), str)
    )
