"""Unresolved merge markers: what git leaves in a file it could not merge (git-merge(1), "how conflicts are presented").

Only the whole of it counts, in order and at the beginning of lines; a single "=======" is a heading or a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

_OURS = re.compile(rb"<{7}( .*)?\r?$")
_MIDDLE = re.compile(rb"={7}\r?$")
_THEIRS = re.compile(rb">{7}( .*)?\r?$")
_FENCE = re.compile(rb" {0,3}(`{3,}|~{3,})")
_QUOTING = frozenset({".patch", ".diff", ".rej", ".orig", ".mbox"})
"""Files whose subject is differences."""
_FENCED = frozenset({".md", ".markdown", ".mdx", ".qmd"})
_TEST_FOLDERS = frozenset({"test", "tests", "__tests__", "testdata", "fixtures", "spec", "specs"})
_TEST_NAME = re.compile(r"^test_|_test\.|\.test\.|\.spec\.|^conftest\.")


def find(path: str, data: bytes, *, parses: bool) -> int:
    """The line (from 1) where a conflict begins, 0 if there is none.

    `parses`: the file has no syntax error that is known of. A test or fixture that is sound apart from its markers
    holds them on purpose; in other files a conflict may sit in a comment and is one all the same.
    """
    if b"<<<<<<<" not in data or b">>>>>>>" not in data:
        return 0
    name = PurePosixPath(path)
    if name.suffix.lower() in _QUOTING or (parses and _is_test(name)):
        return 0
    lines = _outside_fences(data) if name.suffix.lower() in _FENCED else enumerate(data.split(b"\n"), 1)
    begin, middle = 0, False
    for number, line in lines:
        if _OURS.match(line):
            begin, middle = number, False
        elif begin and _MIDDLE.match(line):
            middle = True
        elif begin and middle and _THEIRS.match(line):
            return begin
    return 0


def _is_test(name: PurePosixPath) -> bool:
    return not _TEST_FOLDERS.isdisjoint(name.parts[:-1]) or _TEST_NAME.search(name.name) is not None


def _outside_fences(data: bytes) -> Iterator[tuple[int, bytes]]:
    fence = b""
    for number, line in enumerate(data.split(b"\n"), 1):
        mark = _FENCE.match(line)
        if mark is None:
            if not fence:
                yield number, line
        elif not fence:
            fence = mark[1]
        elif mark[1].startswith(fence):
            fence = b""
