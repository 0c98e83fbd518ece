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
_TABLE = re.compile(r"^\[+([\w.]+)\]+", re.MULTILINE)


def is_whole(text: str) -> bool:
    """Whether this is a plan by itself."""
    return {"session", "wave"} <= tomllib.loads(text).keys()


def whole(text: str, folder: Path) -> str:
    """The text of a plan that says what the fragment does; files it names are made in `folder`."""
    if is_whole(text):
        return text
    given = _read(text)
    plan = [] if "session" in given else [_SESSION]
    first = _TABLE.search(text)
    if first is None or (first.start() > 0 and text[: first.start()].strip("\n# ")):
        keys = tomllib.loads(text[: first.start()] if first else text)
        begun = '[[wave.agent]]\nname = "an-agent"\n'
        if not keys.keys() & {"use", "command"}:
            begun += 'use = "claude"\n'
        plan = [_SESSION, _WAVE, begun.replace('name = "an-agent"\n', "") if "name" in keys else begun, text]
    elif first[1].startswith("wave."):
        plan += [_WAVE, *([] if "[[wave.agent]]" in text else [_AGENT]), text]
    elif "wave" in given:
        plan += [text]
    else:
        plan += [text, _WAVE, _AGENT]
    return "\n".join([*plan, *_missing(_read("\n".join(plan)), folder)])


def _read(text: str) -> dict[str, Any]:
    """A fragment as TOML reads it: `[wave.gate]` before any `[[wave]]` is a table, which is good enough here."""
    return tomllib.loads(text)


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
        yield '[preview]\nurl = "http://localhost:5000/"\n'
