"""The four wire formats: what a turn looks like in each, whole or as server-sent events."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from tests.scripted_api.scenario import ERROR_MESSAGES, ERROR_TYPES, Turn, parts_of
from tests.scripted_api.tools import Offered, Wanted

Event = tuple[str, Any]
"""The event's name ("" for none) and its data (a string is sent as it is)."""


def _id(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex[:24]}"


def error_body(api: str, turn: Turn) -> dict[str, Any]:
    """The body of a scripted error."""
    kind = turn.error or ERROR_TYPES.get(turn.status, "api_error")
    message = turn.message or ERROR_MESSAGES.get(turn.status, f"scripted error {turn.status}")
    if api == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": message, **turn.details}, "request_id": "req_1"}
    if api == "gemini":
        words = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        status = words.get(turn.status, "INTERNAL")
        return {"error": {"code": turn.status, "message": message, "status": status, **turn.details}}
    codes = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return {"error": {"message": message, "type": kind, "code": codes.get(turn.status), **turn.details}}


# --- Anthropic Messages -------------------------------------------------------------------------------------------


def anthropic(turn: Turn, text: str, calls: list[Wanted], model: str, _tools: Offered) -> tuple[Any, Iterator[Event]]:
    """The whole message, and its events."""
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": turn.thinking, "signature": "c2ln"})
    if text:
        blocks.append({"type": "text", "text": text})
    blocks += [{"type": "tool_use", "id": _id("toolu_"), "name": name, "input": words} for name, words in calls]
    usage = {
        "input_tokens": turn.usage.input,
        "cache_creation_input_tokens": turn.usage.cache_write,
        "cache_read_input_tokens": turn.usage.cached,
        "output_tokens": turn.usage.output,
    }
    stop = "tool_use" if calls else "end_turn"
    message = {"id": _id("msg_"), "type": "message", "role": "assistant", "model": model, "stop_sequence": None}
    whole = {**message, "content": blocks, "stop_reason": stop, "usage": usage}

    def events() -> Iterator[Event]:
        begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        yield _named("message_start", message=begun)
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                empty, deltas = {"type": "text", "text": ""}, [("text_delta", "text", p) for p in _cut(text, turn)]
            elif block["type"] == "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [("thinking_delta", "thinking", turn.thinking), ("signature_delta", "signature", "c2ln")]
            else:
                empty = {**block, "input": {}}
                deltas = [("input_json_delta", "partial_json", p) for p in _cut(json.dumps(block["input"]), turn)]
            yield _named("content_block_start", index=index, content_block=empty)
            for kind, key, piece in deltas:
                yield _named("content_block_delta", index=index, delta={"type": kind, key: piece})
            yield _named("content_block_stop", index=index)
        yield _named("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=usage)
        yield _named("message_stop")

    return whole, events()


def _named(kind: str, **data: Any) -> Event:
    return kind, {"type": kind, **data}


def _cut(text: str, turn: Turn) -> list[str]:
    return parts_of(text, turn.pieces)


# --- OpenAI chat completions --------------------------------------------------------------------------------------


def chat(turn: Turn, text: str, calls: list[Wanted], model: str, _tools: Offered) -> tuple[Any, Iterator[Event]]:
    """The whole completion, and its chunks."""
    usage = {
        "prompt_tokens": turn.usage.prompt,
        "completion_tokens": turn.usage.output,
        "total_tokens": turn.usage.prompt + turn.usage.output,
        "prompt_tokens_details": {"cached_tokens": turn.usage.cached},
    }
    asked = [
        {"id": _id("call_"), "type": "function", "function": {"name": name, "arguments": json.dumps(words)}}
        for name, words in calls
    ]
    finish = "tool_calls" if asked else "stop"
    head = {"id": _id("chatcmpl-"), "created": int(time.time()), "model": model}
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if asked:
        message["tool_calls"] = asked
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> Event:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return "", {**head, "object": "chat.completion.chunk", "choices": choices}

    def events() -> Iterator[Event]:
        yield chunk({"role": "assistant", "content": ""})
        for piece in _cut(text, turn):
            yield chunk({"content": piece})
        for index, call in enumerate(asked):
            yield chunk({"tool_calls": [{"index": index, **call}]})
        yield chunk({}, finish)
        yield "", {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}
        yield "", "[DONE]"

    return whole, events()


# --- OpenAI Responses ---------------------------------------------------------------------------------------------


def responses(turn: Turn, text: str, calls: list[Wanted], model: str, tools: Offered) -> tuple[Any, Iterator[Event]]:
    """The whole response, and its events."""
    output: list[dict[str, Any]] = []
    if turn.thinking:
        summary = [{"type": "summary_text", "text": turn.thinking}]
        output.append({"id": _id("rs_"), "type": "reasoning", "summary": summary, "encrypted_content": None})
    if text:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output.append({"id": _id("msg_"), "type": "message", "role": "assistant", "content": content})
    for name, words in calls:
        call = {"call_id": _id("call_"), "name": name}
        if isinstance(words, str) or tools.get(name, {}).get("kind") == "custom":
            output.append({"id": _id("ctc_"), "type": "custom_tool_call", **call, "input": words})
        else:
            output.append({"id": _id("fc_"), "type": "function_call", **call, "arguments": json.dumps(words)})
    usage = {
        "input_tokens": turn.usage.prompt,
        "input_tokens_details": {"cached_tokens": turn.usage.cached},
        "output_tokens": turn.usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.usage.prompt + turn.usage.output,
    }
    begun = {"id": _id("resp_"), "object": "response", "created_at": int(time.time()), "model": model, "output": []}
    whole = {**begun, "status": "completed", "output": output, "usage": usage}

    def events() -> Iterator[Event]:
        yield _named("response.created", response={**begun, "status": "in_progress"})
        for index, item in enumerate(output):
            yield _named("response.output_item.added", output_index=index, item=item)
            if item["type"] == "message":
                place = {"item_id": item["id"], "output_index": index, "content_index": 0}
                for piece in _cut(text, turn):
                    yield _named("response.output_text.delta", **place, delta=piece)
            yield _named("response.output_item.done", output_index=index, item=item)
        yield _named("response.completed", response=whole)

    return whole, events()


# --- Gemini -------------------------------------------------------------------------------------------------------


def gemini(turn: Turn, text: str, calls: list[Wanted], model: str, _tools: Offered) -> tuple[Any, Iterator[Event]]:
    """The whole answer, and its chunks."""
    parts: list[dict[str, Any]] = [{"text": turn.thinking, "thought": True}] if turn.thinking else []
    said = [{"text": piece} for piece in _cut(text, turn)]
    asked = [{"functionCall": {"name": name, "args": words}} for name, words in calls]
    usage = {
        "promptTokenCount": turn.usage.prompt,
        "cachedContentTokenCount": turn.usage.cached,
        "candidatesTokenCount": turn.usage.output,
        "totalTokenCount": turn.usage.prompt + turn.usage.output,
    }

    def answer(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": _id("")}

    def events() -> Iterator[Event]:
        for part in [*parts, *said, *asked]:
            yield "", answer([part])
        yield "", answer([], finishReason="STOP")

    whole = answer([*parts, *([{"text": text}] if text else []), *asked], finishReason="STOP")
    return whole, events()


FORMATS = {"anthropic": anthropic, "chat": chat, "responses": responses, "gemini": gemini}
