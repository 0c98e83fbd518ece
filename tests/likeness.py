"""Whether two states are the same through and through: values, classes, order, and which objects are shared."""

from __future__ import annotations

import dataclasses
from typing import Any

from waved.plan.base import Model


def difference(one: object, other: object) -> str:
    """Where two object graphs differ first, and how; "" when they cannot be told apart.

    Two dicts of other order differ, 1 and True and 1.0 differ, and so do two references to one object and two objects
    that are equal.
    """
    return _Comparison().of(one, other, "state")


class _Comparison:
    def __init__(self) -> None:
        self._there: dict[int, int] = {}
        self._back: dict[int, int] = {}

    def of(self, one: Any, other: Any, where: str) -> str:
        if type(one) is not type(other):
            return f"{where}: {type(one).__name__}, {type(other).__name__}"
        fields = _fields(one)
        if fields is None and not isinstance(one, (list, dict, set, tuple)):
            return "" if one == other else f"{where}: {one!r}, {other!r}"
        if not isinstance(one, tuple):
            if self._there.get(id(one), id(other)) != id(other) or self._back.get(id(other), id(one)) != id(one):
                return f"{where}: shared otherwise"
            if id(one) in self._there:
                return ""
            self._there[id(one)] = id(other)
            self._back[id(other)] = id(one)
        for name, ours, theirs in self._inside(one, other, fields):
            if found := self.of(ours, theirs, f"{where}{name}"):
                return found
        return ""

    def _inside(self, one: Any, other: Any, fields: list[str] | None) -> list[tuple[str, Any, Any]]:
        if fields is not None:
            return [(f".{name}", getattr(one, name), getattr(other, name)) for name in fields]
        if isinstance(one, set):
            one, other = tuple(sorted(one)), tuple(sorted(other))
        if isinstance(one, dict):
            keys = [("'s keys", tuple(one), tuple(other))]
            return keys + [(f"[{key!r}]", one[key], other.get(key)) for key in one]
        count = [("'s length", len(one), len(other))]
        return count + [(f"[{index}]", *pair) for index, pair in enumerate(zip(one, other, strict=False))]


def _fields(value: object) -> list[str] | None:
    if isinstance(value, Model):
        return list(type(value).model_fields)
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return None
