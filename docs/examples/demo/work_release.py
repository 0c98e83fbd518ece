"""Execution agent of domain `release`: a release note, and the handbook that leads to all the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from markdown import Document, quoted
from session import DOCUMENTS, WORKSPACE, context, do_tasks

BEGIN = "<!-- session documents: begin -->"
END = "<!-- session documents: end -->"


def release_note(_task: str) -> Path:
    """What is new: the top section of CHANGELOG.md and the commits since it was last changed."""
    changelog = (WORKSPACE / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    title, _, body = sections[0].partition("\n") if sections else ("nothing yet", "", "")
    command = ["git", "log", "--format=%h %s", "-30"]
    log = subprocess.run(command, cwd=WORKSPACE, check=True, capture_output=True, text=True).stdout
    document = Document(f"Release note: {title.strip()}")
    document.paragraph(_from_root(body.strip()) or "Nothing is written down yet.")
    document.heading("Latest commits").items(map(quoted, log.splitlines()))
    return document.write(DOCUMENTS / "release" / "note.md")


def _from_root(text: str) -> str:
    """Links that were written for the repository's root, as they are written two folders below docs."""
    return re.sub(r"\]\((?!\w+:|#|/)", "](../../../", text)


def handbook(_task: str) -> Path:
    """docs/session/handbook.md: every document of this session, in the order a newcomer reads them."""
    document = Document("Handbook")
    earlier = [result.get("assignment", "") for result in context().get("results", ())]
    if earlier:
        document.paragraph(f"Built on what these left behind: {', '.join(earlier)}.")
    for folder in ("structure", "dependencies", "history", "api", "quality", "release"):
        pages = sorted((DOCUMENTS / folder).glob("*.md"))
        document.heading(folder.capitalize())
        document.items(f"[{title(page)}]({page.relative_to(DOCUMENTS)})" for page in pages)
    written = document.write(DOCUMENTS / "handbook.md")
    link_from_readme(written)
    return written


def title(page: Path) -> str:
    """A document's title."""
    with page.open(encoding="utf-8") as file:
        return file.readline().strip("# \n")


def link_from_readme(target: Path) -> None:
    """The one change to a tracked file: README.md gets a line that leads here (`git diff` shows it)."""
    readme = WORKSPACE / "README.md"
    text = readme.read_text(encoding="utf-8")
    text = re.sub(rf"\n*{BEGIN}.*?{END}\n*", "\n", text, flags=re.DOTALL)
    link = f"What the last session found out: [{target.stem}]({target.relative_to(WORKSPACE)})."
    readme.write_text(f"{text.rstrip()}\n\n{BEGIN}\n{link}\n{END}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(do_tasks({"release-note": release_note, "handbook": handbook}))
