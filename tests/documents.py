"""README.md and docs/ as data: their pages, fenced blocks, commands, links and anchors.

What a page shows is tested. Two comments in a page's source say how, each on the line before the block it is about:

    <!-- not run: WHY -->      the block needs what a test has not (root, systemd, another machine, an agent's login)
    <!-- file: NAME -->        the block is the content of this file: a plan, `waved.toml`, or a file of the tutorial

Which test runs it instead stands in tests/documented/elsewhere.py; its `wavectl` and `waved` are checked against their
real options all the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_COMMENT = re.compile(r"<!-- (not run|file): (.+?) -->")
_FENCE = re.compile(r"^( *)```(\S*)")
_PROMPT = re.compile(r"^(?:\w+)?\$ +(.*)")
_HEADING = re.compile(r"^(#{1,6}) +(.*?) *$")
_BETWEEN = {"|", "||", "&&", ";", "&", "(", ")"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it begins, its language, its text, and what the comment before it says."""

    page: str
    line: int
    language: str
    text: str
    note: str = ""
    about: str = ""

    @property
    def place(self) -> str:
        """For messages and test ids."""
        return f"{self.page}:{self.line}"

    @property
    def not_run(self) -> str:
        """Why it is not run; empty if it is."""
        return self.about if self.note == "not run" else ""

    @property
    def file(self) -> str:
        """The file whose content it is; empty if none is named."""
        return self.about if self.note == "file" else ""

    def command_lines(self) -> list[str]:
        """The command lines of a shell block: all of `sh`, those after a `$` of `console`; continued lines joined."""
        if self.language == "sh":
            return list(_joined(self.text.splitlines()))
        prompted = [_PROMPT.match(line) for line in self.text.splitlines()]
        return list(_joined([found[1] for found in prompted if found]))

    def exchanges(self) -> list[tuple[str, str]]:
        """Of a `console` block: each command line, and what it is shown to print."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            prompted = _PROMPT.match(line)
            if prompted:
                found.append((prompted[1], []))
            elif found:
                found[-1][1].append(line)
        return [(command, "\n".join(output)) for command, output in found]


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the project."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        """Its fenced blocks."""
        return list(_blocks(self.name, self.text.splitlines()))

    @cached_property
    def prose(self) -> str:
        """What is outside of fenced blocks; their lines are empty here."""
        lines, inside = [], False
        for line in self.text.splitlines():
            fence = _FENCE.match(line) is not None
            lines.append("" if inside or fence else line)
            inside = inside != fence
        return "\n".join(lines)

    @cached_property
    def anchors(self) -> set[str]:
        """What links can lead to: its headings, as GitHub names them."""
        found: set[str] = set()
        for line in self.prose.splitlines():
            heading = _HEADING.match(line)
            if heading:
                name = _anchor(heading[2])
                count = 0
                while (numbered := f"{name}-{count}" if count else name) in found:
                    count += 1
                found.add(numbered)
        return found


def pages() -> list[Page]:
    """README.md, CHANGELOG.md and everything in docs/ and systemd/."""
    named = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "systemd").glob("*.md")]
    return [Page(path) for path in [*named, *sorted((ROOT / "docs").rglob("*.md"))]]


def blocks(*languages: str) -> list[Block]:
    """All blocks of these languages, in all pages."""
    return [block for page in pages() for block in page.blocks if block.language in languages]


def commands(line: str) -> list[list[str]]:
    """The words of each command of a shell command line: those a pipe or `&&` joins, without redirections, variables
    set before them, and `sudo`. Raises ValueError for what is no shell.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if word in _BETWEEN:
            found.append([])
        elif set(word) <= {"<", ">"} or set(word) == {">", "&"}:
            redirected = True
        elif redirected:
            redirected = False
        else:
            found[-1].append(word)
    return [words for words in map(_program_first, found) if words]


def _program_first(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and (_ASSIGNMENT.match(rest[0]) or rest[0] in ("sudo", "export", "if", "then", "while", "do")):
        removed = rest.pop(0)
        if removed == "sudo" and rest[:1] == ["-u"]:
            rest = rest[2:]
    return rest


def _joined(lines: list[str]) -> Iterator[str]:
    begun = ""
    for line in lines:
        if line.endswith("\\"):
            begun += line[:-1] + " "
        elif begun or (line.strip() and not line.lstrip().startswith("#")):
            yield begun + line
            begun = ""


def _blocks(page: str, lines: list[str]) -> Iterator[Block]:
    opened: tuple[int, str, str] | None = None
    comment: tuple[str, str] = ("", "")
    content: list[str] = []
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, content = (number, fence[2], fence[1]), []
            elif line.strip():
                told = _COMMENT.fullmatch(line.strip())
                comment = (told[1], told[2]) if told else ("", "")
        elif fence and not fence[2]:
            start, language, indent = opened
            text = "\n".join(each.removeprefix(indent) for each in content)
            yield Block(page, start, language, text + "\n", *comment)
            opened, comment = None, ("", "")
        else:
            content.append(line)
    assert opened is None, f"{page}:{opened[0]}: this block does not end"


def _anchor(heading: str) -> str:
    """As GitHub makes it: letters, digits, dashes and underscores, lower case, spaces as dashes."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
