"""Whether a source file still parses: Python, JSON, TOML, YAML, TypeScript, JavaScript, Go, Rust.

A file is called broken only where that is beyond doubt: a dialect that the parser at hand does not know (a newer
Python, Flow, a template that will become YAML) is not judged. Parsers are imported when the first such file comes.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LARGEST_TOML = 1024 * 1024
"""Bytes; tomllib is written in Python and takes a second for so much."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a file no longer parses, and what the parser says."""

    line: int
    """From 1; 0 when the parser names none."""
    reason: str


class NotJudgedError(Exception):
    """Whether the file parses cannot be said; the text says why."""


def language(path: str) -> str:
    """The language a file is parsed as, by its name; "" when it is not parsed at all."""
    name = PurePosixPath(path)
    if "{{" in path:
        return ""
    return _BY_SUFFIX.get(name.suffix.lower(), "")


def broken(path: str, data: bytes) -> Broken | None:
    """Where the file no longer parses; None when it does, or is of no language known here.

    Raises NotJudgedError when that cannot be told.
    """
    look = _LOOKS.get(language(path))
    if look is None or not data.strip():
        return None
    try:
        return look(path, data)
    except (RecursionError, MemoryError):
        raise NotJudgedError("is nested too deeply, or too large, to be parsed") from None


def prepare() -> None:
    """Import what is slow to import, so that the first file is looked at as fast as the others."""
    for name in ("yaml", "tree_sitter"):
        with suppress(ImportError):
            import_module(name)


def _python(_: str, data: bytes) -> Broken | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except IndentationError as error:
        return Broken(error.lineno or 0, error.msg)
    except SyntaxError as error:
        # It may be a newer Python's syntax, or an older one's: only what no Python can read is broken.
        if "null byte" not in error.msg and _tree("python", data) is None:
            return None
        return Broken(error.lineno or 0, error.msg)
    except ValueError as error:
        return Broken(0, str(error))
    return None


_COMMENTS = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:\\.|[^"\\\n])*")|,(?=\s*[\]}])')
_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:(?:ts|js)config(?:\.[^/]*)?\.json|devcontainer\.json|deno\.json|biome\.json|turbo\.json|\.?eslintrc(?:\.json)?"
    r"|\.swcrc|api-extractor\.json|language-configuration\.json)$|\.jsonc$|\.code-workspace$|(?:^|/)\.(?:vscode|zed)/"
)


def _json(path: str, data: bytes) -> Broken | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise NotJudgedError("is UTF-16") from None
        return Broken(_line_of_bad_byte(data), "is no UTF-8")
    if _WITH_COMMENTS.search(path):
        text = _COMMENTS.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)
        text = _TRAILING.sub(lambda found: found[1] or "", text)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        _refuse_template(data)
        return Broken(error.lineno, error.msg)
    except ValueError:
        return None
    return None


def _toml(_: str, data: bytes) -> Broken | None:
    if len(data) > LARGEST_TOML:
        raise NotJudgedError("is too large for the TOML parser")
    try:
        tomllib.loads(data.decode())
    except UnicodeDecodeError:
        return Broken(_line_of_bad_byte(data), "is no UTF-8")
    except tomllib.TOMLDecodeError as error:
        _refuse_template(data)
        line = re.search(r"at line (\d+)", str(error))
        return Broken(int(line[1]) if line else data.count(b"\n") + 1, str(error))
    return None


def _yaml(_: str, data: bytes) -> Broken | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Events only: tags of somebody's own are no error, and nothing is built.
        for _event in yaml.parse(data, Loader=loader):
            pass
    except yaml.YAMLError as error:
        _refuse_template(data)
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        return Broken(mark.line + 1 if mark is not None else 0, str(reason))
    return None


def _refuse_template(data: bytes) -> None:
    if b"{{" in data or b"{%" in data or b"<%" in data:
        raise NotJudgedError("looks like a template")


def _by_tree(name: str) -> Callable[[str, bytes], Broken | None]:
    def look(_: str, data: bytes) -> Broken | None:
        # Other files bear these suffixes too: Qt's translations and videos are ".ts".
        if b"\0" in data[:8192] or data.lstrip().startswith((b"<?xml", b"<!DOCTYPE")):
            raise NotJudgedError(f"is no {name}")
        if name == "javascript" and b"@flow" in data[:4096]:
            raise NotJudgedError("is Flow")
        return _tree(name, data)

    return look


def _tree(name: str, data: bytes) -> Broken | None:
    root = _parser(name).parse(data).root_node
    if not root.has_error:
        return None
    node = _first_error(root)
    line = node.start_point[0] + 1
    return Broken(line, f'"{node.type}" is missing' if node.is_missing else "does not parse")


def _first_error(node: Node) -> Node:
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    return node


@cache
def _parser(name: str) -> Parser:
    module, attribute = _GRAMMARS[name]
    try:
        from tree_sitter import Language, Parser

        return Parser(Language(getattr(import_module(module), attribute)()))
    except (ImportError, ValueError, OSError) as error:
        raise NotJudgedError(f"there is no parser for {name} ({error})") from None


def _line_of_bad_byte(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 0


_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "javascript": ("tree_sitter_javascript", "language"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
}
_LOOKS: dict[str, Callable[[str, bytes], Broken | None]] = {
    "python": _python,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    **{name: _by_tree(name) for name in ("typescript", "tsx", "javascript", "go", "rust")},
}
_BY_SUFFIX = {
    ".py": "python",
    ".pyi": "python",
    ".json": "json",
    ".jsonc": "json",
    ".code-workspace": "json",
    ".ipynb": "json",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "javascript",
    ".go": "go",
    ".rs": "rust",
}
