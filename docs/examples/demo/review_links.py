"""Quality agent and gate command: every link of every document of this session, and of the reader, leads somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from junit import Case, write_junit
from session import DOCUMENTS, WORKSPACE

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\1(?!`)", re.DOTALL | re.MULTILINE)
"""What is shown as it is: a link in there is none."""
PATH = re.compile(r'"path": "([^"]+)"')
"""A link of the reader, in client/pages.js."""


def broken_links(page: Path) -> list[str]:
    """The relative links of a document, or of the reader's list, that lead to no file."""
    text = page.read_text(encoding="utf-8")
    found = LINK.findall(CODE.sub("", text)) if page.suffix == ".md" else PATH.findall(text)
    targets = (target.partition("#")[0] for target in found if "://" not in target)
    return sorted({target for target in targets if target and not (page.parent / target).exists()})


def main() -> int:
    """Writes docs/session/review/links.xml; exit status 1 when a link leads nowhere."""
    reader = WORKSPACE / "docs" / "examples" / "demo" / "client" / "pages.js"
    pages = [WORKSPACE / "README.md", reader, *sorted(DOCUMENTS.rglob("*.md"))]
    cases = []
    for page in pages:
        broken = broken_links(page)
        cases.append(Case(str(page.relative_to(WORKSPACE)), f"no such file: {', '.join(broken)}" if broken else ""))
    return write_junit("links", cases, DOCUMENTS / "review" / "links.xml")


if __name__ == "__main__":
    sys.exit(main())
