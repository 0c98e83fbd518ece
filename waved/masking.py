"""Secrets are masked in everything waved writes or says itself: events, log, errors (docs/security.md, "Masking").

What is a secret is decided once for each value of a session's environment, by its variable's name and by how the value
looks. Wherever one is found in a text, `[masked NAME]` stands in its place.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, unquote

SHORTEST = 6
"""Characters; what is shorter would hit words that mean something else."""
SHORTEST_MARKED = 4
"""The same for variables that the plan's `secrets` names."""
SHORTEST_LINE = 12
"""Lines of a value of several lines (a key) are secrets of their own from this length."""
STRUCTURE = frozenset(
    {
        "plan", "workspace", "plan_path", "submitted_by", "session", "sessions", "run", "runs", "wave", "agent",
        "assignment", "assignments", "gate", "monitor", "finding", "reaction", "snapshot", "responder", "subject",
        "outcome", "verdict", "purpose", "scope", "state", "severity", "waived", "item", "by", "version", "timeout_of",
        "commit", "present", "to", "path", "paths", "restored", "removed", "changes", "actions", "label", "tasks",
        "checks",
    }
)  # fmt: skip
"""Fields of events that name things: what follows from them must not change, and none holds what an agent printed."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKENS?|SECRETS?|PASS|PASSWORD|PASSWD|PASSPHRASE|PWD|KEYS?|APIKEY|CREDENTIALS?|AUTH|AUTHORIZATION|"
    r"COOKIE|SIGNATURE|DSN|PAT|BEARER|PRIVATE)(?:$|_)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]{1,16}|\d{1,4}|[A-Za-z0-9]{1,3}")
_BETWEEN = re.compile(r"[\s._,:;@/+=-]+")
_NUMBER = re.compile(r"[+-]?[\d.,]{1,20}")
_URL = re.compile(r"[A-Za-z][\w+.-]*://(?:(?P<who>[^/@\s]*)@)?(?P<rest>[^\s]*)")
_PATH = re.compile(r"[\w.@+~/ -]*")


def is_secret(name: str, value: str, marked: Sequence[str] = ()) -> bool:
    """Whether a variable's value is to be masked. `marked`: globs of names whose values are, whatever they look like.

    Else: at least `SHORTEST` characters, no path of this machine, and either the name says that it is one (…_TOKEN,
    …_KEY, …) or the value looks like nothing a person would write: words, numbers, versions, plain addresses.
    """
    if any(fnmatchcase(name, glob) for glob in marked):
        return len(value) >= SHORTEST_MARKED
    if len(value) < SHORTEST or _are_paths(value):
        return False
    return bool(_SECRET_NAME.search(name)) or not _is_plain(value)


def _are_paths(value: str) -> bool:
    """Absolute paths, one or several as in PATH, each in a folder that this machine has: random text has none."""
    parts = value.split(":")
    return all(
        _PATH.fullmatch(part) is not None and part.count("/") >= 2 and os.path.isdir("/" + part.split("/")[1])  # noqa: PTH112
        for part in parts
        if part.startswith("/")
    ) and all(part.startswith("/") for part in parts)


def _is_plain(value: str) -> bool:
    if _NUMBER.fullmatch(value):
        return True
    url = _URL.fullmatch(value)
    if url is not None:
        return not url["who"] and "?" not in url["rest"] and _are_words(url["rest"])
    return _are_words(value)


def _are_words(text: str) -> bool:
    return all(_WORD.fullmatch(word) for word in _BETWEEN.split(text) if word)


def secrets_of(environment: Mapping[str, Any], marked: Sequence[str] = ()) -> dict[str, str]:
    """The secrets among a session's environment values: variable by value. `environment`: {base, session, agents}.

    Of the base environment, which nobody chose, only passwords in addresses (of proxies) and marked variables count.
    """
    found: dict[str, str] = {}
    for name, value in environment.get("base", {}).items():
        if any(fnmatchcase(name, glob) for glob in marked) and is_secret(name, value, marked):
            found[value] = name
        found.update(dict.fromkeys(_passwords(value), name))
    for table in (environment.get("session", {}), *environment.get("agents", {}).values()):
        for name, value in table.items():
            if is_secret(name, value, marked):
                found[value] = name
            found.update(dict.fromkeys(_passwords(value), name))
    return found


def _passwords(value: str) -> Iterator[str]:
    """The password of an address, as it is written and as it is meant."""
    url = _URL.match(value)
    password = (url["who"] or "").partition(":")[2] if url is not None else ""
    for text in {password, unquote(password)}:
        if len(text) >= SHORTEST_MARKED:
            yield text


def _spellings(value: str) -> Iterator[str]:
    """How a secret may be printed: as it is, within JSON, an address or base64, line by line."""
    stripped = value.strip()
    yield stripped
    yield json.dumps(stripped)[1:-1]
    yield json.dumps(stripped, ensure_ascii=False)[1:-1]
    yield quote(stripped, safe="")
    if len(stripped) >= SHORTEST:
        # Without the last characters, which depend on what follows.
        yield base64.b64encode(stripped.encode()).decode().rstrip("=")[:-1]
    if "\n" in stripped:
        yield from (
            line.strip() for line in stripped.splitlines() if len(line.strip()) >= SHORTEST_LINE and " " not in line
        )


class Mask:
    """Knows some secrets, and finds them. `secrets`: variable by value."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._names: dict[str, str] = {}
        for value, name in (secrets or {}).items():
            for spelling in _spellings(value):
                if len(spelling) >= SHORTEST_MARKED:
                    self._names.setdefault(spelling, name)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @property
    def any(self) -> bool:
        """Whether it knows one."""
        return self._any is not None

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        if self._any is None or self._any.search(text) is None:
            return text
        return self._any.sub(lambda found: f"[masked {self._names[found[0]]}]", text)

    def tail(self, text: str) -> str:
        """As `text`, for a piece of something longer: it may begin or end in the middle of a secret."""
        masked = self.text(text)
        for spelling, name in self._names.items():
            for length in range(len(spelling) - 1, SHORTEST_MARKED - 1, -1):
                if masked.startswith(spelling[-length:]):
                    masked = f"[masked {name}]{masked[length:]}"
                if masked.endswith(spelling[:length]):
                    masked = f"{masked[:-length]}[masked {name}]"
        return masked

    def value(self, value: Any) -> Any:  # noqa: ANN401 — any plain data
        """Plain data with every secret in its texts masked; the same object where there is none."""
        if self._any is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            masked = [self.value(item) for item in value]
            return masked if masked != value else value
        if isinstance(value, Mapping):
            table = {key: self.value(item) for key, item in value.items()}
            return table if table != value else value
        return value

    def fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an event that hold a secret, masked; those that name things are left alone (`STRUCTURE`)."""
        if self._any is None:
            return {}
        changed = {}
        for name, value in data.items():
            if name in STRUCTURE or not isinstance(value, (str, list, dict)) or not value:
                continue
            masked = self.tail(value) if name == "tail" and isinstance(value, str) else self.value(value)
            if masked is not value and masked != value:
                changed[name] = masked
        return changed


NOTHING = Mask()
"""Knows no secret."""


class Masks:
    """The secrets of all sessions a daemon knows of: what an agent of one prints of another's is masked as well.

    Changed by the reactor's thread alone; read by any.
    """

    def __init__(self) -> None:
        self._secrets: dict[str, dict[str, str]] = {}
        self.secrets: dict[str, str] = {}
        """All of them: variable by value."""
        self._mask = NOTHING

    def keep(self, session: str, environment: Mapping[str, Any], marked: Sequence[str]) -> None:
        """Know the secrets among a session's environment values. `marked`: what its plan says are secrets."""
        self._secrets[session] = secrets_of(environment, marked)
        self._rebuild()

    def drop(self, session: str) -> None:
        """Forget a session's."""
        if self._secrets.pop(session, None):
            self._rebuild()

    def _rebuild(self) -> None:
        everything: dict[str, str] = {}
        for secrets in self._secrets.values():
            everything.update(secrets)
        self.secrets = everything
        self._mask = Mask(everything)

    @property
    def now(self) -> Mask:
        """What is known now; another thread may go on using it."""
        return self._mask

    @property
    def any(self) -> bool:
        """Whether there is anything to be masked."""
        return self._mask.any

    def text(self, text: str) -> str:
        """A text with every secret masked."""
        return self._mask.text(text)

    def fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that hold a secret, masked (see `Mask.fields`)."""
        return self._mask.fields(data)
