"""Reads what `goose run --output-format stream-json` prints, as seen of 1.50.0 (tests/fixtures/agents/goose-*).

* What the agent says comes in pieces; tools as requests and responses inside messages.
* `complete` is the end, with the tokens and cost of the whole session, and so of the runs that it resumes, too. Older
  versions tell one figure only: the tokens of the last call.
* A failed call to the API is an `error` when it cannot log in. Else, and in older versions always, it is something the
  agent says; `complete` and exit status 0 follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from waved.agents.activity import Activity, RateLimited, Result, SessionNamed, Thinking, ToolEnded, Used, clip, count
from waved.agents.api_errors import cause_of, reset_in
from waved.agents.claude_stream import size_of
from waved.agents.lines import LineReader, how_it_ended, items, table, text, unfinished
from waved.agents.meter import Meter
from waved.agents.reader import STDOUT, Judgement
from waved.agents.tools import called

_SAID_ERROR = re.compile(
    r"Ran into this error(?: trying to compact)?: (.+?)\.?\n\nPlease retry if you think this is a transient or"
    r" recoverable error\.\s*\Z|([^\n]+)\n\nPlease resend your message to try again\.\s*\Z"
    r"|(The provider refused this request\..*)|(Unable to continue: .*)",
    re.DOTALL,
)
"""What it says instead of an `error`, or in it."""


class GooseReader(LineReader):
    """One run of goose. `session`: what goose was told to call it; `used_before`: what has been counted of that."""

    def __init__(self, session: str, provider: str = "", used_before: Used | None = None) -> None:
        super().__init__(provider)
        self._meter = Meter()
        if used_before is not None:
            self._meter.add(used_before)
        self._session = session
        self._named = False
        self._message_id = ""
        self._error = ""
        self._limited: RateLimited | None = None

    def feed(self, data: bytes | memoryview, stream: int = STDOUT) -> list[Activity]:
        """See `waved.agents.reader.Reader`."""
        found = super().feed(data, stream)
        if found and not self._named:
            # It keeps the name to itself, but there is a session once it says anything.
            self._named = True
            found.insert(0, SessionNamed(self._session))
        return found

    def _event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type")
        if kind == "message":
            self._message(table(event.get("message")))
            return
        self._said()
        if kind == "error":
            self._failed(clip(event.get("error")))
        elif kind == "complete":
            self._complete(event)
        elif kind not in ("notification", "model_change"):
            self.unknown += 1

    def _message(self, message: Mapping[str, Any]) -> None:
        self.finished = False
        name = text(message.get("id"))
        if name != self._message_id:
            self._said()
            self._message_id = name
        for item in items(message.get("content")):
            block = table(item)
            kind = block.get("type")
            if kind == "text":
                if message.get("role") == "assistant":
                    self._say(block.get("text"))
                continue
            self._said()
            if kind == "toolRequest":
                call = table(table(block.get("toolCall")).get("value"))
                self._found.append(called(call.get("name"), block.get("id"), table(call.get("arguments"))))
            elif kind == "toolResponse":
                result = table(block.get("toolResult"))
                value = result.get("value")
                content = value if isinstance(value, list) else table(value).get("content")
                ok = result.get("status") == "success" and table(value).get("isError") is not True
                detail = "" if ok else clip(result.get("error"))
                code = table(table(value).get("structuredContent")).get("exit_code")
                known = code if isinstance(code, int) and 0 <= code <= 255 else None
                self._found.append(ToolEnded(text(block.get("id")), ok, size_of(content), known, detail))
            elif kind in ("thinking", "reasoning"):
                self._found.append(Thinking())
            elif kind == "error" or block.get("notificationType") == "creditsExhausted":
                said = text(block.get("message") or block.get("msg")) or text(block.get("kind"))
                self._failed(said or text(block.get("notificationType")))

    def _failed(self, error: str) -> None:
        said = _SAID_ERROR.search(error)
        if said is not None:
            error = clip(next(filter(None, said.groups())))
        self._error = error
        if cause_of(message=error) == "rate-limited":
            self._limited = RateLimited(self.provider, reset_in(error), error)
            self._found.append(self._limited)
        self._conclude(Result(False, "error", error=error))

    def _complete(self, event: Mapping[str, Any]) -> None:
        sent, output = count(event.get("input_tokens")), count(event.get("output_tokens"))
        cost = event.get("cost_usd")
        total = Used(
            sent or max(0, count(event.get("total_tokens")) - output),
            output,
            count(event.get("cache_read_input_tokens")),
            count(event.get("cache_write_input_tokens")),
            float(cost) if isinstance(cost, int | float) and 0 <= cost < 1e9 else None,
        )
        missing = self._meter.up_to(total)
        if missing is not None:
            self._found.append(missing)
        if not self._error and _SAID_ERROR.search(self.last_words):
            self._failed(self.last_words)
        if not self._error:
            self._conclude(Result(True, "complete", self.last_words))

    def judge(self, exit_code: int | None, signal: int | None) -> Judgement:
        """See `waved.agents.reader.Reader`."""
        if self._error:
            reset_at = self._limited.reset_at if self._limited is not None else None
            return Judgement(False, self._error, cause_of(message=self._error), reset_at)
        if self.result is None or not self.finished:
            return unfinished(exit_code, signal, self.complaint)
        if exit_code not in (0, None, 130, 143):
            return Judgement(False, f"{how_it_ended(exit_code, signal)} in spite of a good result")
        return Judgement(True)
