"""From a decision to the spec a worker arms: folder, prompt parts, template context, environment (O7, O8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import wcmatch.glob  # noqa: F401 — `waved.plan.globs` does when it is first asked: not while a session waits for it

from waved.domain import budgets
from waved.domain import events as ev
from waved.domain.state import Node, Session, WaveState
from waved.plan import globs
from waved.plan.guards import CommandMonitor, ProgressMonitor
from waved.plan.limits import resources_of, sandbox_of
from waved.plan.models import Agent
from waved.plan.prompts import FINDING_FIELDS
from waved.pool import record
from waved.reactor.preview import preview_url
from waved.reactor.results import Results

PREVIEW, NOTIFY = "@preview", "@notify"
"""Where the values for the preview's server and for notifications stand among those of agents."""
Environment = dict[str, dict[str, Any]]
"""`{base: {NAME: value}, session: {…}, agents: {AGENT: {…}}}` as the client sent it."""


def run_key(run: str) -> str:
    """The name of a run's folder: "demo-x1/api/index#2" → "api+index.2"."""
    return run.partition("/")[2].replace("/", "+").replace("#", ".")


def run_folder(session_folder: Path, run: str) -> Path:
    """The run's folder under its session's."""
    return session_folder / "runs" / run_key(run)


def spec_of(
    session: Session, starting: ev.RunStarting, environment: Environment, session_folder: str, clock_offset: float,
    results: Results,
) -> dict[str, Any]:  # fmt: skip
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
    make = {"check": _check, "preview": _preview, "monitor": _monitor}
    if starting.purpose in make:
        return {**common, **make[starting.purpose](session, starting, environment, folder)}
    told = {"responder": _responder, "agent": _agent}[starting.purpose]
    return {**common, **told(session, starting, environment, folder, results)}


def _check(session: Session, starting: ev.RunStarting, environment: Environment, folder: str) -> dict[str, Any]:
    check = session.gates[starting.gate].checks[starting.index].command
    assert check is not None  # noqa: S101 — only commands become runs
    return _command(session, starting, environment, folder, check.run, {"check": check.label}, starting.agent)


def _monitor(session: Session, starting: ev.RunStarting, environment: Environment, folder: str) -> dict[str, Any]:
    found = next(monitor for monitor in session.plan.monitors if monitor.label == starting.agent)
    assert isinstance(found, CommandMonitor)  # noqa: S101 — no other kind is a run
    spec = _command(session, starting, environment, folder, found.run, {"monitor": found.label}, "")
    return {**spec, "cwd": _inside(session, found.cwd)}


def _preview(session: Session, starting: ev.RunStarting, environment: Environment, folder: str) -> dict[str, Any]:
    preview = session.plan.preview
    assert preview is not None and preview.command is not None  # noqa: S101 — else it is never started
    url = preview_url(session)
    spec = _command(session, starting, environment, folder, preview.command, {"url": url}, PREVIEW)
    port = urlsplit(url).port
    env = {**spec["env"], **({"PORT": str(port)} if port else {})}
    return {**spec, "cwd": _inside(session, preview.cwd), "env": env}


def _command(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, command: str | list[str],
    facts: dict[str, str], owner: str,
) -> dict[str, Any]:  # fmt: skip
    """What a plain command needs. `owner`: whose values it sees beside the session's."""
    return {
        "program": "command",
        "command": command,
        "args": [],
        "model": None,
        "instructions": [],
        "prompt": "",
        "tasks": [],
        "context": {"session": _session_facts(session), **facts},
        "cwd": session.workspace,
        "stop_grace": session.plan.session.stop_grace,
        "env": _environment(session, starting, environment, folder, owner, ""),
    }


def _responder(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, results: Results
) -> dict[str, Any]:
    agent = next(agent for agent in session.plan.responders if agent.name == starting.agent)
    wave = session.waves[max(session.wave, 0)]
    spec = _program(session, starting, environment, folder, agent, wave)
    guards = session.guards
    reaction = guards.reactions.get(starting.reaction) if guards is not None else None
    found = guards.finding(reaction.finding) if guards is not None and reaction is not None else None
    finding = {name: getattr(found, name) if found is not None else "" for name in FINDING_FIELDS}
    spec["context"]["finding"] = finding
    spec["results"] = results.text(session, wave.index)
    return spec


