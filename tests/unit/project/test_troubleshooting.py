"""Messages that the documents quote (symptoms, what monitors say) are ones that the code says, word for word."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.documents import ROOT, Page

PAGE = Page(ROOT / "docs" / "troubleshooting.md")
SYMPTOMS = re.findall(r"^### `(.+?)`$", PAGE.prose, re.MULTILINE)
MONITORS = ROOT / "docs" / "monitors"
SAID = [
    pytest.param(message, id=f"{page.stem}: {message}")
    for page in sorted(MONITORS.glob("*.md"))
    for message in re.findall(
        r"^\* `(.+?)`$", page.read_text().partition("## What it says")[2].partition("\n## ")[0], re.M
    )
]
_GAP = "\0"


@cache
def said() -> tuple[str, ...]:
    """Every text in the code; what is filled in is a gap."""
    found: set[str] = set()
    for folder in ("waved", "wavectl"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else _GAP for part in node.values)
                    found.add("".join(map(str, parts)))
    return tuple(found)


def is_said(symptom: str) -> bool:
    pieces = [re.escape(piece.strip()) for piece in symptom.split("…")]
    pattern = re.compile(".*".join(pieces), re.DOTALL)
    return any(pattern.search(text) for text in said())


@pytest.mark.parametrize("symptom", [*SYMPTOMS, *SAID])
def test_the_code_says_so(symptom: str) -> None:
    assert is_said(symptom)


def test_what_the_code_does_not_say_is_found() -> None:
    assert len(SYMPTOMS) > 20 and len(SAID) > 12
    assert not is_said("no demon answers on …") and not is_said("… belongs to nobody")
    assert is_said("the journal … is damaged: …")


def test_every_item_of_the_checklist_is_explained() -> None:
    """The items are those that the checklist and the domain tell of."""
    items = set(re.findall(r'Item\("([\w -]+)"', (ROOT / "waved/gates/checklist.py").read_text()))
    assert items and [item for item in items if f"| `{item}` |" not in PAGE.text] == []
