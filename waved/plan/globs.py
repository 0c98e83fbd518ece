"""Path patterns of a plan: `*`, `**`, `?`, `[a-z]`, `{a,b}`, relative to the workspace (requirements G1, O4, P2).

Matching is wcmatch's. A leading dot is an ordinary character, `**` is any number of folders, and a pattern that ends
in "/" means everything below that folder. Finding files is done here, because wcmatch's own walk would go through a
symbolic link to a folder that a pattern names, and so out of the workspace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

from waved.errors import PlanError

LONGEST = 4096
"""Characters of a pattern: what Linux allows a path."""
MOST_ALTERNATIVES = 1000
"""Patterns that braces may expand to; a guard against `{1..1000000}`."""
MOST_WILDCARDS = 8
"""`*` within one pattern's path segment; matching time grows steeply with their number."""
_MAGIC = re.compile(r"[*?\[\\{]")
_STARS = re.compile(r"\*+")


def problem(pattern: str) -> str | None:
    """What is wrong with a pattern, for a person; None when it can be used."""
    if not pattern:
        return "is empty; write a path such as docs/*.md"
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if "\0" in pattern:
        return "holds a NUL character, which no path can"
    try:
        alternatives = _alternatives(pattern)
    except PlanError as error:
        return error.message
    for alternative in alternatives:
        if alternative.startswith("/"):
            return f'"{pattern}" is an absolute path; patterns are relative to the workspace'
        if ".." in alternative.split("/"):
            return f'"{pattern}" leads outside through ".."; patterns stay inside the workspace'
        if any(len(_STARS.findall(segment)) > MOST_WILDCARDS for segment in alternative.split("/")):
            return f'"{pattern}" has more than {MOST_WILDCARDS} "*" between two slashes'
    return None


def matches(pattern: str, path: str) -> bool:
    """Whether a path (relative, with "/") matches; raises PlanError for a pattern that cannot be used."""
    return any(expression.fullmatch(path) for expression in _expressions(pattern))


def expressions(patterns: Sequence[str]) -> list[str]:
    """The same patterns as regular expressions for `re.fullmatch`, for those who must not import wcmatch.

    Raises PlanError.
    """
    return [expression.pattern for pattern in patterns for expression in _expressions(pattern)]


def find(root: Path, patterns: Sequence[str], limit: int) -> list[str]:
    """Files under `root` that match any of the patterns: relative, sorted, each once, at most `limit` of them.

    Symbolic links to folders are never followed; one to a file counts when the file lies inside `root`. Git's own
    folder is left out unless a pattern names it. Folders that cannot be read are passed over. Raises PlanError for a
    pattern that cannot be used.
    """
    found: set[str] = set()
    inside = root.resolve()
    for pattern in patterns:
        expressions = _expressions(pattern)
        for start, depth in _starts(pattern):
            for path in _walk(root, start, depth):
                if len(found) >= limit:
                    return sorted(found)
                if path in found or not any(expression.fullmatch(path) for expression in expressions):
                    continue
                if _is_file_inside(root / path, inside):
                    found.add(path)
    return sorted(found)


def overlap(first: str, second: str) -> bool:
    """Whether some path could match both patterns. Conservative: True where it cannot be told.

    Raises PlanError for a pattern that cannot be used.
    """
    one_head, other_head = head(first), head(second)
    shared = min(len(one_head), len(other_head))
    if one_head[:shared] != other_head[:shared]:
        return False
    ones = [_segments(alternative) for alternative in _checked(first)]
    others = [_segments(alternative) for alternative in _checked(second)]
    return any(_meet(one, other, "**", _segments_meet) for one in ones for other in others)


@lru_cache(maxsize=4096)
def head(pattern: str) -> tuple[str, ...]:
    """The segments before the first wildcard: patterns can only overlap where one's head begins the other's.

    Raises PlanError for a pattern that cannot be used.
    """
    _checked(pattern)
    return tuple(takewhile(lambda segment: not _MAGIC.search(segment), _segments(_normal(pattern))))


def names_folder(pattern: str) -> str:
    """The pattern for everything below what `pattern` names, if that should be a folder: `client` → `client/**`."""
    return pattern.rstrip("/") + "/**"


def _normal(pattern: str) -> str:
    while pattern.startswith("./"):
        pattern = pattern[2:]
    return pattern + "**" if pattern.endswith("/") else pattern


