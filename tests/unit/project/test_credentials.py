"""Credentials are known by their looks, and what only looks like one to a machine is left alone."""

from __future__ import annotations

import json
import time

import pytest

from waved.credentials import mask, mask_bytes, mask_value

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nAAAB\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123 used", "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc.def-ghi_jkl.mno12345", "abc.def-ghi_jkl.mno12345"),
        ("postgres://app:hunter2hunter2@db.example.org/shop", "hunter2hunter2"),
        ("export MY_API_KEY=abcd1234efgh; run", "abcd1234efgh"),
        (f"before {KEY} after", "b3BlbnNzaC1rZXktdjEAAAAA"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "eyJhbGciOiJIUzI1NiJ9"),
        ("glpat-abcdefghij0123456789", "glpat-abcdefghij0123456789"),
    ],
)
def test_credentials_are_masked_and_what_is_around_them_stays(text: str, secret: str) -> None:
    masked = mask(text)
    assert secret not in masked
    assert "[masked " in masked
    assert masked.startswith(text[: text.index(secret[:4])][:6])


@pytest.mark.parametrize(
    "text",
    [
        "task-force-of-the-north-eastern-region", "https://example.org:8080/path", "token = None", "the bearer of it",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "MAX_TOKEN=4", "user@example.org", "sk-learn", "0" * 200,
    ],
)  # fmt: skip
def test_what_is_none_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_json_stays_json() -> None:
    data = {"text": f'say "{KEY}" and -----BEGIN PRIVATE KEY----- "x"', "list": ["MY_TOKEN=abcdefgh12345678", 3, None]}
    shown = json.loads(json.dumps(mask_value(data)))
    assert "b3Blbn" not in json.dumps(shown)
    assert shown["list"] == ["MY_TOKEN=[masked value]", 3, None]


def test_bytes_that_are_no_text_come_through() -> None:
    assert mask_bytes(b"\xff\xfe MY_TOKEN=abcdefgh12345678 \x80") == b"\xff\xfe MY_TOKEN=[masked value] \x80"


@pytest.mark.parametrize(
    "text", ["_" * 300_000, "A_" * 150_000, "sk-" * 100_000, "://a:" * 60_000, "-----BEGIN " * 20_000]
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    mask(text)
    assert time.process_time() - began < 5
