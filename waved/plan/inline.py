"""Prompt and instruction files: read when the plan is loaded, so that what runs is what was checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from waved.errors import PlanError
from waved.plan.graph import Problem
from waved.plan.locate import KeyPath
from waved.plan.models import Agent, Plan, SessionSettings, Task, Wave
from waved.plan.prompts import LONGEST
from waved.plan.source import read_text

Prompted = TypeVar("Prompted", Agent, Task)
Read = Callable[[str | None, KeyPath], str | None]
"""(file name, its key) → its text; None when there is none, or it could not be read."""


def prompt_files(plan: Plan, folder: Path) -> tuple[Plan, list[Problem]]:
    """The plan with every file's text in place of its name (relative to `folder`), and what could not be read."""
    problems: list[Problem] = []

    def read(name: str | None, where: KeyPath) -> str | None:
        if name is None:
            return None
        try:
            text = read_text(folder / name, LONGEST, what="prompt file")
        except PlanError as error:
            problems.append(Problem(where, error.message, error.hint))
            return None
        if not text.strip():
            problems.append(Problem(where, f"the prompt file {folder / name} is empty", "write the prompt into it"))
            return None
        if "\0" in text:
            problems.append(Problem(where, f"the prompt file {folder / name} is no text: it holds NUL characters"))
            return None
        return text

    session = _session(plan.session, read)
    waves = [_wave(wave, ("wave", index), read) for index, wave in enumerate(plan.waves)]
    responders = [_with_prompt(each, ("responder", number), read) for number, each in enumerate(plan.responders)]
    inlined = plan.model_copy(update={"session": session, "waves": waves, "responders": responders})
    # A file that could not be read leaves its key standing, so that "has no prompt" is not said as well.
    return inlined, problems


def _session(session: SessionSettings, read: Read) -> SessionSettings:
    text = read(session.instructions_file, ("session", "instructions_file"))
    if text is None:
        return session
    return session.model_copy(update={"instructions": text, "instructions_file": None})


def _wave(wave: Wave, where: KeyPath, read: Read) -> Wave:
    agents = [_with_prompt(agent, (*where, "agent", number), read) for number, agent in enumerate(wave.agents)]
    tasks = [_with_prompt(task, (*where, "task", number), read) for number, task in enumerate(wave.tasks)]
    return wave.model_copy(update={"agents": agents, "tasks": tasks})


def _with_prompt(item: Prompted, where: KeyPath, read: Read) -> Prompted:
    text = read(item.prompt_file, (*where, "prompt_file"))
    return item if text is None else item.model_copy(update={"prompt": text, "prompt_file": None})


def _files(plan: Plan) -> dict[KeyPath, str]:
    """File names by the key whose text they hold."""
    found: dict[KeyPath, str | None] = {("session", "instructions"): plan.session.instructions_file}
    for index, wave in enumerate(plan.waves):
        for number, agent in enumerate(wave.agents):
            found["wave", index, "agent", number, "prompt"] = agent.prompt_file
        for number, task in enumerate(wave.tasks):
            found["wave", index, "task", number, "prompt"] = task.prompt_file
    for number, responder in enumerate(plan.responders):
        found["responder", number, "prompt"] = responder.prompt_file
    return {where: name for where, name in found.items() if name is not None}


def file_of(plan: Plan, where: KeyPath) -> str | None:
    """The file that holds the text of a key, in a plan as it was written."""
    return _files(plan).get(where)


def left_over(plan: Plan) -> list[Problem]:
    """File names in a plan that should have none: the daemon reads no files on a client's word."""
    message = "files are read by the client, before the plan is sent"
    return [Problem((*where[:-1], f"{where[-1]}_file"), message, f"send `{where[-1]}`") for where in _files(plan)]
