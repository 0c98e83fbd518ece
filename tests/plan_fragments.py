"""A part of a plan, as the documents show it, made whole so that the plan loader can judge it.

What is added: a `[session]` with a name, and a wave with an agent, where the fragment has none. Keys before the
first table are keys of an agent; tables of a wave (`[[wave.agent]]`, `[[wave.task]]`, `[wave.gate]`) continue a wave.
What the fragment names and does not define is defined: agents it `needs`, tasks it `requires`, `[[responder]]`s,
domains of its tasks, waves, `[preview]`, files of prompts. Nothing that the fragment says is changed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_SESSION = '[session]\nname = "fragment"\n'
_WAVE = '[[wave]]\nname = "a-wave"\n'
_AGENT = '[[wave.agent]]\nname = "an-agent"\ncommand = "true"\n'
_TABLE = re.compile(r"^\[", re.MULTILINE)
_OF_A_WAVE = re.compile(r"^\[+wave\.", re.MULTILINE)


def is_whole(text: str) -> bool:
    """Whether this is a plan by itself."""
    return "[session]" in text and "[[wave]]" in text


def whole(text: str, folder: Path) -> str:
    """The text of a plan that says what the fragment does; files it names are made in `folder`."""
    plan = _with_owner(text)
    if not re.search(r"^\[session\]", plan, re.MULTILINE):
        plan = f"{_SESSION}{plan}"
    of_a_wave = _OF_A_WAVE.search(plan)
    if of_a_wave and "[[wave]]" not in plan[: of_a_wave.start()]:
        plan = f"{plan[: of_a_wave.start()]}{_WAVE}{plan[of_a_wave.start() :]}"
    if "[[wave]]" not in plan:
        plan += f"\n{_WAVE}"
    if "[[wave.agent]]" not in plan:
        plan += f"\n{_AGENT}"
    return "\n".join([plan, *_missing(tomllib.loads(plan), folder)])


def _with_owner(text: str) -> str:
    """Keys before the first table are an agent's."""
    first = _TABLE.search(text)
    keys = tomllib.loads(text[: first.start()] if first else text)
    if not keys:
        return text
    owner = ["[[wave.agent]]"]
    owner += [] if "name" in keys else ['name = "an-agent"']
    owner += [] if keys.keys() & {"use", "command"} else ['use = "claude"']
    return "\n".join([*owner, text])


def _missing(plan: Mapping[str, Any], folder: Path) -> Iterable[str]:
    """What the plan names and does not define."""
    waves = plan["wave"]
    agents = [agent for wave in waves for agent in wave.get("agent", [])]
    tasks = [task for wave in waves for task in wave.get("task", [])]
    for table in (plan["session"], *agents, *tasks, *plan.get("responder", [])):
        for key in ("prompt_file", "instructions_file"):
            if key in table:
                (folder / table[key]).parent.mkdir(parents=True, exist_ok=True)
                (folder / table[key]).write_text("What to do.\n")
    wanted = {name for agent in agents for name in agent.get("needs", [])} - {agent.get("name") for agent in agents}
    wanted |= {task["agent"] for task in tasks if "agent" in task} - {agent.get("name") for agent in agents}
    yield from (_AGENT.replace("an-agent", name) for name in sorted(wanted))
    domains = {task["domain"] for task in tasks if "domain" in task} - {agent.get("domain") for agent in agents}
    yield from (f'{_AGENT.replace("an-agent", name)}domain = "{name}"\n' for name in sorted(domains))
    required = {name for task in tasks for name in task.get("requires", [])} - {task["name"] for task in tasks}
    if required:
        yield _AGENT.replace("an-agent", "of-requirements") + 'domain = "of-requirements"\n'
        yield from (f'[[wave.task]]\nname = "{name}"\ndomain = "of-requirements"\n' for name in sorted(required))
    monitors = plan.get("monitor", [])
    named = {name for monitor in monitors for name in monitor.get("waves", [])} - {wave["name"] for wave in waves}
    yield from (f"{_WAVE.replace('a-wave', name)}{_AGENT.replace('an-agent', f'agent-of-{name}')}" for name in named)
    steps = [step for monitor in monitors for step in monitor.get("reactions", []) if isinstance(step, dict)]
    responders = {step["agent"] for step in steps if "agent" in step} - {
        each["name"] for each in plan.get("responder", [])
    }
    yield from (f'[[responder]]\nname = "{name}"\ncommand = "true"\n' for name in sorted(responders))
    if any(monitor["kind"] == "preview" for monitor in monitors) and "preview" not in plan:
        yield '[preview]\ncommand = "npm run dev"\nurl = "http://localhost:{port}/"\n'
