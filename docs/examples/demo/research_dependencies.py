"""Research agent: what the project stands on: declared, installed, and what importing each costs."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

from importing import import_milliseconds
from markdown import Document
from session import DOCUMENTS, WORKSPACE


def top_level_name(distribution: metadata.Distribution) -> str:
    """The module a distribution is imported by: the first package or module among its files."""
    for file in distribution.files or ():
        if file.suffix == ".py" and not file.parts[0].endswith((".dist-info", ".data")) and file.parts[0] != "..":
            return file.parts[0].removesuffix(".py")
    return distribution.metadata["Name"].replace("-", "_")


def main() -> None:
    """Writes docs/session/dependencies/overview.md."""
    project = tomllib.loads((WORKSPACE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows: list[tuple[object, ...]] = []
    for requirement in project["dependencies"]:
        name = re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            rows.append((name, requirement[len(name) :], "not installed", "", "", ""))
            continue
        needs = [text for text in installed.requires or () if "extra ==" not in text]
        cost = import_milliseconds(top_level_name(installed))
        print(f"{name} {installed.version}", flush=True)
        shown = "not measured" if cost is None else f"{cost:.1f}"
        rows.append(
            (name, requirement[len(name) :], installed.version, len(needs), shown, installed.metadata["Summary"])
        )
    document = Document("Dependencies")
    document.paragraph(f"Python {project['requires-python']}; {len(rows)} direct dependencies.")
    document.table(("name", "wanted", "installed", "needs", "import, ms", "what it is"), rows)
    document.heading("Optional").table(
        ("extra", "what it adds"),
        [(extra, ", ".join(names)) for extra, names in project.get("optional-dependencies", {}).items()],
    )
    document.write(DOCUMENTS / "dependencies" / "overview.md")


if __name__ == "__main__":
    main()
