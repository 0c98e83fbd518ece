"""Quality agent: counts again, by other means, what the documents claim, and writes the verdicts as JUnit XML."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

from junit import Case, write_junit
from session import DOCUMENTS, WORKSPACE
from survey import surveyed_modules


def claim(document: str, pattern: str) -> int:
    """The number a document states; raises AssertionError when it states none."""
    found = re.search(pattern, (DOCUMENTS / document).read_text(encoding="utf-8"))
    assert found, f"{document} says nothing like {pattern!r}"
    return int(found[1])


def git_lines(*words: str) -> int:
    """How many lines git prints."""
    done = subprocess.run(["git", *words], cwd=WORKSPACE, check=True, capture_output=True, text=True)
    return len(done.stdout.splitlines())


def commits() -> None:
    """The history counts every commit."""
    stated, counted = claim("history/overview.md", r"(\d+) commits"), git_lines("rev-list", "HEAD")
    assert stated == counted, f"stated: {stated} commits, counted: {counted}"


def modules() -> None:
    """The structure lists every module."""
    stated = claim("structure/modules.md", r"(\d+) modules")
    counted = sum(1 for package in ("waved", "wavectl") for _ in (WORKSPACE / package).rglob("*.py"))
    assert stated == counted, f"stated: {stated} modules, counted: {counted}"


def lines_of(row: dict[str, str]) -> Callable[[], None]:
    """The survey's length of a file is that of the file."""

    def check() -> None:
        counted = (WORKSPACE / row["path"]).read_bytes().count(b"\n")
        assert abs(int(row["lines"]) - counted) <= 1, f"stated: {row['lines']} lines, counted: {counted}"

    return check


def api_names() -> None:
    """Every public name of the index stands on the page it is linked to."""
    text = (DOCUMENTS / "api" / "index.md").read_text(encoding="utf-8")
    for name, page in re.findall(r"\[`(\w+)`\]\(([\w.]+)\)", text):
        assert name in (DOCUMENTS / "api" / page).read_text(encoding="utf-8"), f"{name} is not on {page}"


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Everything that is checked, by name."""
    yield "history: commits", commits
    yield "structure: modules", modules
    yield "api: names", api_names
    for row in surveyed_modules():
        yield f"survey: {row['name']}", lines_of(row)


def main() -> int:
    """Writes docs/session/review/figures.xml; exit status 1 when a figure is wrong."""
    cases = []
    for name, check in checks():
        try:
            check()
        except AssertionError as error:
            cases.append(Case(name, str(error)))
        else:
            cases.append(Case(name))
    return write_junit("figures", cases, DOCUMENTS / "review" / "figures.xml")


if __name__ == "__main__":
    sys.exit(main())
