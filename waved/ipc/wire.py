"""The wire format of docs/architecture.md: msgpack envelopes, one frame a message, versioned.

request `{v, id, method, params}` → reply `{v, id, ok}` or `{v, id, error: {code, message, hint}}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgpack

from waved.errors import BadRequestError, ProtocolError, WavedError

PROTOCOL = 1
"""Version of the envelope and of the methods' meaning."""
MAX_FRAME = 16 * 1024 * 1024
"""Bytes; a larger frame is refused unread."""
LARGE = 256 * 1024
"""Bytes; only what takes whole plans is asked with more. What else is larger is refused without being decoded."""
TAKE_MUCH = frozenset({"session.submit"})
_HEAD = 512
"""Bytes in which `id` and `method` are found, when they come before `params`."""
_MAX_STRING = MAX_FRAME
_MAX_ITEMS = 1_000_000


@dataclass(slots=True)
class Request:
    """What a client asks."""

    id: int
    method: str
    params: dict[str, Any] = field(default_factory=dict)


def encode_request(request: Request) -> bytes:
    """The frame of a request."""
    return _pack({"v": PROTOCOL, "id": request.id, "method": request.method, "params": request.params})


def encode_ok(request_id: int, result: dict[str, Any]) -> bytes:
    """The frame of a successful reply."""
    return _pack({"v": PROTOCOL, "id": request_id, "ok": result})


def encode_error(request_id: int, error: WavedError) -> bytes:
    """The frame of an error reply."""
    body = {"code": error.code, "message": error.message, "hint": error.hint}
    return _pack({"v": PROTOCOL, "id": request_id, "error": body})


def decode(frame: bytes | memoryview) -> dict[str, Any]:
    """The envelope in a frame; raises ProtocolError for anything that is none of this protocol version."""
    if len(frame) > MAX_FRAME:
        raise ProtocolError(f"a frame of {len(frame)} bytes; at most {MAX_FRAME} are accepted")
    try:
        envelope = msgpack.unpackb(
            frame, raw=False, strict_map_key=True, max_str_len=_MAX_STRING, max_bin_len=_MAX_STRING,
            max_array_len=_MAX_ITEMS, max_map_len=_MAX_ITEMS,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 — msgpack raises many kinds for hostile bytes; all mean the same here
        raise ProtocolError(f"not a message of this protocol: {type(error).__name__}") from None
    if not isinstance(envelope, dict):
        raise ProtocolError("not a message of this protocol: no map")
    version = envelope.get("v")
    if version != PROTOCOL:
        raise ProtocolError(
            f"protocol version {version!r}; this side speaks {PROTOCOL}",
            "install the same version of wavectl and waved; `wavectl daemon status` shows the daemon's",
        )
    return envelope


def decode_request(frame: bytes | memoryview) -> Request:
    """The request in a frame; raises ProtocolError or BadRequestError."""
    if LARGE < len(frame) <= MAX_FRAME and (method := head_of(frame).get("method")) and method not in TAKE_MUCH:
        raise BadRequestError(f"a request of {len(frame)} bytes; {str(method)[:80]!r} takes {LARGE} at most")
    envelope = decode(frame)
    request_id, method, params = envelope.get("id"), envelope.get("method"), envelope.get("params", {})
    if not isinstance(request_id, int) or isinstance(request_id, bool):
        raise BadRequestError("the request's `id` must be an integer")
    if not isinstance(method, str) or not isinstance(params, dict):
        raise BadRequestError("a request needs a `method` (text) and `params` (a map)")
    return Request(request_id, method, params)


def head_of(frame: bytes | memoryview) -> dict[str, Any]:
    """What comes before `params` in a request, as far as it can be read from the frame's first bytes alone."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True)
    unpacker.feed(bytes(frame[:_HEAD]))
    found: dict[str, Any] = {}
    try:
        for _ in range(unpacker.read_map_header()):
            key = unpacker.unpack()
            if key == "params":
                break
            found[key] = unpacker.unpack()
    except Exception:  # noqa: BLE001 — cut off, or hostile bytes: what was found is what there is
        return found
    return found


def request_id_of(frame: bytes | memoryview) -> int:
    """The id of a request that could not be accepted, as far as it can be read; else 0."""
    try:
        found = head_of(frame).get("id")
        if found is None:
            found = msgpack.unpackb(frame, raw=False).get("id", 0)
    except Exception:  # noqa: BLE001 — hostile bytes: any failure means "cannot be read"
        return 0
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _pack(value: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed
