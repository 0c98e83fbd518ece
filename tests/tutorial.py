"""Follows the tutorial as a reader would: writes the files it shows, runs its commands, compares what they print.

    python -m tests.tutorial            follow docs/tutorial.md, and write what its commands print into the page

A page's figures, times, process ids, bars and session ids are one reader's; everything else has to be what is shown.
A line `…` in a shown output stands for any lines, `…` at the end of a line for the rest of it. Lines about several
agents that work at once may come in another order.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.documents import ROOT, Block, Page

TUTORIAL = Page(ROOT / "docs" / "tutorial.md")
READER = "/home/you"
"""The reader's home folder, as the page shows it."""
_ANY = "…"
_PATIENCE = 20.0
_SECONDS = 60.0
"""For one command."""
_LOOKS = ("wavectl status", "wavectl list", "wavectl logs")
"""What a reader does again a moment later, when an agent has not come so far."""
_MINGLED = ("wavectl run", "wavectl logs")
"""What tells of several agents at once."""
_ID = re.compile(r"\b([a-z]+)-([a-z0-9]{4})\b")


class Reader:
    """Somebody with a new machine and this tutorial; everything happens below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.place = self.home
        self.status = 0
        self.names = {
            found for block in TUTORIAL.blocks for found in re.findall(r'^\[session\]\nname = "(\w+)"', block.text)
        }
        self.theirs: dict[str, str] = {}
        """Ids as the page shows them, and as they are here."""
        self.home.mkdir()
        runtime = folder / "r"
        runtime.mkdir(mode=0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WAVED_", "XDG_", "GIT_"))}
        who = {f"GIT_{what}_{key}": "you" for what in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        self.environment = {
            **kept, **who, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(runtime), "COLUMNS": "100", "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "init.defaultBranch", "GIT_CONFIG_VALUE_0": "main",
        }  # fmt: skip

    def follow(self, block: Block) -> list[str]:
        """Do what a block says; what it shows of each of its commands and is not so, as differences."""
        if block.not_run:
            return []
        if block.file:
            (self.place / block.file).write_text(block.text)
            return []
        wrong = []
        for command, shown in block.exchanges() if block.language == "console" else []:
            until = time.monotonic() + _PATIENCE
            while True:
                printed = self.run(command)
                difference = self.difference(command, shown, printed)
                if not difference or not command.startswith(_LOOKS) or time.monotonic() > until:
                    break
                time.sleep(0.1)
            if difference:
                wrong.append(f"{block.place}: $ {command}\n{difference}")
        return wrong

    def run(self, command: str) -> str:
        """What a command prints here, with the ids of the page replaced by those of this run."""
        read, write = os.pipe()
        script = f"(exit {self.status}); {self.with_own_ids(command)}\nstatus=$?; pwd >&{write}; exit $status"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.place, env=self.environment, stdin=subprocess.DEVNULL, pass_fds=[write],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_SECONDS, text=True, check=False,
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as told:
            self.place = Path(told.read().strip())
        self.status = done.returncode
        return done.stdout.replace(str(self.home), READER)

    def with_own_ids(self, command: str) -> str:
        """A command of the page with the ids of this run."""
        return re.sub(r"[\w-]+", lambda word: self.theirs.get(word[0], word[0]), command)

    def difference(self, command: str, shown: str, printed: str) -> str:
        """How an output differs from what is shown; empty if it does not."""
        expected, actual = shown.strip("\n").splitlines(), printed.strip("\n").splitlines()
        pairs = (self._in_any_order if command.startswith(_MINGLED) else self._pairs)(expected, actual)
        if pairs is None:
            return "\n".join(difflib.unified_diff(expected, actual, "shown", "printed", lineterm="", n=1))
        for one, other in pairs:
            for own, theirs in zip(_ids(one, self.names), _ids(other, self.names), strict=False):
                self.theirs.setdefault(own, theirs)
        return ""

    def normal(self, line: str) -> str:
        """A line without what differs from run to run."""
        named = _ID.sub(lambda found: f"{found[1]}-ID" if found[1] in self.names else found[0], line)
        timed = re.sub(r"\d+(\.\d+)?(ms|s|m|h)\b", "TIME", named)
        plain = re.sub(r"[▏▎▍▌▋▊▉█]+", "█", re.sub(r"\d[\d.:,]*", "N", timed))
        return re.sub(r"\|[█ ]*\|", "|BAR|", " ".join(plain.split()))

    def _pairs(self, expected: list[str], actual: list[str]) -> list[tuple[str, str]] | None:
        """Each line that is shown, with the one that is printed in its place; None if they are not the same."""
        if not expected:
            return None if actual else []
        if expected[0] == _ANY:
            tried = (self._pairs(expected[1:], actual[skipped:]) for skipped in range(len(actual) + 1))
            return next((found for found in tried if found is not None), None)
        if not actual or not _fits(self.normal(expected[0]), self.normal(actual[0])):
            return None
        rest = self._pairs(expected[1:], actual[1:])
        return None if rest is None else [(expected[0], actual[0]), *rest]

    def _in_any_order(self, expected: list[str], actual: list[str]) -> list[tuple[str, str]] | None:
        """As `_pairs`, for lines that may come in another order."""
        left, pairs = list(actual), []
        for line in (line for line in expected if line != _ANY):
            shown = self.normal(line)
            found = next((each for each in left if _fits(shown, self.normal(each))), None)
            if found is None:
                return None
            left.remove(found)
            pairs.append((line, found))
        return pairs if _ANY in expected or not left else None


def _ids(line: str, names: set[str]) -> list[str]:
    """Ids of sessions and snapshots in a line."""
    found = re.findall(r"\b(?:[a-z]+-[a-z0-9]{4}|[sg]\d+)\b", line)
    return [each for each in found if "-" not in each or each.partition("-")[0] in names]


def _fits(shown: str, printed: str) -> bool:
    return printed.startswith(shown[:-1].rstrip()) if shown.endswith(_ANY) else shown == printed


def _written(reader: Reader, block: Block) -> str:
    """The block with what its commands print here; outputs that are shortened stay as they are."""
    lines = []
    for command, shown in block.exchanges():
        printed = reader.run(command)
        reader.difference(command, shown, printed)
        told = reader.with_own_ids(shown) if _ANY in shown else printed
        lines += [f"$ {reader.with_own_ids(command)}", *told.strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write what the commands print into the page."""
    text = TUTORIAL.text
    with tempfile.TemporaryDirectory(prefix="waved-t-") as folder:
        reader = Reader(Path(folder))
        try:
            for block in TUTORIAL.blocks:
                if block.language == "console" and not block.not_run:
                    text = text.replace(f"```console\n{block.text}```", f"```console\n{_written(reader, block)}```", 1)
                else:
                    reader.follow(block)
        finally:
            reader.run("wavectl daemon stop --sessions stop")
    TUTORIAL.path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
