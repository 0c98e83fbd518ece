"""The workspace's Python source as Python itself reads it (module `ast`), without importing any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from session import WORKSPACE

PACKAGES = ("waved", "wavectl")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One source file; it is read when something of it is asked for."""

    path: Path

    @cached_property
    def text(self) -> str:
        """What it holds."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """What it holds, as Python reads it; raises SyntaxError naming the file."""
        return ast.parse(self.text, filename=str(self.path))

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())

    @property
    def name(self) -> str:
        """The dotted name: waved.plan.models."""
        parts = self.path.relative_to(WORKSPACE).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The package it stands in, two levels deep: waved.plan, wavectl.commands, or waved itself."""
        return ".".join(self.path.relative_to(WORKSPACE).parts[:-1][:2])

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return first_line(self.tree)

    @property
    def importable(self) -> bool:
        """False for a `__main__`, which does its work when it is imported."""
        return self.path.name != "__main__.py"

    @cached_property
    def public(self) -> list[Definition]:
        """Its public classes and functions, in the order they are written."""
        return [node for node in self.tree.body if isinstance(node, Definition) and not node.name.startswith("_")]

    @cached_property
    def definitions(self) -> list[Definition]:
        """All its classes and functions, nested ones as well."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Definition)]

    @cached_property
    def imports(self) -> set[str]:
        """The modules it imports, wherever in the file."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
        return found


def modules() -> list[Module]:
    """All modules of the packages, by path."""
    return [Module(path) for package in PACKAGES for path in sorted((WORKSPACE / package).rglob("*.py"))]


def by_room(every: list[Module] | None = None) -> dict[str, list[Module]]:
    """The modules (or all there are) by the room they stand in."""
    found: dict[str, list[Module]] = {}
    for module in modules() if every is None else every:
        found.setdefault(module.room, []).append(module)
    return found


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Its functions and methods."""
    return (node for node in module.definitions if not isinstance(node, ast.ClassDef))


def branches(function: ast.AST) -> int:
    """How many ways lead through a function: 1 and one more for each decision (cyclomatic complexity)."""
    decisions = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension, ast.Assert)
    total = 1
    for node in ast.walk(function):
        if isinstance(node, decisions):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.Match):
            total += len(node.cases)
    return total


def first_line(node: ast.Module | Definition) -> str:
    """The first line of a docstring, empty when there is none."""
    return (ast.get_docstring(node) or "").partition("\n")[0]


def signature(node: Definition) -> str:
    """A definition as it is called: `parse(text: str) -> Plan`, `class Plan(Model)`."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"
