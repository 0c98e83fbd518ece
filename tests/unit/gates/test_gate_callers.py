"""Whom agents will call, before any has run."""

from __future__ import annotations

from waved.gates.callers import callers_of
from waved.plan.models import Plan


def test_programs_of_one_provider_and_those_that_name_it_with_their_model() -> None:
    agents = [
        {"name": "a", "use": "claude", "prompt": "p"},
        {"name": "b", "use": "claude", "model": "opus", "prompt": "p"},
        {"name": "c", "use": "opencode", "model": "anthropic/claude-sonnet-4", "prompt": "p"},
        {"name": "d", "use": "opencode", "prompt": "p"},
        {"name": "e", "use": "nobody-knows-it", "prompt": "p"},
        {"name": "f", "command": ["true"]},
    ]
    plan = Plan.model_validate({"session": {"name": "s"}, "wave": [{"name": "w", "agent": agents}]})
    assert callers_of(plan) == [
        ["claude", "", "anthropic"],
        ["claude", "opus", "anthropic"],
        ["opencode", "anthropic/claude-sonnet-4", "anthropic"],
    ]
