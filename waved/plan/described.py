"""What the keys of a table mean: the texts below its attributes. Read from the source, and only when somebody asks.

pydantic can keep them itself (`use_attribute_docstrings`), but then every process that knows the models has parsed
their source, which is a sixth of the time it takes to import them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def described(model: type[BaseModel]) -> dict[str, str]:
    """What its fields mean, by name; those of its bases too."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _of_module(each.__module__).get(each.__qualname__, {})
    return found


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    """What the attributes of a module's classes mean."""
    classes = [node for node in ast.parse(inspect.getsource(sys.modules[name])).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_texts(node)) for node in classes}


def _texts(node: ast.ClassDef) -> list[tuple[str, str]]:
    """The names that are annotated in a class, and the text that follows each."""
    found = []
    for pair in pairwise(node.body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found.append((name, inspect.cleandoc(text)))
    return found
