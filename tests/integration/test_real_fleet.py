"""All agent programs in one wave under a real daemon, each at its own file: what is shown is what was served.

Chosen with `-m all_programs`; those that are not installed (`bash .ci/agents all`) are left out by name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent_programs import ARGS, FOLDER, MODELS, environment
from tests.live import Daemon, assignments, plan_of, wait_for, wave_of
from tests.record_agents import EDIT, SUBMIT, version_of
from tests.scripted_api import ScriptedApi, Turn

pytestmark = pytest.mark.all_programs
PROGRAMS = ["aider", "claude", "codex", "gemini", "goose", "mini", "opencode", "qwen"]
SLOWEST = 100.0


def installed() -> list[str]:
    """The programs that are there; says which are not."""
    found = [name for name in PROGRAMS if (FOLDER / "bin" / name).exists()]
    if not found:
        pytest.skip(f"none of {', '.join(PROGRAMS)} is installed in {FOLDER}: run .ci/agents all")
    if missing := sorted({*PROGRAMS} - {*found}):
        print(f"not installed, and so not tested: {', '.join(missing)}")
    return found


def turns_for(name: str) -> list[Turn]:
    """The edit of the program's own file."""
    made = [
        replace(turn, calls=tuple(replace(call, path=f"{name}.md" if call.path else "") for call in turn.calls))
        for turn in EDIT
    ]
    if name == "aider":
        return [made[1]]
    return [*made[:3], SUBMIT] if name == "mini" else made


def agent(name: str, **more: Any) -> dict[str, Any]:
    """An agent of that program."""
    args = [*ARGS.get(name, []), *(["aider.md"] if name == "aider" else [])]
    made = {"name": name, "use": name, "prompt": "Edit the file.", "permissions": "all", "args": args, **more}
    return {**made, "model": MODELS[name]} if name in MODELS else made


def deploy(daemon: Daemon, workspace: Path, api: ScriptedApi, turns: dict[str, list[Turn]], **more: Any) -> str:
    """All of them in one wave."""
    values = {}
    for name, script in turns.items():
        (workspace / f"{name}.md").write_text("# demo\nline two\n")
        home = daemon.folder / f"home-{name}"
        home.mkdir()
        url = api.script(name, script, workspace, toolless=name == "aider")
        values[name] = environment(name, url, home)
    plan = plan_of(wave_of("work", *(agent(name, **more) for name in turns)))
    return daemon.submit(plan, workspace, environment={"base": {"PATH": os.environ["PATH"]}, "agents": values})


def ended(daemon: Daemon, session: str) -> dict[str, Any]:
    """The view once all have ended."""
    return dict(wait_for(lambda: (view := daemon.view(session))["state"] == "ended" and view, SLOWEST))


def test_all_of_them_edit_at_once_and_every_figure_is_right(daemon: Daemon, workspace: Path) -> None:
    names = installed()
    with ScriptedApi() as api:
        view = ended(daemon, deploy(daemon, workspace, api, {name: turns_for(name) for name in names}))
        assert view["outcome"] == "succeeded", view["reason"]
        for name, item in assignments(view).items():
            (run,) = item["runs"]
            served = api.used(name)
            assert (workspace / f"{name}.md").read_text() == "# demo\nline two, edited\n"
            assert (run["usage"]["input"], run["usage"]["output"]) == (served.prompt, served.output), name
            assert sum(run["usage"]["tools"].values()) == {"aider": 1, "mini": 4}.get(name, 3), name
            # A price is known of the models of Anthropic, and of the one that opencode is told it of.
            assert (run["usage"].get("cost") is not None) == (name in ("claude", "opencode")), name
            home = daemon.folder / f"home-{name}"
            assert run["version"] == version_of(name, environment(name, api.url(name), home)), name


def test_a_wrong_key_fails_each_of_them_at_once_whatever_it_says(daemon: Daemon, workspace: Path) -> None:
    names = installed()
    with ScriptedApi() as api:
        session = deploy(daemon, workspace, api, {name: [Turn(status=401)] for name in names}, retries=3)
        view = ended(daemon, session)
        for name, item in assignments(view).items():
            (run,) = item["runs"]
            assert (item["outcome"], run["cause"]) == ("failed", "login"), name
            assert "cannot log in" in item["reason"], name
