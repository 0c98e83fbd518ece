"""Whether the programs a plan names exist, looked up as its runs will look them up (requirement C1)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from waved.agents.registry import find_program
from waved.errors import WavedError
from waved.gates.shown import shown
from waved.plan import globs
from waved.plan.base import CommandLine
from waved.plan.guards import CommandMonitor
from waved.plan.models import Agent, Plan
from waved.plan.near import near

SHELL = "/bin/sh"
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_TEMPLATE = re.compile(r"\{[{%#]")
# fmt: off
_SHELL_WORDS = frozenset({
    ".", ":", "[", "[[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "echo", "elif", "else", "enable", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for",
    "function", "getopts", "hash", "help", "if", "in", "jobs", "kill", "let", "local", "printf", "pwd", "read",
    "readonly", "return", "select", "set", "shift", "shopt", "source", "test", "then", "time", "times", "trap",
    "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
})
# fmt: on
"""What the shell knows without a file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A program that somebody is going to run."""

    executable: str
    user: str
    """Who: 'agent "tests"'."""
    path: str
    """The PATH it is looked up on."""
    cwd: Path
    hint: str = ""
    """What to do when it is missing."""


@dataclass(slots=True)
class Missing:
    """A program that cannot be run, everybody who wants it, and what to do."""

    problem: str
    users: list[str] = field(default_factory=list)
    hint: str = ""

    @property
    def text(self) -> str:
        """For a person: "claude: not found on PATH (agent "tests")"."""
        users = list(dict.fromkeys(self.users))
        listed = ", ".join(users[:4]) + (f" and {len(users) - 4} more" if len(users) > 4 else "")
        return f"{self.problem} ({listed})"


def look_up(
    plan: Plan, workspace: Path, environments: Mapping[str, Mapping[str, str]]
) -> tuple[list[str], list[Missing]]:
    """The names of the programs that were found, and those that are missing.

    `environments`: what an agent's runs will see, by agent name; "" is what the commands of waves' gates see. A
    program that an agent of the plan is to produce need not exist yet.
    """
    produced = [output.path for wave in plan.waves for agent in wave.agents for output in agent.produces]
    found: dict[str, None] = {}
    missing: dict[str, Missing] = {}
    for item in _wanted(plan, workspace, environments):
        if isinstance(item, Missing):
            missing.setdefault(item.problem, Missing(item.problem, hint=item.hint)).users += item.users
            continue
        problem, hint = _problem(item, workspace, produced)
        if problem:
            missing.setdefault(problem, Missing(problem, hint=hint)).users.append(item.user)
        else:
            found[item.executable] = None
    return list(found), list(missing.values())


def _wanted(plan: Plan, workspace: Path, environments: Mapping[str, Mapping[str, str]]) -> Iterator[Wanted | Missing]:
    for wave in plan.waves:
        for agent in wave.agents:
            path = _path(environments, agent.name)
            user, cwd = f'agent "{agent.name}"', workspace / agent.cwd
            yield from _of_agent(agent, user, path, cwd)
            for check in agent.gate.commands if agent.gate is not None else ():
                yield from _of_command(check.run, f'check "{_short(check.label)}" of {user}', path, workspace)
        for check in wave.gate.commands:
            user = f'check "{_short(check.label)}" of wave "{wave.name}"'
            yield from _of_command(check.run, user, _path(environments, ""), workspace)
    yield from _of_guards(plan, workspace, environments)


def _of_guards(
    plan: Plan, workspace: Path, environments: Mapping[str, Mapping[str, str]]
) -> Iterator[Wanted | Missing]:
    path = _path(environments, "")
    if plan.preview is not None and plan.preview.command is not None:
        yield from _of_command(plan.preview.command, "preview", path, workspace / plan.preview.cwd)
    for monitor in plan.monitors:
        if isinstance(monitor, CommandMonitor):
            yield from _of_command(monitor.run, f'monitor "{monitor.label}"', path, workspace / monitor.cwd)
    for agent in plan.responders:
        user = f'responder "{agent.name}"'
        yield from _of_agent(agent, user, _path(environments, agent.name), workspace / agent.cwd)
    for notify in plan.notify:
        if notify.command is not None:
            yield from _of_command(notify.command, "notify", path, workspace)


def _path(environments: Mapping[str, Mapping[str, str]], name: str) -> str:
    environment = environments.get(name) or environments.get("") or {}
    return environment.get("PATH", os.defpath)


def _short(label: str) -> str:
    label = shown(label)
    return label if len(label) <= 40 else label[:39] + "…"


def _of_agent(agent: Agent, user: str, path: str, cwd: Path) -> Iterator[Wanted | Missing]:
    if agent.command is not None:
        yield from _of_command(agent.command, user, path, cwd)
        return
    try:
        program = find_program(agent.program)
    except WavedError as error:
        yield Missing(error.message, [user], error.hint)
        return
    if program.executable:
        yield Wanted(program.executable, user, path, cwd, program.install_hint)


def _of_command(command: CommandLine, user: str, path: str, cwd: Path) -> Iterator[Wanted]:
    if isinstance(command, list):
        if not _TEMPLATE.search(command[0]):
            yield Wanted(command[0], user, path, cwd)
        return
    yield Wanted(SHELL, user, path, cwd)
    first = (command.split(maxsplit=1) or [""])[0]
    # With "||" the command says itself what happens when the first program is missing.
    if _PLAIN_WORD.fullmatch(first) and first not in _SHELL_WORDS and "||" not in command:
        yield Wanted(first, user, path, cwd)


def _problem(item: Wanted, workspace: Path, produced: list[str]) -> tuple[str, str]:
    """What is wrong, and what to do; both empty when the program can be run."""
    name = shown(item.executable)
    if "/" not in item.executable:
        if shutil.which(item.executable, path=item.path):
            return "", ""
        close = near(item.executable, _on_path(item.path))
        return f"{name}: not found on PATH", item.hint or close or f"install {name}, or pass a PATH that holds it"
    file = item.cwd / item.executable
    if file.is_file():
        if os.access(file, os.X_OK, effective_ids=True):
            return "", ""
        return f"{name}: may not be executed", f"chmod +x {name}"
    if _is_produced(file, workspace, produced):
        return "", ""
    what = "is a folder" if file.is_dir() else "no such file"
    siblings = _names(file.parent)
    return f"{name}: {what} (looked in {shown(str(item.cwd))})", near(file.name, siblings)


def _is_produced(file: Path, workspace: Path, produced: list[str]) -> bool:
    path = os.path.normpath(file)
    inside = os.path.relpath(path, os.path.normpath(workspace))
    try:
        return any(globs.matches(pattern, inside) for pattern in produced)
    except WavedError:
        return False


def _on_path(path: str) -> list[str]:
    return [name for folder in path.split(os.pathsep) if folder for name in _names(Path(folder))]


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
