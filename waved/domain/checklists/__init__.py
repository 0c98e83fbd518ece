"""The checklists of a session: before it begins, of each wave, of its completion (requirement C2).

Every item is derived from what was observed (the session's state), with the evidence in words; nothing is remembered
beside it. docs/checklists.md says what ticks each item.
"""

from __future__ import annotations

from waved.domain.checklists.before import before
from waved.domain.checklists.completion import completion
from waved.domain.checklists.item import Checklist, Item
from waved.domain.checklists.of_wave import of_wave
from waved.domain.state import Session


def checklists(session: Session, now: float) -> list[Checklist]:
    """All of them, in order, as they stand at `now` (seconds, waved's clock)."""
    return [before(session), *(of_wave(session, wave) for wave in session.waves), completion(session, now)]


__all__ = ["Checklist", "Item", "checklists"]
