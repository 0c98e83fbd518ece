"""Which values are secrets, how they are found in texts, and that what names things stays."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waved.masking import STRUCTURE, Mask, Masks, is_secret, secrets_of

KEY = "sk-ant-api03-Zk19xQ_77hfGh2-AbCd"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_API_KEY", "plainword"),
        ("DB_PASSWORD", "correct horse battery"),
        ("GH_TOKEN", "/x9fGhQ2/notafolderhere"),
        ("X", KEY),
        ("X", "hunter22x"),
        ("X", "https://bob:geheim12@proxy.example.org/"),
        ("X", "https://hooks.example.org/services/T024BE7LD/B03XQ8ZK1"),
        ("X", "postgres://db/app?password=abc"),
        ("X", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----"),
    ],
)
def test_secrets(name: str, value: str) -> None:
    assert is_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODE_ENV", "production"),
        ("ANTHROPIC_MODEL", "claude-opus-4-2025"),
        ("LANG", "en_US.UTF-8"),
        ("REGION", "eu-west-1"),
        ("PORT", "5432118"),
        ("BASE_URL", "https://api.example.org:8080/v1/models"),
        ("PATH", "/usr/bin:/usr/local/bin"),
        ("SSL_CERT_KEY", "/usr/share/keys/server.key"),
        ("API_KEY", "short"),
        ("FLAGS", "--max-old-space-size=4096"),
    ],
)
def test_no_secrets(name: str, value: str) -> None:
    assert not is_secret(name, value)


def test_what_the_plan_marks_is_a_secret_whatever_it_looks_like() -> None:
    assert is_secret("CUSTOMER", "Acme", ["CUST*"])
    assert is_secret("HOME_OF", "/usr/bin/x", ["HOME_OF"])
    assert not is_secret("CUSTOMER", "abc", ["CUST*"]), "too short to be told from other words"


def test_of_the_base_environment_only_passwords_and_marked_variables_count() -> None:
    base = {"HTTPS_PROXY": "http://bob:s%40fe99@proxy:3128", "TMPDIR": "hunter22x", "LOGNAME": "acmeworker"}
    environment = {"base": base, "session": {"A": KEY}, "agents": {"x": {"B": "value42zz9"}, "y": {}}}
    assert secrets_of(environment, ["LOGNAME"]) == {
        "s%40fe99": "HTTPS_PROXY", "s@fe99": "HTTPS_PROXY", "acmeworker": "LOGNAME", KEY: "A", "value42zz9": "B",
    }  # fmt: skip


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda text: quote(text, safe=""),
        lambda text: json.dumps({"key": text}),
        lambda text: base64.b64encode(text.encode()).decode(),
    ],
)
def test_a_secret_is_found_however_it_is_spelt(spell: object) -> None:
    secret = 'pa"ss/wörd+9x'
    assert callable(spell)
    printed = f"before {spell(secret)} after"
    masked = Mask({secret: "KEY"}).text(printed)
    assert "[masked KEY]" in masked
    assert masked.startswith("before ") and masked.endswith(" after")
    assert secret not in masked and spell(secret) not in masked


def test_each_line_of_a_key_is_a_secret() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n"
    mask = Mask({key: "KEY"})
    assert mask.text(key) == "[masked KEY]\n"
    assert mask.text("x AQEFAASCBKcwggSjAgEAAoIB y") == "x [masked KEY] y"


def test_a_tail_that_begins_or_ends_within_a_secret_is_masked_there() -> None:
    mask = Mask({KEY: "KEY"})
    for cut in range(len(KEY) - 4):
        assert mask.tail(KEY[cut:] + "\nFAILED") == "[masked KEY]\nFAILED"
        assert mask.tail("FAILED\n" + KEY[: len(KEY) - cut]) == "FAILED\n[masked KEY]"
    assert mask.tail("ok\nFAILED") == "ok\nFAILED"


@given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_text_gives_a_secret_away(secret: str, before: str, after: str) -> None:
    stripped = secret.strip()
    mask = Mask({secret: "N"})
    masked = mask.value({"list": [before + secret + after]})["list"][0]
    if len(stripped) >= 4 and stripped not in "[masked N]":
        assert stripped not in masked.replace("[masked N]", "\0")


def test_what_names_things_stays() -> None:
    mask = Mask({"worker-one": "X"})
    data = {"run": "s/worker-one#1", "reason": "worker-one failed", "leftovers": ["7 worker-one"], "exit_code": 1}
    assert mask.fields(data) == {"reason": "[masked X] failed", "leftovers": ["7 [masked X]"]}
    assert {"run", "session", "agent", "wave"} <= STRUCTURE


def test_the_secrets_of_a_session_are_forgotten_with_it() -> None:
    masks = Masks()
    assert not masks.any
    masks.keep("a", {"session": {"A": KEY}}, [])
    masks.keep("b", {"session": {"B": KEY, "C": "value42zz9"}}, [])
    assert masks.text(f"{KEY} value42zz9") == "[masked B] [masked C]"
    masks.drop("b")
    assert masks.text(f"{KEY} value42zz9") == "[masked A] value42zz9"
    masks.drop("a")
    assert not masks.any
