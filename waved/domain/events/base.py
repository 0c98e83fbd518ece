"""Everything that can happen, one class a kind. State is these, folded; nothing else is remembered.

An event is either a *fact* (something that was observed) or an *intent* (something waved is about to do, journalled
before it is done; the reactor's effects act on it). Field names are the wire and journal format: add fields with
defaults, never rename, and never change a default: what has it is not written down. Times are unix seconds on waved's
own clock, which never jumps while the machine is up.
"""

from __future__ import annotations

from collections.abc import KeysView
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

KINDS: dict[str, type[Event]] = {}
"""Event class by kind."""


@dataclass(slots=True)
class Event:
    """Base of all events. `seq` and `time` are given when the event is recorded (0 before)."""

    kind: ClassVar[str] = ""
    intent: ClassVar[bool] = False
    session: str

    seq: int = field(default=0, kw_only=True, compare=False)
    time: float = field(default=0.0, kw_only=True)

    def __init_subclass__(cls, kind: str = "", intent: bool = False) -> None:
        # dataclass(slots=True) makes the class a second time: the second registration wins, as it must.
        if kind:
            cls.kind = kind
            cls.intent = intent
        KINDS[cls.kind] = cls

    def data(self) -> dict[str, Any]:
        """The event's own fields, without `session`, `seq` and `time`, as plain msgpack-able values."""
        return {name: getattr(self, name) for name in _own_fields(type(self))}

    def stored(self) -> dict[str, Any]:
        """`data` without the fields that have their default: less to write, and half the time to read."""
        return {name: value for name, default in _defaults(type(self)) if (value := getattr(self, name)) != default}


_OWN_FIELDS: dict[type[Event], KeysView[str]] = {}


def _own_fields(cls: type[Event]) -> KeysView[str]:
    """Names in the order they are declared; a view of keys, so that sets of names compare with it."""
    names = _OWN_FIELDS.get(cls)
    if names is None:
        names = {item.name: None for item in fields(cls) if item.name not in ("session", "seq", "time")}.keys()
        _OWN_FIELDS[cls] = names
    return names


_DEFAULTS: dict[type[Event], list[tuple[str, object]]] = {}


def _defaults(cls: type[Event]) -> list[tuple[str, object]]:
    """The own fields and what each is when nothing is said; of a required field something that equals no value."""
    found = _DEFAULTS.get(cls)
    if found is None:
        own = _own_fields(cls)
        found = [(item.name, _default(item)) for item in fields(cls) if item.name in own]
        _DEFAULTS[cls] = found
    return found


def _default(item: Field[Any]) -> object:
    if item.default_factory is not MISSING:
        made: object = item.default_factory()
        return made
    return item.default  # MISSING where there is none


def from_data(kind: str, session: str, seq: int, time: float, data: dict[str, Any]) -> Event:
    """The event of a journal row or wire message. Unknown fields (of a newer version) are dropped.

    Raises KeyError for an unknown kind and TypeError when a field without a default is missing.
    """
    cls = KINDS[kind]
    try:
        return cls(session=session, seq=seq, time=time, **data)
    except TypeError:
        known = _own_fields(cls)
        if data.keys() <= known:
            raise
    return cls(session=session, seq=seq, time=time, **{name: value for name, value in data.items() if name in known})
