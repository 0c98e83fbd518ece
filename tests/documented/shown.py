"""Every command that the documents show: whole lines of their blocks, and complete commands in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.command_lines import PROGRAMS, mistake
from tests.documents import Page, commands, pages
from tests.tutorial import TUTORIAL

_SPAN = re.compile(r"`([^`]+)`")
_COMMENT = re.compile(r"\s+#\s.*$")
_SHELL = (
    *PROGRAMS, "bash", "du", "eval", "journalctl", "loginctl", "man", "npm", "pip", "pipx", "python", "python3", "rm",
    "sqlite3", "sudo", "sysctl", "systemctl", "systemd-analyze", "tar", "usermod",
)  # fmt: skip
"""What a span in running text begins with if a reader is to type it; what is said of git is about git."""
_GAP = re.compile(r"…|\[[A-Z]|\w\|\w|\b(AGENT|COMMIT|DIR|FILE|NAME|PLAN|SESSION|VALUE)\b")
"""`SESSION`, `[AGENT…]`, `a|b`: a form of a command, which a reader has to fill in."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A command as it stands in a page, without the comment behind it."""

    place: str
    text: str
    not_run: str = ""
    """Why its block says that it is not run."""


def in_blocks(page: Page) -> list[Shown]:
    """The command lines of a page's blocks, in their order; the tutorial's are followed by tests/tutorial.py."""
    return [
        Shown(block.place, _COMMENT.sub("", line).strip(), block.not_run)
        for block in page.blocks
        if block.language in ("sh", "console") and (block.not_run or page.name != TUTORIAL.name)
        for line in block.command_lines()
    ]


def in_text() -> list[Shown]:
    """Each complete command of running text once. `wavectl retry AGENT` is a form, `wavectl run` lacks its argument:
    those name a command; tests/unit/project/test_documents.py knows whether it exists.
    """
    found: dict[str, Shown] = {}
    for page in pages():
        for text in _spans(page):
            found.setdefault(text, Shown(page.name, text))
    return [found[text] for text in sorted(found)]


def _spans(page: Page) -> Iterator[str]:
    for span in _SPAN.findall(page.prose):
        text = " ".join(span.replace("\\|", "|").split())
        if " " in text and text.split()[0] in _SHELL and not _GAP.search(text) and _is_complete(text):
            yield text


def _is_complete(text: str) -> bool:
    try:
        words = commands(text)
    except ValueError:
        return False
    return all(not mistake(each) for each in words if each[0] in PROGRAMS)


def pages_with_commands() -> list[Page]:
    """Those that show one in a block."""
    return [page for page in pages() if in_blocks(page)]
