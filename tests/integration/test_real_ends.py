"""Real agent programs that are ended in the midst of their work under a real daemon, and what follows from it.

By `kill -9` of the program, as the kernel does that has no memory left, by a person (`wavectl stop`), and by the
agent's time limit. What a program does about SIGTERM differs. That it has not succeeded, that nothing of its process
tree is left, and that the next attempt does the work, and goes on with the program's own session where it can, does
not.

codex, which is two processes and the quickest to start, is what the default run has.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent_programs import ARGS, FOLDER, MODELS, executable_of
from tests.integration.real_programs import agent, at_home, shown
from tests.live import Daemon, assignments, plan_of, processes_of, wait_for, wave_of
from tests.record_agents import EDIT, SUBMIT
from tests.scripted_api import Call, ScriptedApi, Turn
from waved.agents.registry import find_program

pytestmark = pytest.mark.timeout(300)
SLOWEST = 100.0
LIMIT = "40s"
"""Time enough for eight programs that start at once to be in the midst of their work."""
PROGRAMS = ["aider", "claude", "codex", "gemini", "goose", "mini", "opencode", "qwen"]
EXIT_CODES = {"claude": 143, "gemini": 0}
"""What SIGTERM makes of those that catch it; the others are ended by it."""


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as serving:
        yield serving


HANG = Turn(hang=True)


def midst_of(name: str) -> Turn:
    """A turn that never ends: a command that leaves a process outside the program's tree, too."""
    endless = Call("shell", command="setsid -f tail -f /dev/null; until [ -e never ]; do sleep 0.1; done")
    return HANG if name == "aider" else Turn("This takes a while.", (endless,))  # aider runs no commands


def work_of(name: str) -> list[Turn]:
    """The edit of the program's own file."""
    made = [
        replace(turn, calls=tuple(replace(call, path=f"{name}.md" if call.path else "") for call in turn.calls))
        for turn in EDIT
    ]
    return {"aider": [made[1]], "mini": [*made[:3], SUBMIT]}.get(name, made)


@dataclass
class Fleet:
    """A session of agents each of which runs another program, at a file of its own."""

    daemon: Daemon
    api: ScriptedApi
    workspace: Path
    scripts: dict[str, list[Turn]]
    """By program."""
    session: str = ""

    def submit(self, **more: Any) -> None:
        """Begin. What is said of agents holds for all of them."""
        agents, values = [], {}
        for name, turns in self.scripts.items():
            executable_of(name)
            (self.workspace / f"{name}.md").write_text("# demo\nline two\n")
            url = self.api.script(name, turns, self.workspace, toolless=name == "aider")
            values[name] = at_home(name, url, self.home(name))
            args = [*ARGS.get(name, []), *(["aider.md"] if name == "aider" else [])]
            model = {"model": MODELS[name]} if name in MODELS else {}
            agents.append(agent(name, name, args=args, **model, **more))
        environment = {"base": {"PATH": os.environ["PATH"]}, "agents": values}
        plan = plan_of(wave_of("work", *agents), stop_grace="20s")
        self.session = self.daemon.submit(plan, self.workspace, environment=environment)

    def home(self, name: str) -> Path:
        """The folder that an agent's processes have in their environment."""
        return self.daemon.folder / f"home-{name}"

    def in_the_midst(self, name: str, times: int) -> dict[str, Any]:
        """The agent's run, once the endless command of that attempt is at work (aider: the call to the model)."""

        def run() -> dict[str, Any] | None:
            runs = assignments(self.daemon.view(self.session))[name]["runs"]
            if name == "aider":
                at_work = self.api.asked(name) >= times
            else:
                at_work = any("tail -f /dev/null" in line for line in processes_of(self.home(name)))
            return runs[-1] if at_work and runs and runs[-1]["state"] == "running" else None

        return dict(wait_for(run, SLOWEST, lambda: f"{self.daemon.view(self.session)}"))

    def ended(self) -> dict[str, dict[str, Any]]:
        """All agents, once the session has ended. Nothing may be left of any, at that moment."""

        def view() -> dict[str, Any]:
            return self.daemon.view(self.session)

        found = wait_for(lambda: (now := view())["state"] == "ended" and now, SLOWEST, lambda: f"{view()}")
        for name in self.scripts:
            assert processes_of(self.home(name)) == []
        return assignments(found)

    def retry(self) -> None:
        """As a person would."""
        with self.daemon.client() as client:
            client.retry(self.session)

    def resumes(self, name: str) -> list[str]:
        """The program's own sessions that its runs were told to go on with."""
        starting = [event["data"] for event in self.daemon.events(self.session) if event["kind"] == "run.starting"]
        return [each.get("resume", "") for each in starting if each["assignment"] == name]

    def edited(self, name: str) -> bool:
        """Whether the work is done."""
        return (self.workspace / f"{name}.md").read_text() == "# demo\nline two, edited\n"


@pytest.mark.parametrize(
    "name", ["codex", *(pytest.param(name, marks=pytest.mark.all_programs) for name in PROGRAMS if name != "codex")]
)
def test_kill_9_of_the_program_and_then_wavectl_stop(
    daemon: Daemon, workspace: Path, api: ScriptedApi, name: str
) -> None:
    fleet = Fleet(daemon, api, workspace, {name: [midst_of(name)] * 2 + work_of(name)})
    fleet.submit()
    os.kill(fleet.in_the_midst(name, 1)["pid"], signal.SIGKILL)
    item = fleet.ended()[name]
    (run,) = item["runs"]
    assert (run["outcome"], run["signal"], run["cause"]) == ("signalled", signal.SIGKILL, "interrupted")
    # What the program left behind was ended, and is named.
    assert bool(run["leftovers"]) == (name != "aider")
    assert item["outcome"] == "failed"

    fleet.retry()
    fleet.in_the_midst(name, 2)
    shown(daemon, "stop", fleet.session, name)
    item = fleet.ended()[name]
    run = item["runs"][-1]
    assert (item["outcome"], run["outcome"]) == ("stopped", "stopped")
    code = EXIT_CODES.get(name)
    assert (run["exit_code"], run["signal"]) == (code, None if code is not None else signal.SIGTERM)

    fleet.retry()
    item = fleet.ended()[name]
    assert item["outcome"] == "succeeded"
    assert fleet.edited(name)
    assert all(bool(resumed) == find_program(name).can_resume for resumed in fleet.resumes(name)[1:])


@pytest.mark.all_programs
def test_the_time_limit_ends_each_of_them_and_the_next_attempt_does_the_work(
    daemon: Daemon, workspace: Path, api: ScriptedApi
) -> None:
    names = [name for name in PROGRAMS if (FOLDER / "bin" / name).exists()]
    # codex does not wait for a command for longer than ten seconds: it asks the model again.
    scripts = {name: [midst_of(name), *([HANG] if name == "codex" else []), *work_of(name)] for name in names}
    fleet = Fleet(daemon, api, workspace, scripts)
    fleet.submit(timeout=LIMIT, retries=1, backoff="100ms")
    for name, item in fleet.ended().items():
        assert item["outcome"] == "succeeded", name
        assert [run["outcome"] for run in item["runs"]] == ["timed-out", "exited"], name
        assert item["runs"][0]["reason"] == "agent time limit", name
        assert fleet.edited(name), name
