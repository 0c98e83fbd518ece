"""A provider refuses an agent of a wave: what its other agents do, and those of another provider, with real programs.

In one wave, `first` is told until when its provider takes no calls, `second` is refused soon after and told
nothing, `third` would start only then. `other` calls another provider, and so does `later`, which starts meanwhile.
`shaky` calls nobody, fails meanwhile, and is repeated.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.agent_programs import KEY, executable_of
from tests.integration.real_programs import SUBSCRIPTION, agent, at_home, limit_until, shown
from tests.live import Daemon, agent_of, assignments, plan_of, wait_for, wave_of
from tests.record_agents import SUBMIT
from tests.scripted_api import Call, ScriptedApi, Turn

pytestmark = pytest.mark.timeout(300)
PAUSES = {"claude": 6.0, "mini": 20.0}
"""Seconds the provider takes no calls, by the program of `second`: time for it to be refused (mini tries for ten), and
for what goes on meanwhile to begin.
"""
SLOWEST = 100.0
"""Seconds for what is waited for: at the end three programs work one after another, of which two take ten to start."""
SONNET = "anthropic/claude-sonnet-4-20250514"
CALLERS = ("first", "second", "third")
"""Agents of the provider that refuses."""


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as serving:
        yield serving


def of_anthropic(program: str, url: str) -> dict[str, str]:
    """What makes programs that know many providers call Anthropic's API at that address."""
    if program == "mini":
        return {"ANTHROPIC_API_BASE": url, "ANTHROPIC_API_KEY": KEY}
    if program == "opencode":
        options = {"baseURL": f"{url}/v1", "apiKey": KEY}
        model = {"name": "sonnet", "tool_call": True, "limit": {"context": 200_000, "output": 8000}}
        provider = {"npm": "@ai-sdk/anthropic", "options": options, "models": {SONNET.partition("/")[2]: model}}
        config = {"provider": {"anthropic": provider}, "share": "disabled", "autoupdate": False, "snapshot": False}
        return {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}
    return {}


@dataclass
class Limited:
    """The session, at the moment its provider begins to refuse."""

    daemon: Daemon
    workspace: Path
    session: str
    reset: float

    @property
    def found(self) -> dict[str, dict[str, Any]]:
        """Its assignments now."""
        return assignments(self.daemon.view(self.session))

    def until(self, name: str, *states: str) -> dict[str, Any]:
        """The assignment, once it is in one of them; it has to be before the provider takes calls again."""

        def found() -> dict[str, Any] | None:
            item = self.found[name]
            return item if item["state"] in states else None

        item = wait_for(found, SLOWEST, lambda: f"{self.found}")
        assert time.time() < self.reset, "this machine is too slow for PAUSES"
        return dict(item)

    def ended(self) -> dict[str, Any]:
        """The view once all have ended, and well, with no attempt to spare."""

        def view() -> dict[str, Any]:
            return self.daemon.view(self.session)

        found = wait_for(lambda: (now := view())["state"] == "ended" and now, SLOWEST, lambda: f"{view()}")
        assert found["outcome"] == "succeeded", found["reason"]
        return dict(found)


