"""Advice on a plan that could be run, but not well. Only what is certain is said; a good plan gets none.

P1: `waved.plan.waits`; P2: `waved.plan.conflicts`; settings that do nothing: `waved.plan.settings`.
"""

from __future__ import annotations

from waved.plan import conflicts, settings, validate, waits
from waved.plan.advice import Advice
from waved.plan.locate import KeyPath
from waved.plan.models import Plan


def lint(plan: Plan) -> list[Advice]:
    """All advice on a plan, sorted by key; none on a plan that `validate` finds wrong."""
    if validate.problems(plan):
        return []
    found = [*waits.advice(plan), *conflicts.advice(plan), *settings.advice(plan)]
    return sorted(found, key=lambda each: _order(each.where))


def _order(where: KeyPath) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (0, part) for part in where)
