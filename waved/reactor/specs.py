"""From a decision to the spec a worker arms: folder, prompt parts, template context, environment (O7, O8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wcmatch.glob  # noqa: F401 — `waved.plan.globs` does when it is first asked: not while a session waits for it

from waved.domain import events as ev
from waved.domain.state import Node, Session
from waved.plan import globs
from waved.pool import record

Environment = dict[str, dict[str, Any]]
"""`{base: {NAME: value}, session: {…}, agents: {AGENT: {…}}}` as the client sent it."""


def run_key(run: str) -> str:
    """The name of a run's folder: "demo-x1/api/index#2" → "api+index.2"."""
    return run.partition("/")[2].replace("/", "+").replace("#", ".")


def run_folder(session_folder: Path, run: str) -> Path:
    """The run's folder under its session's."""
    return session_folder / "runs" / run_key(run)


def spec_of(
    session: Session, starting: ev.RunStarting, environment: Environment, session_folder: str, clock_offset: float
) -> dict[str, Any]:
    """What a worker needs to arm this run. Limits that depend on the moment of the start are not part of it."""
    settings = session.plan.session
    # Plain strings: this is done twice for each run, and paths would take most of the time.
    folder = f"{session_folder}/runs/{run_key(starting.run)}"
    common: dict[str, Any] = {
        "run": starting.run,
        "purpose": starting.purpose,
        "folder": folder,
        "workspace": session.workspace,
        "attempt": starting.attempt,
        "leftover_grace": settings.leftover_grace,
        "output_limit": settings.output_limit,
        "clock_offset": clock_offset,
        "failure": starting.failure,
    }
    if starting.purpose == "check":
        return {**common, **_check(session, starting, environment, folder)}
    return {**common, **_agent(session, starting, environment, folder)}


def _check(session: Session, starting: ev.RunStarting, environment: Environment, folder: str) -> dict[str, Any]:
    check = session.gates[starting.gate].checks[starting.index].command
    assert check is not None  # noqa: S101 — only commands become runs
    return {
        "program": "command",
        "command": check.run,
        "args": [],
        "model": None,
        "instructions": [],
        "prompt": "",
        "tasks": [],
        "context": {"session": _session_facts(session), "check": check.label},
        "cwd": session.workspace,
        "stop_grace": session.plan.session.stop_grace,
        "env": _environment(session, starting, environment, folder, starting.agent, ""),
    }


def _agent(session: Session, starting: ev.RunStarting, environment: Environment, folder: str) -> dict[str, Any]:
    node = session.nodes[starting.assignment]
    agent = node.agent
    wave = session.waves[node.wave]
    return {
        "program": agent.program,
        "command": agent.command,
        "args": agent.args,
        "model": agent.model,
        "instructions": [text for text in (session.plan.session.instructions, wave.plan.instructions) if text],
        "prompt": agent.prompt,
        "tasks": [{"name": task.name, "domain": task.domain or "", "prompt": task.prompt} for task in node.tasks],
        "context": {
            "session": _session_facts(session),
            "wave": {"name": wave.plan.name, "index": wave.index},
            "agent": {
                "name": agent.name,
                "domain": agent.domain or "",
                "owns": list(agent.owns),
                "produces": [output.path for output in agent.produces],
                "program": agent.program,
            },
            "attempt": starting.attempt,
            "vars": dict(session.plan.session.vars),
            "workspace": session.workspace,
            "results": _results(session, node),
        },
        "cwd": os.path.normpath(os.path.join(session.workspace, agent.cwd)),  # noqa: PTH118
        "stop_grace": agent.stop_grace or session.plan.session.stop_grace,
        "resume": starting.resume,
        "reading": {
            "linger": agent.linger,
            "documentation_tools": session.plan.session.documentation.tools,
            "documentation_paths": globs.expressions(session.plan.session.documentation.paths),
            "forbidden": [*wave.plan.forbid_tools, *agent.forbid_tools],
        },
        "env": _environment(session, starting, environment, folder, agent.name, agent.domain or ""),
    }


def _session_facts(session: Session) -> dict[str, str]:
    settings = session.plan.session
    return {"name": settings.name, "id": session.id, "folder": settings.folder or ""}


def _results(session: Session, node: Node) -> list[dict[str, Any]]:
    """What earlier waves, and in this wave the required assignments, ended with (O7).

    For a run that is made ready ahead, what it requires may still run: it starts only if that succeeds.
    """
    keys = [key for wave in session.waves[: node.wave] for key in wave.keys]
    keys += [key for key in node.requires if session.nodes[key].wave == node.wave]
    return [
        {
            "assignment": key,
            "agent": (done := session.nodes[key]).agent.name,
            "wave": session.waves[done.wave].plan.name,
            "outcome": done.outcome or "succeeded",
            "produced": [output.path for output in done.agent.produces],
        }
        for key in keys
    ]


def _environment(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, agent: str, domain: str
) -> dict[str, str]:
    return {
        **environment.get("base", {}),
        **environment.get("session", {}),
        **environment.get("agents", {}).get(agent, {}),
        "WAVED_SESSION": session.id,
        "WAVED_WAVE": starting.wave,
        "WAVED_AGENT": agent,
        "WAVED_DOMAIN": domain,
        "WAVED_RUN": starting.run,
        "WAVED_ATTEMPT": str(starting.attempt),
        "WAVED_TASKS": " ".join(starting.tasks),
        "WAVED_WORKSPACE": session.workspace,
        "WAVED_PROMPT": f"{folder}/{record.PROMPT}",
        "WAVED_CONTEXT": f"{folder}/{record.CONTEXT}",
    }
