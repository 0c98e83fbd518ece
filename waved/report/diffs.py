"""A unified diff, file by file and in pieces of one kind, for pages."""

from __future__ import annotations

from typing import Any

_HEADERS = ("index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode", "similarity", "Binary files")


def by_file(diff: str) -> list[dict[str, Any]]:
    """[{path, pieces: [(kind, text)]}]; kinds: head, at, add, del, same."""
    files: list[dict[str, Any]] = []
    lines: list[str] = []
    for line in diff.split("\n"):
        if line.startswith("diff --git "):
            if lines:
                files.append(_file(lines))
            lines = [line]
        elif lines:
            lines.append(line)
    if lines:
        files.append(_file(lines))
    return files


def _file(lines: list[str]) -> dict[str, Any]:
    pieces: list[tuple[str, list[str]]] = []
    path = _path(lines)
    within = False
    for line in lines[1:]:
        within = within or line.startswith("@@")
        kind = _kind(line, within)
        if kind == "head":
            continue
        if pieces and pieces[-1][0] == kind:
            pieces[-1][1].append(line)
        else:
            pieces.append((kind, [line]))
    while pieces and not any(line.strip() for line in pieces[-1][1]):
        pieces.pop()
    return {"path": path, "pieces": [(kind, "\n".join(found)) for kind, found in pieces]}


def _kind(line: str, within: bool) -> str:
    if not within and line.startswith(_HEADERS):
        return "same" if line.startswith("Binary files") else "head"
    if line.startswith("@@"):
        return "at"
    return {"+": "add", "-": "del"}.get(line[:1], "same")


def _path(lines: list[str]) -> str:
    """The path a file's part of the diff is of: of the new side, or the old where it is gone."""
    found = ""
    for line in lines[1:8]:
        for sign, prefix in (("+++ ", "b/"), ("--- ", "a/")):
            if line.startswith(sign + prefix):
                path = line[len(sign + prefix) :].removesuffix("\t")
                if sign == "+++ ":
                    return path
                found = path
        if line.startswith("@@"):
            break
    if found:
        return found
    head = lines[0].removeprefix("diff --git ")
    half = len(head) // 2
    return head[half + 1 :].removeprefix("b/") if head[2:half] == head[half + 3 :] else head
