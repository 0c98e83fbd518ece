"""How each type a state class may hold is written into an image: chosen by type hints, for `waved.domain.image`.

A codec turns a value into what msgpack can hold and back. Objects with an identity (dataclasses) are kept in tables
and written as their place in them, so that what was one object is one object again. Parts of the plan are written as
their place in the plan, which the session's submission holds.
"""

from __future__ import annotations

import dataclasses
import types
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from waved.plan.base import Model


class ImageError(ValueError):
    """State that no image can hold, or an image that is not one of these state classes. Costs time, never truth."""


class Tables:
    """The objects of an image by class: filled while it is written, complete before references are read."""

    def __init__(self, plan: Model) -> None:
        self.of_class: dict[type, list[Any]] = {}
        self.parts = list(parts(plan))
        self._places: dict[type, dict[int, int]] = {}
        self._part_places = {id(part): place for place, part in reversed(list(enumerate(self.parts)))}
        self._containers: set[int] = set()

    def place(self, cls: type, value: object) -> int:
        """Where an object stands in the table of its class; it is entered when it is new."""
        places = self._places.setdefault(cls, {})
        found = places.get(id(value))
        if found is None:
            table = self.of_class.setdefault(cls, [])
            found = places[id(value)] = len(table)
            table.append(value)
        return found

    def part_place(self, part: Model) -> int:
        """Where a part of the plan stands in it."""
        found = self._part_places.get(id(part))
        if found is None:
            raise ImageError(f"a {type(part).__name__} is no part of the session's plan")
        return found

    def own(self, container: object) -> None:
        """Note a list, dict or set: one that two fields share would come back as two."""
        before = len(self._containers)
        self._containers.add(id(container))
        if len(self._containers) == before:
            raise ImageError(f"a {type(container).__name__} is shared by two fields")


def parts(plan: Model) -> Iterator[Model]:
    """A plan and every table in it, always in the same order."""
    stack: list[object] = [plan]
    while stack:
        value = stack.pop()
        if isinstance(value, Model):
            yield value
            stack += [getattr(value, name) for name in type(value).model_fields]
        elif isinstance(value, (list, tuple)):
            stack += value
        elif isinstance(value, dict):
            stack += value.values()


class Codec:
    """Of values that msgpack holds as they are."""

    as_is = True
    """What was written is what is read, without `get`."""
    unseen = True
    """What is written is the value, without `put`."""

    def __init__(self, classes: tuple[type, ...] = ()) -> None:
        self._classes = classes

    def takes(self, value: object) -> bool:
        """Whether a value of a union is this codec's."""
        return not self._classes or type(value) in self._classes

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401, ARG002 — values of any type
        """What is written for a value. Raises ImageError."""
        return value

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401, ARG002
        """The value of what was written."""
        return written


class _Reference(Codec):
    as_is = unseen = False

    def __init__(self, cls: type) -> None:
        super().__init__((cls,))
        self._cls = cls

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        if type(value) is not self._cls:
            raise ImageError(f"a {type(value).__name__} where a {self._cls.__name__} is declared")
        return tables.place(self._cls, value)

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        return tables.of_class[self._cls][written]


class _Part(Codec):
    as_is = unseen = False

    def takes(self, value: object) -> bool:
        return isinstance(value, Model)

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        return tables.part_place(value)

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        return tables.parts[written]


class _Sequence(Codec):
    """list, set, frozenset."""

    unseen = False

    def __init__(self, cls: Any, item: Codec) -> None:  # noqa: ANN401 — one of three classes
        super().__init__((cls,))
        self._cls = cls
        self._item = item
        self.as_is = cls is list and item.as_is

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        if type(value) is not self._cls:
            raise ImageError(f"a {type(value).__name__} where a {self._cls.__name__} is declared")
        if self._cls is not frozenset:
            tables.own(value)
        return [*value] if self._item.unseen else [self._item.put(item, tables) for item in value]

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        return self._cls(written if self._item.as_is else [self._item.get(item, tables) for item in written])


class _Tuple(Codec):
    as_is = unseen = False

    def __init__(self, items: list[Codec], every: Codec | None) -> None:
        super().__init__((tuple,))
        self._items = items
        self._every = every

    def _codecs(self, count: int) -> list[Codec]:
        codecs = self._items if self._every is None else [self._every] * count
        if len(codecs) != count:
            raise ImageError(f"a tuple of {count} where one of {len(codecs)} is declared")
        return codecs

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        if type(value) is not tuple:
            raise ImageError(f"a {type(value).__name__} where a tuple is declared")
        return [codec.put(item, tables) for codec, item in zip(self._codecs(len(value)), value, strict=True)]

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        return tuple(codec.get(item, tables) for codec, item in zip(self._codecs(len(written)), written, strict=True))


