"""What a checklist is: items, each ticked or not, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Tick = Literal["ticked", "unticked", "open", "not-applicable"]
"""`open`: it can still become either. `not-applicable`: the plan gives it nothing to be about."""
NAMED = 5
"""So many names are told of a longer list."""
LONGEST_NAME = 80
"""Characters of a path or name in evidence."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist."""

    item: str
    """Its name, the same in every session."""
    title: str
    state: Tick
    evidence: str
    """What was seen, in words: numbers and names."""


@dataclass(frozen=True, slots=True)
class Checklist:
    """A list of items. `checklist`: pre-deployment, wave, completion; `wave`: which wave, "" for the other two."""

    checklist: Literal["pre-deployment", "wave", "completion"]
    wave: str
    items: Sequence[Item]

    def as_dict(self) -> dict[str, Any]:
        """For the wire and for files."""
        return {"checklist": self.checklist, "wave": self.wave, "items": [asdict(item) for item in self.items]}


def named(names: Iterable[str]) -> str:
    """A list of names for a person: the first of them, and how many more there are."""
    each = list(dict.fromkeys(names))
    shown = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in each[:NAMED]]
    return ", ".join(shown) + (f" and {len(each) - NAMED} more" if len(each) > NAMED else "")


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 agent", "3 agents"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def decided(*, holds: bool, over: bool) -> Tick:
    """Of an item that only the end decides: open before it."""
    if not over:
        return "open"
    return "ticked" if holds else "unticked"