def _agent(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, results: Results
) -> dict[str, Any]:
    node = session.nodes[starting.assignment]
    wave = session.waves[node.wave]
    spec = _program(session, starting, environment, folder, node.agent, wave)
    spec["tasks"] = [{"name": task.name, "domain": task.domain or "", "prompt": task.prompt} for task in node.tasks]
    spec["results"] = results.text(session, node.wave, node.requires)
    spec["used_before"] = _used_before(node, starting.resume)
    if (stall := _silence(session, node.agent, wave)) is not None:
        spec["stall"] = stall
    return spec


def _silence(session: Session, agent: Agent, wave: WaveState) -> dict[str, float] | None:
    """Seconds of silence by state, where a monitor of progress wants to know of it (requirement M4).

    The monitor's own time goes before: it is the limit of programs nobody can read, and no state's is shorter. But one
    that waits for a person gets no longer than its own: nobody comes.
    """
    watching = [
        monitor.after
        for monitor in session.plan.monitors
        if isinstance(monitor, ProgressMonitor)
        and (not monitor.waves or wave.plan.name in monitor.waves)
        and (not monitor.agents or agent.name in monitor.agents)
    ]
    if not watching:
        return None
    after = min(watching)
    patience = session.plan.session.patience.model_dump()
    limits = {name: max(after, limit) for name, limit in patience.items() if limit is not None}
    return {**limits, "other": after, **({"waiting": patience["waiting"]} if patience["waiting"] is not None else {})}


def _program(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, agent: Agent, wave: WaveState
) -> dict[str, Any]:
    """What any agent needs, one of a wave or a responder."""
    return {
        "program": agent.program,
        "command": agent.command,
        "args": agent.args,
        "model": agent.model,
        "permissions": agent.permissions,
        "instructions": [text for text in (session.plan.session.instructions, wave.plan.instructions) if text],
        "prompt": agent.prompt,
        "tasks": [],
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
        },
        "cwd": _inside(session, agent.cwd),
        "stop_grace": agent.stop_grace or session.plan.session.stop_grace,
        "resume": starting.resume,
        "money_left": budgets.money_left(session, wave.index, starting.assignment),
        "resources": resources_of(session.plan.session.resources, agent.resources),
        "sandbox": sandbox_of(session.plan.session.sandbox, agent.sandbox),
        "reading": {
            "linger": agent.linger,
            "documentation_tools": session.plan.session.documentation.tools,
            "documentation_paths": globs.expressions(session.plan.session.documentation.paths),
            "forbidden": [*wave.plan.forbid_tools, *agent.forbid_tools],
        },
        "env": _environment(session, starting, environment, folder, agent.name, agent.domain or ""),
    }


def _inside(session: Session, folder: str) -> str:
    return os.path.normpath(os.path.join(session.workspace, folder))  # noqa: PTH118


def _used_before(node: Node, program_session: str) -> dict[str, Any]:
    """What earlier runs of the assignment are known to have used of the program's session that is resumed."""
    runs = [run.usage for run in node.runs if program_session and run.program_session == program_session]
    costs = [usage.cost for usage in runs if usage.cost is not None]
    counted: dict[str, Any] = {
        name: sum(getattr(usage, name) for usage in runs) for name in ("input", "output", "cached", "cache_write")
    }
    return {**counted, "cost": sum(costs) if costs else None}


def _session_facts(session: Session) -> dict[str, str]:
    settings = session.plan.session
    return {"name": settings.name, "id": session.id, "folder": settings.folder or ""}


def _environment(
    session: Session, starting: ev.RunStarting, environment: Environment, folder: str, agent: str, domain: str
) -> dict[str, str]:
    return {
        **environment.get("base", {}),
        **environment.get("session", {}),
        **environment.get("agents", {}).get(agent, {}),
        "WAVED_SESSION": session.id,
        "WAVED_WAVE": starting.wave,
        "WAVED_AGENT": "" if agent.startswith("@") else agent,
        "WAVED_DOMAIN": domain,
        "WAVED_RUN": starting.run,
        "WAVED_ATTEMPT": str(starting.attempt),
        "WAVED_TASKS": " ".join(starting.tasks),
        "WAVED_WORKSPACE": session.workspace,
        "WAVED_PROMPT": f"{folder}/{record.PROMPT}",
        "WAVED_CONTEXT": f"{folder}/{record.CONTEXT}",
        **({"WAVED_PREVIEW_URL": url} if (url := preview_url(session)) else {}),
    }
