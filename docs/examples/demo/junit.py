"""JUnit XML, so that waved's gate counts each check as a test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Case:
    """One check; `problem` is empty when it holds."""

    name: str
    problem: str = ""


def write_junit(suite: str, cases: Sequence[Case], path: Path) -> int:
    """Writes the report, prints what failed, and gives the exit status: 0 when all hold and there is at least one."""
    failing = [case for case in cases if case.problem]
    root = ElementTree.Element("testsuite", name=suite, tests=str(len(cases)), failures=str(len(failing)))
    for case in cases:
        element = ElementTree.SubElement(root, "testcase", classname=suite, name=case.name)
        if case.problem:
            ElementTree.SubElement(element, "failure", message=case.problem)
            print(f"{suite}: {case.name}: {case.problem}", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    print(f"{suite}: {len(cases) - len(failing)} of {len(cases)} hold")
    return 1 if failing or not cases else 0
