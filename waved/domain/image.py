"""An image of a session: its state as bytes, so that a start need not fold everything again.

It works from the fields and type hints of the state classes: a new field needs nothing here. Equal state comes back
as the same classes, the same order and the same sharing of objects; the plan is not in it, but what of the plan the
state refers to is found again in the plan of the session's submission. What an image says is only believed by the code
that wrote it (`shape`, and the sources: `waved.journal.images`).

Objects are written by class, field after field: a million values of one kind are packed and read at once.
"""

from __future__ import annotations

import dataclasses
import types
from operator import attrgetter
from typing import Any, TypeVar

import msgpack

from waved.domain.image_codecs import ImageError, Tables, classes_from, codecs_of, hints_of
from waved.domain.state import Session
from waved.plan.models import Plan

__all__ = ["ImageError", "decode", "encode", "shape"]

T = TypeVar("T")


def shape(root: type = Session) -> str:
    """Names, fields and types of all state classes, as text. Raises ImageError where a type has no codec."""
    lines = []
    for cls in sorted(classes_from(root), key=_name):
        codecs_of(cls)
        lines += [_name(cls), *(f"  {name}: {hint!r}" for name, hint in hints_of(cls))]
    return "\n".join(lines)


def encode(session: Session) -> bytes:
    """The state of a session. Raises ImageError for state that no image can hold."""
    tables = Tables(session.plan)
    tables.place(Session, session)
    return pack(tables)


def decode(image: bytes, plan: Plan) -> Session:
    """The session of an image that `encode` has made with the same code, and the plan of its submission.

    Raises ImageError, or whatever damaged bytes lead to: they are to be told from whole ones by a checksum before.
    """
    return unpack(image, Session, plan)


def pack(tables: Tables) -> bytes:
    """All objects of some tables, and those they lead to. Raises ImageError."""
    columns: dict[type, list[list[Any]]] = {}
    done = 0
    while done < (total := sum(map(len, tables.of_class.values()))):
        done = total
        for cls, objects in list(tables.of_class.items()):
            codecs = codecs_of(cls)
            known = columns.setdefault(cls, [[] for _ in codecs])
            new = objects[len(known[0]) if known else len(objects) :]
            for column, (name, codec) in zip(known, codecs, strict=True):
                values = map(attrgetter(name), new)
                column.extend(values if codec.unseen else [codec.put(value, tables) for value in values])
    written = {
        _name(cls): [len(table), [_shortened(column) for column in columns[cls]]]
        for cls, table in tables.of_class.items()
    }
    try:
        packed: bytes = msgpack.packb(written, use_bin_type=True, strict_types=True, default=_refuse)
    except (TypeError, ValueError, OverflowError) as error:
        raise ImageError(str(error)) from None
    return packed


def unpack(packed: bytes, root: type[T], plan: Plan) -> T:
    """The first object of class `root` that `pack` has written, with all it leads to. Raises what `decode` does."""
    written: dict[str, tuple[int, list[Any]]] = msgpack.unpackb(packed, raw=False, strict_map_key=False)
    tables = Tables(plan)
    classes = {_name(cls): cls for cls in classes_from(root)}
    for name, (count, columns) in written.items():
        cls = classes[name]
        columns[:] = [_lengthened(column, count) for column in columns]
        if [len(column) for column in columns] != [count] * len(codecs_of(cls)):
            raise ImageError(f"{name} has other fields")
        tables.of_class[cls] = _made(cls, count, columns)
    for name, (_, columns) in written.items():
        cls = classes[name]
        for column, (field, codec) in zip(columns, codecs_of(cls), strict=True):
            if not codec.as_is:
                for made, value in zip(tables.of_class[cls], column, strict=True):
                    object.__setattr__(made, field, codec.get(value, tables))
    found: T = tables.of_class[root][0]
    return found


_REPEATED = ({str, int, types.NoneType}, {str, bool, types.NoneType})
"""Of values of these classes those that are equal are the same (1 == True == 1.0 are not)."""


def _shortened(column: list[Any]) -> list[Any] | dict[str, list[Any]]:
    """A column whose values repeat as what they are and where: shorter, and each is in memory once when it is read."""
    classes = set(map(type, column))
    if not any(classes <= kinds for kinds in _REPEATED):
        return column
    places = {value: place for place, value in enumerate(dict.fromkeys(column))}
    if 2 * len(places) > len(column):
        return column
    return {"values": list(places), "places": list(map(places.__getitem__, column)) if len(places) > 1 else []}


def _lengthened(written: list[Any] | dict[str, list[Any]], count: int) -> list[Any]:
    if isinstance(written, list):
        return written
    values = written["values"]
    return values * count if len(values) == 1 else list(map(values.__getitem__, written["places"]))


def _made(cls: Any, count: int, columns: list[list[Any]]) -> list[Any]:  # noqa: ANN401 — any state class
    """Objects with these values, field by field; references are not resolved yet."""
    fields = dataclasses.fields(cls)
    if fields and all(field.init and not field.kw_only for field in fields) and not hasattr(cls, "__post_init__"):
        return list(map(cls, *columns))
    objects = [object.__new__(cls) for _ in range(count)]
    for field, column in zip(fields, columns, strict=True):
        for made, value in zip(objects, column, strict=True):
            object.__setattr__(made, field.name, value)
    return objects


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _refuse(value: object) -> object:
    raise ImageError(f"no image can hold a {type(value).__name__} where the type hint says nothing of it")