class _Dict(Codec):
    """dict and OrderedDict, whichever it is: a hint may say either."""

    as_is = unseen = False

    def __init__(self, key: Codec, value: Codec) -> None:
        super().__init__((dict, OrderedDict))
        self._key = key
        self._value = value

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        if not self.takes(value):
            raise ImageError(f"a {type(value).__name__} where a dict is declared")
        tables.own(value)
        keys = [self._key.put(key, tables) for key in value]
        return [type(value) is OrderedDict, keys, [self._value.put(item, tables) for item in value.values()]]

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        ordered, keys, values = written
        items = zip(
            keys if self._key.as_is else [self._key.get(key, tables) for key in keys],
            values if self._value.as_is else [self._value.get(value, tables) for value in values],
            strict=True,
        )
        return OrderedDict(items) if ordered else dict(items)


class _Maybe(Codec):
    """Something or None. What else is written is never None."""

    unseen = False

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self._codec = codec
        self.as_is = codec.as_is

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        return None if value is None else self._codec.put(value, tables)

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        return None if written is None else self._codec.get(written, tables)


class _Choice(Codec):
    """One of several: which one is written beside it."""

    as_is = unseen = False

    def __init__(self, codecs: list[Codec]) -> None:
        super().__init__()
        self._codecs = codecs

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401
        for number, codec in enumerate(self._codecs):
            if codec.takes(value):
                return [number, codec.put(value, tables)]
        raise ImageError(f"a {type(value).__name__} that the union does not declare")

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401
        number, item = written
        return self._codecs[number].get(item, tables)


class _Enum(Codec):
    as_is = unseen = False

    def __init__(self, cls: type[Enum]) -> None:
        super().__init__((cls,))
        self._cls = cls

    def put(self, value: Any, tables: Tables) -> Any:  # noqa: ANN401, ARG002
        return value.value

    def get(self, written: Any, tables: Tables) -> Any:  # noqa: ANN401, ARG002
        return self._cls(written)


_SCALARS: tuple[Any, ...] = (str, int, float, bool, bytes, types.NoneType)


def _codec(hint: Any) -> Codec:  # noqa: ANN401 — a type hint may be anything
    """The codec of a type hint. Raises ImageError for one that no image can hold."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return Codec()
    if hint in _SCALARS or hint is None:
        return Codec((int, float) if hint is float else (hint or types.NoneType,))
    if origin is Literal:
        return Codec(tuple({type(value) for value in arguments}))
    if origin is Annotated:
        return _codec(arguments[0])
    if origin in (Union, types.UnionType):
        return _union([argument for argument in arguments if argument is not types.NoneType], arguments)
    if origin in (list, set, frozenset):
        return _Sequence(origin, _codec(arguments[0]))
    if origin is tuple:
        every = _codec(arguments[0]) if arguments[1:] == (...,) else None
        return _Tuple([] if every else [_codec(argument) for argument in arguments], every)
    if origin in (dict, OrderedDict):
        return _Dict(_codec(arguments[0]), _codec(arguments[1]))
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return _Reference(hint)
        if issubclass(hint, Model):
            return _Part()
        if issubclass(hint, Enum):
            return _Enum(hint)
    raise ImageError(f"no image can hold a {hint!r}: waved/domain/image_codecs.py says what one can")


def _union(others: list[Any], declared: tuple[Any, ...]) -> Codec:
    codecs = [_codec(argument) for argument in others]
    if all(type(codec) is Codec for codec in codecs):
        return Codec()
    several = len(codecs) > 1
    codec = _Choice(codecs) if several else codecs[0]
    return codec if len(others) == len(declared) else _Maybe(codec)


@cache
def codecs_of(cls: type) -> tuple[tuple[str, Codec], ...]:
    """The fields of a state class, in order, each with its codec. Raises ImageError."""
    return tuple((name, _codec(hint)) for name, hint in hints_of(cls))


@cache
def hints_of(cls: type) -> tuple[tuple[str, Any], ...]:
    """The fields of a state class, in order, each with its resolved type hint. Raises ImageError."""
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise ImageError(f"the type hints of {cls.__name__} cannot be resolved: {error}") from None
    return tuple((field.name, hints[field.name]) for field in dataclasses.fields(cls))


def classes_from(root: type) -> list[type]:
    """A state class and all state classes that its fields lead to."""
    found: dict[type, None] = {}
    stack: list[Any] = [root]
    while stack:
        hint = stack.pop()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in found:
            found[hint] = None
            stack += [inner for _, inner in hints_of(hint)]
        stack += get_args(hint)
    return list(found)
