"""What holds agents in: how limits of resources are kept, and whether sandboxes can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waved.agents import sandbox
from waved.agents.registry import find_program
from waved.errors import WavedError
from waved.gates.shown import shown
from waved.plan.limits import resources_of, sandbox_of
from waved.plan.models import Agent, Plan


@dataclass(frozen=True, slots=True)
class Kept:
    """Which limits of `resources` control groups keep on this machine, and why not all."""

    by_groups: frozenset[str] = frozenset()
    problem: str = ""


def agents_of(plan: Plan) -> Iterator[Agent]:
    """All agents, responders included."""
    for wave in plan.waves:
        yield from wave.agents
    yield from plan.responders


def limits_of(plan: Plan) -> list[str]:
    """The limits of resources that a plan sets anywhere, by name."""
    found: dict[str, None] = {}
    for agent in agents_of(plan):
        found |= dict.fromkeys(resources_of(plan.session.resources, agent.resources))
    return list(found)


def how_kept(plan: Plan, kept: Kept) -> str:
    """How each limit of a plan is kept, for a person: "memory, cpu: by control groups"."""
    wanted = limits_of(plan)
    told = []
    if by_groups := [name for name in wanted if name in kept.by_groups]:
        told.append(f"{', '.join(by_groups)}: by control groups")
    if "memory" in wanted and "memory" not in kept.by_groups:
        told.append("memory: by a look at each run once a second")
    if others := [name for name in wanted if name not in kept.by_groups and name != "memory"]:
        told.append(f"{', '.join(others)}: NOT kept")
    if kept.problem and len(by_groups) < len(wanted):
        told.append(kept.problem)
    return "; ".join(told)


SANDBOX_PATIENCE = 20.0
"""Seconds for all sandboxes to be tried."""
_LOOK = 'command -v "$1" >/dev/null || { echo "$1 is not to be seen inside" >&2; exit 1; }'


def sandboxed(plan: Plan) -> list[Agent]:
    """The agents that are to run in a sandbox."""
    return [agent for agent in agents_of(plan) if sandbox_of(plan.session.sandbox, agent.sandbox) is not None]


def sandbox_problem(
    plan: Plan, workspace: Path, environments: Mapping[str, Mapping[str, str]], private: Sequence[Path]
) -> tuple[str, str]:
    """Why agents cannot run in their sandboxes, and what to do; both empty when they can. Each is made and tried."""
    bwrap = sandbox.find_bwrap(os.environ)
    if bwrap is None:
        return "bubblewrap (bwrap) is not installed", f'{sandbox.INSTALL}, or set sandbox = "none"'
    tried: set[tuple[str, ...]] = set()
    for agent in sandboxed(plan):
        env = environments.get(agent.name) or environments.get("") or {}
        command = _trial(bwrap, plan, agent, workspace, env, private)
        if tuple(command) in tried:
            continue
        tried.add(tuple(command))
        problem = _try(command, env)
        if problem:
            hint = 'open what it needs with `write`, or home = "read"; user namespaces have to be allowed here'
            return f'agent "{shown(agent.name)}": {problem}', hint
    return "", ""


def _trial(
    bwrap: str, plan: Plan, agent: Agent, workspace: Path, env: Mapping[str, str], private: Sequence[Path]
) -> list[str]:
    """A command line that only looks whether the agent's program is to be seen in its sandbox."""
    settings = sandbox_of(plan.session.sandbox, agent.sandbox) or {}
    own: Sequence[Path] = ()
    executable = agent.command[0] if isinstance(agent.command, list) else ""
    if agent.command is None:
        try:
            program = find_program(agent.program)
        except WavedError:
            return []  # the item `commands` says so
        executable = program.executable
        own = program.own_files(env, Path(env["HOME"])) if env.get("HOME") else ()
    if "/" not in executable and shutil.which(executable, path=env.get("PATH", os.defpath)) is None:
        executable = ""  # as above
    elif "/" in executable and not (workspace / agent.cwd / executable).exists():
        executable = ""  # as above; or another agent makes it
    box = sandbox.of_spec(settings, workspace=workspace, cwd=workspace / agent.cwd, env=env, own=own, private=private)
    return box.command(bwrap, ["/bin/sh", "-c", _LOOK if executable else "true", "sh", executable])


def _try(command: Sequence[str], env: Mapping[str, str]) -> str:
    """What is wrong with a sandbox; "" when it can be made."""
    if not command:
        return ""
    try:
        done = subprocess.run(
            command, env=dict(env), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=SANDBOX_PATIENCE,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its sandbox cannot be made: {error}"
    said = shown(done.stderr.decode(errors="replace").strip()[:300])
    return (
        f"its sandbox cannot be made: {said or f'bwrap ended with status {done.returncode}'}" if done.returncode else ""
    )
