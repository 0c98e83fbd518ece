"""Expected outputs: the files an agent or a wave must leave behind (requirement G1)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from waved.errors import PlanError
from waved.gates.shown import count, shown, size, some
from waved.plan import globs
from waved.plan.models import Output
from waved.plan.near import near

_WILDCARD = re.compile(r"[*?\[\\{]")
MOST_FILES = 10_000
"""Files of one pattern that are looked at, unless the plan wants more."""


@dataclass(frozen=True, slots=True)
class OutputResult:
    """What became of one expected output."""

    path: str
    """The pattern, as the plan writes it."""
    ok: bool
    detail: str
    """One line: what was found, or what is missing and why."""
    files: tuple[str, ...] = ()
    """What was found, relative to the workspace."""


def check_outputs(workspace: Path, outputs: Sequence[Output], own: Collection[str] = ()) -> list[OutputResult]:
    """One result for each expected output, in order. Never raises: what cannot be looked at counts as missing.

    `own`: files that waved itself writes: they are nobody's output, unless the plan names just that file.

    Reads the file system and may block on it, so it belongs on a helper thread.
    """
    return [_check(workspace, output, own) for output in outputs]


def _check(workspace: Path, output: Output, own: Collection[str]) -> OutputResult:
    try:
        paths = globs.find(workspace, [output.path], max(MOST_FILES, output.min_files))
        sizes = _sizes(workspace, [path for path in paths if path not in own or path == output.path])
        ok, detail = _judge(workspace, output, sizes)
        files = tuple(sizes)
    except (PlanError, OSError, RuntimeError) as error:
        # RuntimeError: pathlib's word for symbolic links that go in a circle.
        ok, detail, files = False, f"{shown(output.path)} cannot be looked at: {shown(_reason(error))}", ()
    return OutputResult(output.path, ok, detail, files)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _sizes(workspace: Path, paths: Sequence[str]) -> dict[str, int]:
    """Bytes by path; what vanished since it was found is left out."""
    sizes: dict[str, int] = {}
    for path in paths:
        try:
            sizes[path] = (workspace / path).stat().st_size
        except OSError:
            continue
    return sizes


def _judge(workspace: Path, output: Output, sizes: dict[str, int]) -> tuple[bool, str]:
    pattern = shown(output.path)
    if not sizes:
        return False, _why_missing(workspace, output.path)
    small = [path for path, found in sizes.items() if found < output.min_size]
    if small:
        first = sizes[small[0]]
        found = f"{shown(small[0])} is empty" if first == 0 else f"{shown(small[0])} has only {size(first)}"
        wanted = "" if output.min_size <= 1 else f", at least {size(output.min_size)} wanted"
        more = f" (and {count(len(small) - 1, 'other file')} too small: {some(small[1:])})" if len(small) > 1 else ""
        return False, found + wanted + more
    if len(sizes) < output.min_files:
        verb = "matches" if len(sizes) == 1 else "match"
        found = f"only {count(len(sizes), 'file')} {verb} {pattern}, at least {output.min_files} wanted"
        return False, f"{found}: {some(list(sizes))}"
    if len(sizes) == 1:
        (path, found_size), *_ = sizes.items()
        return True, f"{shown(path)} ({size(found_size)})"
    return True, f"{count(len(sizes), 'file')} ({size(sum(sizes.values()))})"


def _why_missing(workspace: Path, pattern: str) -> str:
    """What stands where the files should be, as far as the pattern has no wildcards."""
    if not workspace.is_dir():
        return f"the workspace {shown(str(workspace))} is not there"
    single = not _WILDCARD.search(pattern) and not pattern.endswith("/")
    lacking = f"{shown(pattern)} does not exist" if single else f"no file matches {shown(pattern)}"
    segments = [segment for segment in pattern.split("/") if segment not in ("", ".")]
    place = workspace
    for number, segment in enumerate(segments):
        if _WILDCARD.search(segment):
            return lacking + _unreadable(place, workspace)
        parent, place = place, place / segment
        name = shown(place.relative_to(workspace).as_posix())
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            close = near(segment, _listing(parent))
            told = lacking if single and number == len(segments) - 1 else f"{lacking}: {name} does not exist"
            return f"{told}; {close}" if close else told + _unreadable(parent, workspace)
        except OSError as error:
            return f"{lacking}: {name}: {error.strerror}"
        last = number == len(segments) - 1
        if stat.S_ISLNK(mode):
            return f"{name} is a symbolic link, {_link_problem(place, workspace, last)}"
        if last and single:
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            return f"{name} is {kind}; a file is wanted"
        if not stat.S_ISDIR(mode):
            return f"{lacking}: {name} is a file, not a folder"
    return lacking


def _link_problem(link: Path, workspace: Path, last: bool) -> str:
    if not link.exists():
        return "and what it points to does not exist"
    if not link.resolve().is_relative_to(workspace.resolve()):
        return "which leads out of the workspace and does not count"
    return "to a folder; a file is wanted" if last else "which is not followed"


def _listing(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in islice(folder.iterdir(), MOST_FILES)]
    except OSError:
        return []


def _unreadable(folder: Path, workspace: Path) -> str:
    if not folder.is_dir() or os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
        return ""
    return f": {shown(folder.relative_to(workspace).as_posix())} may not be read"
