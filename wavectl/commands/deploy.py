"""`wavectl deploy`: several agents at once, straight from the command line (requirement O6).

Nothing heavy is imported before the daemon has the request: the plan is a plain dict, and the daemon judges it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wavectl.commands.options import json_option


@click.command(name="deploy")
@click.argument("agents", nargs=-1, metavar="[NAME=COMMAND | NAME:PROGRAM=PROMPT]...")
@click.option("--agent", "-a", "more", multiple=True, metavar="NAME=…", help="An agent, as the arguments (repeatable).")
@click.option("--parallel/--sequential", default=True, help="All at the same instant (default), or one at a time.")
@click.option("--timeout", "-t", metavar="TIME", help='End everything after this time ("90s", "10m").')
@click.option("--retries", type=click.IntRange(0, 100), default=0, help="How often a failed agent is repeated.")
@click.option(
    "--check", "checks", multiple=True, metavar="COMMAND", help="Must succeed when all have ended (repeatable)."
)
@click.option("--pass", "passes", multiple=True, metavar="NAME", help='Environment variables to let through ("AWS_*").')
@click.option("--workspace", "-w", type=click.Path(path_type=Path), default=Path(), help="The folder they work in.")
@click.option("--name", "-n", default="deploy", show_default=True, help="The session's name.")
@click.option("--waive", multiple=True, metavar="ITEM", help="Start although this checklist item fails (repeatable).")
@click.option("--detach", "-d", is_flag=True, help="Return when the session is accepted; it runs on.")
@click.option("--plain", is_flag=True, help="One line an event, even on a terminal.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    agents: tuple[str, ...],
    more: tuple[str, ...],
    parallel: bool,
    timeout: str | None,
    retries: int,
    checks: tuple[str, ...],
    passes: tuple[str, ...],
    workspace: Path,
    name: str,
    waive: tuple[str, ...],
    detach: bool,
    plain: bool,
    as_json: bool,
) -> int:
    """Deploy several agents at once, without a plan file.

    NAME=COMMAND runs a shell command; NAME:PROGRAM=PROMPT gives a prompt to an agent program:

    \b
      wavectl deploy lint='ruff check .' tests='pytest -q'
      wavectl deploy api:claude='Write the API' docs:codex='Write the docs' --check 'pytest -q'
    """
    from wavectl import submission
    from wavectl.commands.run import submit_and_follow

    tables = [parse_agent(text) for text in (*agents, *more)]
    for table in tables:
        if retries:
            table["retries"] = retries
        if passes:
            table["env"] = {"pass": list(passes)}
    if not tables:
        raise click.UsageError("say which agents: NAME='command', or NAME:claude='prompt'", ctx)
    what = submission.from_agents(
        tables, name=name, workspace=workspace, parallel=parallel, timeout=timeout, waive=waive,
        gate={"commands": list(checks)} if checks else None,
    )  # fmt: skip
    return submit_and_follow(ctx, what, detach=detach, plain=plain, as_json=as_json)


def parse_agent(text: str) -> dict[str, Any]:
    """The agent's table of `NAME=COMMAND` or `NAME:PROGRAM=PROMPT`; raises click.BadParameter."""
    who, sign, what = text.partition("=")
    name, colon, program = who.partition(":")
    if not sign or not _is_name(name) or (colon and not _is_name(program)):
        message = f"\"{text}\" is neither NAME='command' nor NAME:PROGRAM='prompt'"
        raise click.BadParameter(message, param_hint="agent")
    if not what.strip():
        raise click.BadParameter(f'agent "{name}" has nothing to do: write something after the "="', param_hint="agent")
    if colon and program != "command":
        return {"name": name, "use": program, "prompt": what}
    return {"name": name, "command": what}


def _is_name(text: str) -> bool:
    return bool(text) and all(character.isalnum() or character in "._-" for character in text)
