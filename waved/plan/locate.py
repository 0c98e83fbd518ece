"""Where in a TOML file a key stands: line numbers for error messages (tomllib gives none).

The scanner walks over a document that tomllib has already accepted, so it need not judge anything: it only has to
know where keys, strings, arrays and tables begin and end. Key paths are those of the parsed data, with the position
in an array as a number: `("wave", 1, "agent", 0, "timeout")`.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from contextlib import suppress

KeyPath = tuple[str | int, ...]
"""Where in the plan something stands: ("wave", 1, "task", 0, "requires", 2)."""

# Possessive throughout: what TOML's grammar has read it never gives back, and long strings cost no memory.
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_BARE_KEY = re.compile(r"[^\s=.\[\]{}\"'#,]++")
_BASIC = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
# One or two quotes may stand within a long string, or directly before the three that close it.
_LONG_BASIC = re.compile(r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']++|'{1,2}(?!'))*+'{3,5}")
_PLAIN_VALUE = re.compile(r"[^,\]}\n#]*+")


class Locator:
    """Line numbers (from 1) of a document's keys. `source` must be valid TOML."""

    def __init__(self, source: str) -> None:
        self._text = source
        self._at = 0
        self._offsets: dict[KeyPath, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", source)]
        self._tables: dict[KeyPath, int] = {}  # how many [[tables]] of this path were seen
        with suppress(IndexError, RecursionError, ValueError):
            # A line number is a help, never worth failing for: what was found until then is kept.
            self._document()

    def line(self, where: KeyPath) -> int:
        """The line of a key; for one that is not in the document, of the nearest table that is (else 1)."""
        for length in range(len(where), 0, -1):
            offset = self._offsets.get(where[:length])
            if offset is not None:
                return bisect_right(self._newlines, offset - 1) + 1
        return 1

    def known(self) -> dict[KeyPath, int]:
        """All keys found, with their lines."""
        return {where: self.line(where) for where in self._offsets}

    def _document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self._text):
            start = self._at
            if self._text.startswith("[[", start):
                self._at += 2
                table = self._open(self._key(), start, repeated=True)
                self._at += 2
            elif self._text[start] == "[":
                self._at += 1
                table = self._open(self._key(), start, repeated=False)
                self._at += 1
            else:
                self._pair(table)

    def _open(self, key: list[str], start: int, *, repeated: bool) -> KeyPath:
        """The path of the table a header opens; notes it and the tables above it."""
        path: KeyPath = ()
        for number, part in enumerate(key):
            path = (*path, part)
            self._offsets.setdefault(path, start)
            if repeated and number == len(key) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self._offsets.setdefault(path, start)
        return path

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self._offsets.setdefault(path, start)
        self._skip(_SPACE)
        self._at += 1  # "="
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """The parts of a dotted key; ends before what follows it ("=", "]")."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._text[start] == '"':
                self._skip(_BASIC)
                parts.append(_unquote(self._text[start : self._at]))
            elif self._text[start] == "'":
                self._skip(_LITERAL)
                parts.append(self._text[start + 1 : self._at - 1])
            else:
                self._skip(_BARE_KEY)
                parts.append(self._text[start : self._at])
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first == '"':
            self._skip(_LONG_BASIC if self._text.startswith('"""', self._at) else _BASIC)
        elif first == "'":
            self._skip(_LONG_LITERAL if self._text.startswith("'''", self._at) else _LITERAL)
        else:
            self._skip(_PLAIN_VALUE)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._offsets[(*path, number)] = self._at
            self._value((*path, number))
            number += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_BLANK)
        self._at += 1

    def _skip(self, expression: re.Pattern[str]) -> int:
        found = expression.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return self._at


def _unquote(text: str) -> str:
    """The key a quoted one stands for. TOML's escapes are JSON's and a few more."""
    try:
        key: str = json.loads(text)
    except json.JSONDecodeError:
        key = next(iter(tomllib.loads(f"{text} = 0")))
    return key


def show(where: KeyPath) -> str:
    """A key path as a person reads it: `wave[1].agent[0].timeout`."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part[:60], ensure_ascii=False)
            text += f".{shown}" if text else shown
    return text
