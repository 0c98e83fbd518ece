"""What is shown of snapshots, diffs and rollbacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wavectl.views.text import Paint, columns, moment, one_line, printable

MOST_NAMED = 20


def listing(found: Sequence[dict[str, Any]], paint: Paint) -> list[str]:
    """One line each: name, time, why, wave, files."""
    if not found:
        return ["no snapshots"]
    rows = [
        [
            paint(one["snapshot"], "bold"), moment(one["time"]), one_line(one["label"]),
            f"{one['files']} files", f"{one['changed']} changed" if one["changed"] else "",
        ]
        for one in found
    ]  # fmt: skip
    return columns(rows, right=(3,))


def described(one: dict[str, Any], paint: Paint) -> list[str]:
    """All of one snapshot."""
    lines = [f"{paint(one['snapshot'], 'bold')}  {moment(one['time'])}  {one_line(one['label'])}"]
    lines.append(paint(f"  {one['files']} files, commit {one['commit']}", "dim"))
    for each in one["skipped"]:
        lines.append(f"  not kept: {one_line(each['path'])}: {one_line(each['why'])}")
    rows = []
    for change in one["changes"]:
        counted = change["added"] is not None
        lines_changed = f"+{change['added']} -{change['removed']}" if counted else "binary"
        rows.append([change["kind"], one_line(change["path"]), lines_changed])
    return lines + columns(rows, indent=2)


def coloured_diff(text: str, paint: Paint) -> Iterator[str]:
    """A diff as git colours it; control characters of the files cannot steer the terminal."""
    for line in text.splitlines():
        shown = printable(line.replace("\t", "    "))
        if line.startswith(
            ("diff --git", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")
        ):
            yield paint(shown, "bold")
        elif line.startswith("@@"):
            yield paint(shown, "cyan")
        elif line.startswith("+"):
            yield paint(shown, "green")
        elif line.startswith("-"):
            yield paint(shown, "red")
        else:
            yield shown


def restored(done: dict[str, Any]) -> list[str]:
    """What a rollback of an ended session did."""
    lines = []
    for word, paths in (("restored", done["restored"]), ("removed", done["removed"])):
        lines += [f"{word} {one_line(path)}" for path in paths[:MOST_NAMED]]
        if len(paths) > MOST_NAMED:
            lines.append(f"… and {len(paths) - MOST_NAMED} more {word}")
    lines += [f"not brought back: {one_line(text)}" for text in done["failed"]]
    if not done["total"] and not done["failed"]:
        return ["nothing differs"]
    if done["present"]:
        lines.append(f"what was there is kept: `wavectl snapshots restore {done['present']}` brings it back")
    return lines
