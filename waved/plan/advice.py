"""What advice on a plan looks like."""

from __future__ import annotations

from dataclasses import dataclass

from waved.plan.locate import KeyPath, show


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece of advice; `kind` is stable, for scripts; `seconds_saved` is 0 where no time is at stake."""

    where: KeyPath
    kind: str
    message: str
    hint: str
    seconds_saved: float = 0.0

    def __str__(self) -> str:
        return f"{show(self.where)}: {self.message} ({self.hint})"