def refuse(
    daemon: Daemon,
    workspace: Path,
    api: ScriptedApi,
    programs: tuple[str, str, str],
    rate_limits: Literal["agent", "provider"],
) -> Limited:
    """Submit it, wait until the agents are at work, and have the provider refuse."""

    def working(name: str, *then: Turn) -> list[Turn]:
        wait = Call("shell", command=f"while [ ! -e go-{name} ]; do sleep 0.05; done")
        return [Turn("Waiting.", (wait,)), *then]

    done = Turn("Done.")
    used = {**dict(zip(CALLERS, programs, strict=True)), "other": "codex", "later": "codex"}
    ends = {name: SUBMIT if program == "mini" else done for name, program in used.items()}
    scripts = {
        "first": working("first", done),
        "second": working("second", Turn(status=429), ends["second"]),
        "third": [ends["third"]],
        "other": working("other", done),
        "later": [done],
    }
    values, agents = {}, []
    for name, program in used.items():
        executable_of(program)
        url = api.script(name, scripts[name], workspace)
        more = of_anthropic(program, url) if name in CALLERS else {}
        token = SUBSCRIPTION if name == "first" else {}
        values[name] = at_home(program, url, daemon.folder / name, **more, **token)
        model = {"model": SONNET} if more else {}
        needs = {"needs": ["refused"]} if name in ("third", "later") else {}
        agents.append(agent(name, program, retries=0, backoff="100ms", **model, **needs))
    agents += [
        agent_of("refused", "while [ ! -e refused ]; do sleep 0.05; done"),
        agent_of("shaky", "[ $WAVED_ATTEMPT = 2 ]", needs=["refused"], retries=1, backoff="2s"),
    ]
    plan = plan_of(wave_of("work", *agents), rate_limits=rate_limits)
    environment = {"base": {"PATH": os.environ["PATH"]}, "agents": values}
    session = daemon.submit(plan, workspace, environment=environment)
    limited = Limited(daemon, workspace, session, 0.0)

    def at_work(name: str) -> bool:
        # Not by what is seen of it: mini tells of a command when it has ended.
        return any(served.turn == 0 for served in api.served(name))

    wait_for(lambda: all(at_work(name) for name in ("first", "second", "other")), SLOWEST, lambda: f"{limited.found}")
    limited.reset = float(int(time.time() + PAUSES[programs[1]]))
    api.script("first", [limit_until(limited.reset), done], workspace)
    (workspace / "go-first").touch()
    limited.until("first", "backing-off")
    for file in ("go-second", "go-other", "refused"):
        (workspace / file).touch()
    return limited


ONE_PROGRAM = ("claude", "claude", "claude")
programs = pytest.mark.parametrize(
    "programs",
    [
        pytest.param(ONE_PROGRAM, id="claude"),
        pytest.param(("claude", "mini", "opencode"), id="three", marks=pytest.mark.all_programs),
    ],
)


@programs
def test_all_agents_of_the_provider_wait_until_it_takes_calls_and_nobody_else(
    daemon: Daemon, workspace: Path, api: ScriptedApi, programs: tuple[str, str, str]
) -> None:
    limited = refuse(daemon, workspace, api, programs, "provider")
    # While it refuses: both who were refused wait, and who has not begun does not begin.
    limited.until("second", "backing-off")
    assert limited.until("third", "ready")["runs"] == []
    (known,) = daemon.view(limited.session)["providers"]
    assert (known["provider"], known["until"], known["room"]) == ("anthropic", limited.reset, 1)
    assert "anthropic takes no calls for " in (status := shown(daemon, "status", limited.session))
    assert ", then from 1 agent at once" in status
    # Who calls another provider, or none, goes on, begins, and begins anew.
    limited.until("other", "ended")
    limited.until("later", "running", "ended")
    limited.until("shaky", "ended")

    found = assignments(limited.ended())
    again = sorted((found[name]["runs"][-1] for name in CALLERS), key=lambda run: float(run["started"]))
    assert again[0]["started"] >= limited.reset
    # One at a time, and more with its success.
    assert again[1]["started"] >= again[0]["ended"]
    for name in ("first", "second"):
        assert [run["cause"] for run in found[name]["runs"]] == ["rate-limited", ""], name
    assert [len(found[name]["runs"]) for name in ("third", "other", "later")] == [1, 1, 1]
    assert found["later"]["runs"][0]["started"] < limited.reset
    assert "anthropic takes no calls" not in shown(daemon, "status", limited.session)


@pytest.mark.torture
def test_where_the_plan_says_so_only_who_is_refused_waits(daemon: Daemon, workspace: Path, api: ScriptedApi) -> None:
    limited = refuse(daemon, workspace, api, ONE_PROGRAM, "agent")
    limited.until("third", "running", "ended")
    assert daemon.view(limited.session)["providers"] == []
    assert "takes no calls" not in shown(daemon, "status", limited.session)

    found = assignments(limited.ended())
    first, second = found["first"]["runs"], found["second"]["runs"]
    assert [run["cause"] for run in (*first, *second)] == ["rate-limited", "", "rate-limited", ""]
    assert first[1]["started"] >= limited.reset
    # It was told nothing, and has tried again by itself.
    assert second[1]["started"] < limited.reset
