"""Fills in what the pages of the agent programs have in common with the tables of docs/agents.md.

python docs/agents/build.py            writes it into each page, between two comments
python docs/agents/build.py --check    exit status 1 if a page is not what would be written
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
_BEGIN, _END = "<!-- from the tables of agents.md -->", "<!-- end -->"
_LINK = re.compile(r"\]\((?!\w+:)")
_NAMES = {
    '`permissions = "edit"`': 'what `permissions = "edit"` lets it do',
    '`"read"`: only look': 'with `permissions = "read"`',
    '`"edit"` (default)': 'with `permissions = "edit"`',
    '`"all"`': 'with `permissions = "all"`',
    "variables": "sees of your environment",
    "says": "what it says is read",
    "tools": "its tools are seen",
    "tokens": "its tokens are known",
    "cost": "its cost is known",
}
_CELLS = re.compile(r"(?<!\\)\|")


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Each table of a page: its head, its rows."""
    for found in re.finditer(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in _CELLS.split(line)[1:-1]] for line in found[0].splitlines())
        yield head, rows


def glance(program: str, text: str) -> str:
    """What the tables say of one program, as one table."""
    found: list[tuple[str, str]] = []
    for head, rows in tables(text):
        for row in rows:
            if f"`{program}`" in row[0].split(", ") and head[0] in ("`use`", "program"):
                found += [(name, cell) for name, cell in zip(head[1:], row[1:], strict=True) if cell]
    keys = next((row[1] for _, rows in tables(text) for row in rows if row[0] == "keys"), "")
    lines = ["| | |", "|---|---|"]
    for name, cell in dict(found).items():
        said = cell.replace("the keys below", keys) if name == "variables" else cell
        from_here = _LINK.sub("](../", said)
        lines.append(f"| {_NAMES.get(name, name)} | {from_here} |")
    return "\n".join(lines)


def filled(program: str, page: str, text: str) -> str:
    """The page with its table."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{glance(program, text)}\n{_END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` only compare."""
    text = (HERE.parent / "agents.md").read_text(encoding="utf-8")
    wrong = []
    for file in sorted(HERE.glob("*.md")):
        page = file.read_text(encoding="utf-8")
        wanted = filled(file.stem, page, text)
        if arguments == ["--check"]:
            wrong += [] if page == wanted else [file.name]
        else:
            file.write_text(wanted, encoding="utf-8")
    for name in wrong:
        print(f"error: docs/agents/{name} is not what agents.md says: python docs/agents/build.py", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
