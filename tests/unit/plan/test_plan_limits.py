"""Limits of resources and sandboxes, as a plan says them."""

from __future__ import annotations

from typing import Any

import pytest

from waved.errors import PlanError
from waved.plan.limits import Resources, Sandbox, resources_of, sandbox_of
from waved.plan.load import plan_from_json
from waved.plan.models import Plan


def plan(agent: dict[str, Any], **session: Any) -> Plan:
    agents = [{"name": "a", "command": ["true"], **agent}]
    return plan_from_json({"session": {"name": "s", **session}, "wave": [{"name": "w", "agent": agents}]})


def test_an_agent_says_what_differs_from_the_session() -> None:
    read = plan({"resources": {"memory": "1.5GB"}}, resources={"memory": "4GB", "cpu": 2})
    own, default = read.waves[0].agents[0].resources, read.session.resources
    assert resources_of(default, own) == {"memory": 3 * 512 * 1024**2, "cpu": 2}
    assert resources_of(None, None) == {}
    assert resources_of(None, Resources(processes=5)) == {"processes": 5}


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"memory": "1MB"}, 'resources.memory: is less than a program can live in; give at least "16MB"'),
        ({"memory": "lots"}, "resources.memory: "),
        ({"cpu": 0}, "must be at least 0.01; found 0"),
        ({"processes": 0}, "must be at least 1; found 0"),
        ({"disk": "1GB"}, "unknown key"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(resources: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan({"resources": resources})
    assert said in str(caught.value)


def test_a_sandbox_is_the_agents_own_or_the_sessions_and_none_is_none() -> None:
    read = plan({"sandbox": "none"}, sandbox={"network": False, "write": ["~/.cache"]})
    own, default = read.waves[0].agents[0].sandbox, read.session.sandbox
    assert sandbox_of(default, own) is None
    assert sandbox_of(default, None) == {"network": False, "home": "read", "write": ["~/.cache"], "hide": []}
    assert sandbox_of(default, Sandbox()) == {"network": True, "home": "read", "write": [], "hide": []}
    assert sandbox_of(None, None) is None


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(PlanError, match='must be one of "workspace", "none"'):
        plan({"sandbox": "jail"})
