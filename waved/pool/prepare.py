"""From a run's spec to what is exec'ed: prompt rendered, command line built. Runs in the worker, so that a template
that takes for ever or a broken plug-in costs its own run and nobody else's.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waved.agents import sandbox
from waved.agents.activity import Used
from waved.agents.base import Deployment, Invocation
from waved.agents.registry import find_program
from waved.errors import WavedError
from waved.plan import prompts
from waved.pool import record
from waved.pool.acting import Acting
from waved.pool.launch import SHORTAGES, NotStartedError, ShortageError, resolve


def prepare(spec: dict[str, Any], folder: str) -> tuple[Invocation, Acting | None]:
    """Render the prompt (kept as `prompt.md`), build the command line, and what reads the program's output (None:
    nothing is read). Raises NotStartedError saying why not.
    """
    try:
        return _invocation(spec, folder)
    except WavedError as error:
        raise NotStartedError(f"{error.message}. {error.hint}" if error.hint else error.message) from None
    except OSError as error:
        if error.errno in SHORTAGES:
            raise ShortageError(f"cannot write the run's files in {folder}: {error.strerror}") from None
        raise NotStartedError(f"cannot write the run's files in {folder}: {error.strerror}") from None


def _invocation(spec: dict[str, Any], folder: str) -> tuple[Invocation, Acting | None]:
    context = spec["context"]
    if "results" in spec:
        context = {**context, "results": json.loads(spec["results"])}
    record.write_file(folder, record.CONTEXT, json.dumps(context))
    program = find_program(spec["program"])
    prompt = ""
    if spec["prompt"] or spec["tasks"] or spec["instructions"]:
        prompt = prompts.compose(
            instructions=spec["instructions"],
            prompt=spec["prompt"],
            tasks=spec["tasks"],
            context=context,
            failure=spec["failure"],
            resumed=bool(spec.get("resume")) and program.can_resume,
        )
    record.write_file(folder, record.PROMPT, prompt)
    words = {**context, "tasks": spec["tasks"], "failure": spec["failure"], "prompt": prompt}
    command = spec["command"]
    if isinstance(command, list) and spec["purpose"] == "agent":
        command = [prompts.render(word, words) for word in command]
    deployment = Deployment(
        command=command,
        args=[prompts.render(word, words) for word in spec["args"]],
        model=spec["model"],
        prompt=prompt,
        prompt_path=Path(folder, record.PROMPT),
        workspace=Path(spec["workspace"]),
        cwd=Path(spec["cwd"]),
        folder=Path(folder),
        attempt=spec["attempt"],
        permissions=spec.get("permissions", "edit"),
        resume=spec.get("resume", ""),
        money_left=spec.get("money_left"),
        used_before=Used(**spec["used_before"]) if spec.get("resume") and spec.get("used_before") else None,
    )
    reader = program.reader(deployment)
    acting = None if reader is None else Acting(reader, spec, program.provider_of(deployment), program.distribution)
    return program.invocation(deployment), acting


def enclose(spec: dict[str, Any], folder: str, argv: list[str], env: Mapping[str, str]) -> list[str]:
    """The command line that runs `argv`, whose first word is a path, in the sandbox its plan wants. Raises
    NotStartedError: what is to be in a sandbox is never run without.
    """
    bwrap = sandbox.find_bwrap(os.environ)
    if bwrap is None:
        raise NotStartedError(f"{sandbox.BWRAP}: command not found; its plan wants a sandbox. {sandbox.INSTALL}")
    program = find_program(spec["program"])
    try:
        own = list(program.own_files(env, Path(env["HOME"]))) if env.get("HOME") else []
        for name in program.writes:
            path = Path(folder, name)
            path.touch()
            own.append(path)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 — a plug-in may fail in any way
        raise NotStartedError(f"{program.name}: its own files cannot be found out: {error}") from None
    needed = [Path(folder, record.PROMPT), Path(folder, record.CONTEXT)]
    inside = sandbox.of_spec(
        spec["sandbox"],
        workspace=Path(spec["workspace"]),
        cwd=Path(spec["cwd"]),
        env=env,
        own=own,
        read=[*needed, *([Path(spec["socket"])] if spec.get("socket") else [])],
        private=[Path(path) for path in spec.get("private", ())],
    )
    return inside.command(bwrap, argv)


def rehearse() -> None:
    """Go through the motions once, without any effect. A forked process copies each page of memory it touches first;
    a worker that waits does so before it is needed, and starts its run in half the time.
    """
    here = Path("/")
    deployment = Deployment(["true"], [], None, "", here, here, here, here, 1)
    invocation = find_program("command").invocation(deployment)
    with contextlib.suppress(NotStartedError):
        resolve(invocation.argv, "/", {"PATH": os.defpath})
    prompts.render(invocation.argv[0], {})
    json.dumps({"rehearsal": invocation.argv, "numbers": [0.5, 1, None]})
    record.seal(json.dumps({"rehearsal": 1}).encode())
    mmap.mmap(-1, mmap.PAGESIZE).close()
