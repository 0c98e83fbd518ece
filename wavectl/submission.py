"""What is handed to the daemon when a session is to run: from a plan file, or from agents given one by one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavectl import environment
from wavectl.toml import to_toml
from waved.errors import PlanError

if TYPE_CHECKING:
    from waved.plan.load import LoadedPlan


@dataclass(frozen=True, slots=True)
class Submission:
    """The parameters of `session.submit`; `plan` holds no environment values."""

    plan: dict[str, Any]
    source: str
    workspace: str
    environment: dict[str, Any]
    plan_path: str = ""
    waive: tuple[str, ...] = ()
    submitted_by: str = field(default="")

    def params(self) -> dict[str, Any]:
        """As the wire wants them."""
        return {
            "plan": self.plan, "source": self.source, "plan_path": self.plan_path, "workspace": self.workspace,
            "environment": self.environment, "waive": list(self.waive), "submitted_by": self.submitted_by,
        }  # fmt: skip


def from_file(
    path: Path,
    *,
    workspace: str | os.PathLike[str] | None = None,
    variables: Mapping[str, str] | None = None,
    waive: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Submission:
    """Load a plan file and collect what it lets through; raises PlanError with every problem found.

    `variables` replace or add to the plan's `session.vars`; `workspace` goes over the plan's own.
    """
    from waved.plan.load import load_plan

    return from_loaded(load_plan(path, variables), workspace=workspace, waive=waive, environ=environ)


def from_loaded(
    loaded: LoadedPlan,
    *,
    workspace: str | os.PathLike[str] | None = None,
    waive: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Submission:
    """The submission of a loaded plan; `workspace` goes over the plan's own."""
    plan = loaded.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    folder = loaded.path.absolute().parent
    own = loaded.plan.session.workspace
    place = Path(workspace) if workspace is not None else (folder / own if own else Path.cwd())
    stripped, values = environment.collect(plan, folder, environ)
    return Submission(
        plan=stripped,
        source=_without_values(loaded.source, plan),
        plan_path=str(loaded.path.absolute()),
        workspace=_existing_folder(place),
        environment=values,
        waive=tuple(waive),
        submitted_by=user_name(),
    )


def from_agents(
    agents: Sequence[Mapping[str, Any]],
    *,
    name: str = "deploy",
    workspace: str | os.PathLike[str] = ".",
    parallel: bool = True,
    timeout: str | float | None = None,
    gate: Mapping[str, Any] | None = None,
    waive: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Submission:
    """A session of one wave with these agents (tables as in a plan), without a plan file.

    The daemon judges the tables; only files are read here (`prompt_file`, `env`), relative to the current folder.
    """
    if not agents:
        raise PlanError("no agents to deploy", "give at least one")
    session: dict[str, Any] = {"name": name}
    if not parallel:
        session["parallel"] = False
    if timeout is not None:
        session["timeout"] = timeout
    wave: dict[str, Any] = {"name": "deploy"}
    if gate:
        wave["gate"] = dict(gate)
    wave["agent"] = [_inline_prompt(dict(agent)) for agent in agents]
    stripped, values = environment.collect({"session": session, "wave": [wave]}, Path.cwd(), environ)
    return Submission(
        plan=stripped,
        source=to_toml(stripped),
        workspace=_existing_folder(Path(workspace)),
        environment=values,
        waive=tuple(waive),
        submitted_by=user_name(),
    )


def _without_values(source: str, plan: Mapping[str, Any]) -> str:
    """The plan file's text for the session's folder: values of `env.set` are hidden, wherever they stand."""
    tables = [plan["session"], *(agent for wave in plan["wave"] for agent in wave["agent"])]
    for table in tables:
        for value in table.get("env", {}).get("set", {}).values():
            if value:
                source = source.replace(value, "…")
    return source


def user_name() -> str:
    """Who submits: the login name, or the number of a user without one."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _existing_folder(path: Path) -> str:
    absolute = path.expanduser().absolute()
    if not absolute.is_dir():
        what = "is not a folder" if absolute.exists() else "does not exist"
        raise PlanError(f"the workspace {absolute} {what}", "name another with --workspace")
    return str(absolute.resolve())


def _inline_prompt(agent: dict[str, Any]) -> dict[str, Any]:
    file = agent.pop("prompt_file", None)
    if file is not None:
        try:
            agent["prompt"] = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise PlanError(f'agent "{agent.get("name", "")}": cannot read prompt_file {file}: {why}') from None
    return agent