@lru_cache(maxsize=1024)
def _alternatives(pattern: str) -> tuple[str, ...]:
    """The patterns without braces that a pattern stands for; raises PlanError when there are too many."""
    if "{" not in pattern:
        return (_normal(pattern),)
    import bracex

    try:
        expanded = bracex.expand(pattern, keep_escapes=True, limit=MOST_ALTERNATIVES)
    except (bracex.ExpansionLimitException, RecursionError, ValueError):
        shown = pattern if len(pattern) <= 60 else pattern[:60] + "…"
        raise PlanError(f'the braces of "{shown}" stand for more than {MOST_ALTERNATIVES} patterns') from None
    return tuple(dict.fromkeys(_normal(alternative) for alternative in expanded))


def _checked(pattern: str) -> tuple[str, ...]:
    wrong = problem(pattern)
    if wrong is not None:
        raise PlanError(wrong)
    return _alternatives(pattern)


@lru_cache(maxsize=1024)
def _expressions(pattern: str) -> tuple[re.Pattern[str], ...]:
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX
    wanted, _ = glob.translate(list(_checked(pattern)), flags=flags, limit=MOST_ALTERNATIVES)
    return tuple(re.compile(expression) for expression in wanted)


def _starts(pattern: str) -> Iterator[tuple[str, int | None]]:
    """Where to look for a pattern: a folder without wildcards, and how many folders deep (None: all the way)."""
    for alternative in _alternatives(pattern):
        segments = alternative.split("/")
        plain = 0
        while plain < len(segments) - 1 and not _MAGIC.search(segments[plain]):
            plain += 1
        depth = None if "**" in alternative else len(segments) - plain
        yield "/".join(segments[:plain]), depth


def _walk(root: Path, start: str, depth: int | None) -> Iterator[str]:
    """Paths below root/start of what is no folder, relative to root, in order."""
    folder = root
    for segment in Path(start).parts:
        folder = folder / segment
        if folder.is_symlink():
            return
    pending = [(start, 1)]
    while pending:
        inside, level = pending.pop()
        try:
            with os.scandir(root / inside) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            continue
        deeper: list[tuple[str, int]] = []
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            if not _is_folder(entry):
                yield path
            elif entry.name != ".git" and (depth is None or level < depth):
                deeper.append((path, level + 1))
        pending += reversed(deeper)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file_inside(path: Path, root: Path) -> bool:
    try:
        return path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root))
    except (OSError, RuntimeError):
        return False


Token = str
"""One element of a pattern: a segment of a path, or a character, class or wildcard of a segment."""


def _segments(pattern: str) -> list[Token]:
    # "a**b" within a segment is no globstar: only a whole segment "**" is.
    return [segment for segment in pattern.split("/") if segment not in ("", ".")]


def _characters(segment: str) -> list[Token]:
    return re.findall(r"\[[!^]?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\\.|.", segment, re.DOTALL)


def _segments_meet(first: Token, second: Token) -> bool:
    if not _MAGIC.search(first) and not _MAGIC.search(second):
        return first == second
    return _meet(_characters(first), _characters(second), "*", _characters_meet)


def _characters_meet(first: Token, second: Token) -> bool:
    if first == "?" or second == "?":
        return True
    one_class, other_class = first.startswith("[") and len(first) > 1, second.startswith("[") and len(second) > 1
    if one_class and other_class:
        return True
    if one_class:
        return matches(first, _plain(second))
    if other_class:
        return matches(second, _plain(first))
    return _plain(first) == _plain(second)


def _plain(token: Token) -> str:
    return token[1:] if len(token) == 2 and token.startswith("\\") else token


def _meet(first: list[Token], second: list[Token], star: Token, pair: Callable[[Token, Token], bool]) -> bool:
    """Whether two sequences, in which `star` stands for any number of elements, have one reading in common."""
    # row[j]: can the rest of `first` from the present element and the rest of `second` from j be read alike?
    row = [False] * (len(second) + 1)
    row[len(second)] = True
    for j in range(len(second) - 1, -1, -1):
        row[j] = second[j] == star and row[j + 1]
    for i in range(len(first) - 1, -1, -1):
        below = row
        row = [False] * (len(second) + 1)
        row[len(second)] = first[i] == star and below[len(second)]
        for j in range(len(second) - 1, -1, -1):
            if first[i] == star or second[j] == star:
                # A star takes one more element, or ends: a step on either side alone covers both.
                row[j] = below[j] or row[j + 1]
            else:
                row[j] = below[j + 1] and pair(first[i], second[j])
    return row[0]
