"""What a session changed: files with their lines, and the diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wavectl.views.snapshots import coloured_diff
from wavectl.views.text import Paint, cut, one_line, pad, visible

_WIDEST = 40


def changes_lines(found: dict[str, Any], paint: Paint, width: int, *, stat: bool) -> Iterator[str]:
    """The diff; with `stat` one line a file, as git shows it."""
    if not found["files"]:
        yield f"nothing differs between {found['since']} and {found['until']}"
        return
    if not stat:
        yield from coloured_diff(found["diff"], paint)
        return
    yield from _stat(found["files"], paint, width)
    added = sum(each["added"] or 0 for each in found["files"])
    removed = sum(each["removed"] or 0 for each in found["files"])
    files = f"{len(found['files'])} file{'' if len(found['files']) == 1 else 's'}"
    yield f"{files}, +{added} −{removed}, from {found['since']} to {found['until']}"


def _stat(files: list[dict[str, Any]], paint: Paint, width: int) -> Iterator[str]:
    names = [one_line(each["path"]) for each in files]
    counts = ["binary" if each["added"] is None else str(each["added"] + each["removed"]) for each in files]
    most = max((each["added"] + each["removed"] for each in files if each["added"] is not None), default=0)
    count_width = max(map(len, counts))
    room = min(_WIDEST, max(8, width // 3))
    longest = min(max(map(visible, names)), max(16, width - room - count_width - 12))
    for each, name, count in zip(files, names, counts, strict=True):
        sign = {"added": paint("A", "green"), "deleted": paint("D", "red")}.get(each["kind"], "M")
        picture = ""
        if each["added"] is not None and most:
            scale = min(1.0, room / most)
            plus = -(-each["added"] * scale // 1)
            minus = -(-each["removed"] * scale // 1)
            picture = paint("+" * int(plus), "green") + paint("-" * int(minus), "red")
        yield f"{sign} {pad(cut(name, longest), longest)}  {pad(count, count_width, right=True)}  {picture}".rstrip()
