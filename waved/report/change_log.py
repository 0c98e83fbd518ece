"""waved's part of a change log: an entry for each session, in the form of Keep a Changelog (requirement C3). Pure.

The part stands between two markers, under a heading of its own; each entry between two more. What is outside of waved's
own entries is never changed, moved or removed, and an entry that somebody has edited is theirs: its end marker holds a
checksum of what waved has written.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

BEGIN = "<!-- waved: what sessions changed; entries are added here, and nothing else of this file is touched -->"
END = "<!-- waved: end -->"
TITLE = "# Change log"
HEADING = "## Sessions of waved"
_KINDS = (("added", "Added"), ("modified", "Changed"), ("deleted", "Removed"))
MOST_FILES = 40
"""Files that an entry names of each kind."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Line:
    """A file that differs. `kind`: added, modified, deleted, …"""

    path: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is said of one session. Texts are cleaned here: they may be anything."""

    session: str
    name: str
    date: str
    outcome: str
    summary: str = ""
    files: tuple[Line, ...] = field(default_factory=tuple)


def updated(text: str, entry: Entry) -> str:
    """The change log with this session's entry: in place of the one waved wrote of it before, else above the others.

    `text`: the file as it is, "" for none. Its line ends are kept.
    """
    # With a bare "\r" at hand "\n" would not do: behind it, it would make a line end of the other kind.
    newline = "\r\n" if "\r" in text else "\n"
    written = _rendered(entry).replace("\n", newline)
    own = _own_entry(text, entry.session)
    if own is not None:
        start, end = own
        return text[:start] + written + text[end:]
    begin = _marker_at(text, BEGIN)
    if begin >= 0:
        at = _after_heading(text, begin, newline)
        return text[:at] + _gap(text[:at], newline) + written + newline * 2 + text[at:]
    part = newline.join([BEGIN, HEADING, "", written, "", END, ""])
    if not text.strip():
        return text + newline.join([TITLE, "", part])
    at = _first_section(text)
    if at < 0:
        return text + _gap(text, newline) + part
    return text[:at] + _gap(text[:at], newline) + part + newline + text[at:]


def _rendered(entry: Entry) -> str:
    """The entry with its markers, without a line end."""
    lines = [f"### {_plain(entry.name)} - {entry.date}", ""]
    lines += [f"Session `{_name(entry.session)}` {_plain(entry.outcome)}.{_summary(entry.summary)}", ""]
    known = {kind for kind, _ in _KINDS}
    for kind, title in _KINDS:
        files = [each for each in entry.files if (each.kind if each.kind in known else "modified") == kind]
        if files:
            lines += [f"#### {title}", ""]
            lines += [f"- {_code(each.path)}{_note(each.note)}" for each in files[:MOST_FILES]]
            if len(files) > MOST_FILES:
                lines.append(f"- … and {len(files) - MOST_FILES} more")
            lines.append("")
    if not entry.files:
        lines += ["No file of the workspace was changed.", ""]
    body = "\n".join(lines)
    return f"{_start(entry.session)}\n{body}{_end(entry.session, body)}"


def _start(session: str) -> str:
    return f"<!-- waved: session {_name(session)} -->"


def _end(session: str, body: str) -> str:
    return f"<!-- waved: end of {_name(session)} {_sum(body)} -->"


def _sum(body: str) -> str:
    return hashlib.sha256(body.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _own_entry(text: str, session: str) -> tuple[int, int] | None:
    """Where the entry of this session stands as waved wrote it; None when there is none, or somebody edited it."""
    start = _start(session)
    at = text.find(start)
    while at >= 0:
        ending = re.compile(rf"<!-- waved: end of {re.escape(_name(session))} ([0-9a-f]{{12}}) -->")
        found = ending.search(text, at)
        if found is None:
            return None
        body = text[at + len(start) : found.start()]
        body = body.removeprefix("\r\n") if body.startswith("\r\n") else body.removeprefix("\n")
        if _sum(body) == found[1] and start not in body:
            return at, found.end()
        at = text.find(start, at + 1)
    return None


def _marker_at(text: str, marker: str) -> int:
    """Where a marker stands on a line of its own; -1: nowhere."""
    found = re.search(rf"^{re.escape(marker)}[ \t]*\r?$", text, re.MULTILINE)
    return found.start() if found else -1


def _after_heading(text: str, begin: int, newline: str) -> int:
    """Behind the begin marker, and behind the heading if that follows at once."""
    at = text.find("\n", begin) + 1
    if not at:
        return len(text)
    if text.startswith(HEADING, at):
        after = text.find("\n", at) + 1
        at = after or len(text)
        if text.startswith(newline, at):
            at += len(newline)
    return at


def _gap(before: str, newline: str) -> str:
    """What makes an empty line between what stands before and a heading."""
    if not before or before.endswith(newline * 2):
        return ""
    return newline if before.endswith("\n") else newline * 2


def _first_section(text: str) -> int:
    """Where the first heading of the second level begins, outside of code; -1: there is none."""
    fence = ""
    at = 0
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found:
            if not fence:
                fence = found[1]
            elif found[1].startswith(fence):
                fence = ""
        elif not fence and line.startswith("## "):
            return at
        at += len(line)
    return -1


def _clean(text: str) -> str:
    """One line without anything that would steer a terminal, or begin or end a comment."""
    kept = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(kept.replace("-->", "-- >").replace("<!--", "<! --").split())


def _plain(text: str, longest: int = 120) -> str:
    """Text that means nothing to Markdown."""
    cleaned = _clean(text)
    cut = cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", cut)


def _name(session: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", session)


def _code(path: str) -> str:
    """A path as code, whatever is in it."""
    cleaned = _clean(path)[:300] or "?"
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", cleaned)), default=0) + 1)
    space = " " if cleaned.startswith("`") or cleaned.endswith("`") else ""
    return f"{ticks}{space}{cleaned}{space}{ticks}"


def _note(note: str) -> str:
    return f" ({_plain(note)})" if note else ""


def _summary(text: str) -> str:
    return f" {_plain(text, 400)}" if text else ""
