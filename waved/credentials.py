"""Credentials that are known by their looks: taken out of what is handed on (`wavectl export`; docs/security.md).

`waved.masking` knows a session's own secrets by their values, as long as the session may need them. This knows the
shapes of common ones, whoever they belong to, and can be asked at any time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SHAPES = {
    "private key": r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{0,20000}"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?",
    "API key": r"\bsk-[A-Za-z0-9_-]{20,}|\bAIza[0-9A-Za-z_-]{35}\b|\b(?:pk|rk)_live_[0-9A-Za-z]{20,}",
    "token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,})",
    "access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "signed token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "authorization": r"(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=-]{16,}",
    "password": r"(?<=://)[^\s/:@\"'<>]{1,80}:[^\s/@\"'<>]{3,200}(?=@)",
    "value": r"(?<![A-Za-z0-9_])[A-Z0-9_]{0,60}(?:TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|PRIVATE_KEY)="
    r"(?P<value>[^\s\"'\\;&|$<>]{8,500})",
}
_ANY = re.compile("|".join(_SHAPES.values()))
_EACH = {name: re.compile(shape) for name, shape in _SHAPES.items()}


def mask(text: str) -> str:
    """The text with each credential replaced by `[masked KIND]`; of an assignment the value is."""
    if _ANY.search(text) is None:
        return text
    for name, shape in _EACH.items():
        if name == "value":
            text = shape.sub(lambda found: found[0][: found.start("value") - found.start()] + "[masked value]", text)
        else:
            text = shape.sub(f"[masked {name}]", text)
    return text


def mask_bytes(data: bytes) -> bytes:
    """As `mask`, of bytes that need not be UTF-8."""
    return mask(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def mask_value(value: Any) -> Any:  # noqa: ANN401 — any plain data
    """As `mask`, of all texts in plain data."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: mask_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_value(item) for item in value]
    return value
