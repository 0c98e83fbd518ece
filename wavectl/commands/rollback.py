"""`wavectl rollback`: bring files back to what they were, at the scope of a file, an agent, a wave or the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines, session_argument

MOST_SHOWN = 20


@click.command(name="rollback")
@session_argument
@click.option("--file", "files", multiple=True, metavar="PATH", help="This file, folder or pattern (repeatable).")
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="What this agent changed (repeatable).")
@click.option("--wave", default="", metavar="WAVE", help="All that changed since this wave began.")
@click.option("--all", "everything", is_flag=True, help="All that changed since the session began.")
@click.option("--to", "snapshot", default="", metavar="SNAPSHOT", help="To this snapshot instead.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, session: str, files: tuple[str, ...], agents: tuple[str, ...], wave: str, everything: bool,
    snapshot: str, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Bring files of SESSION (the newest if not given) back, and say before what will change.

    Agents that work on them stand still meanwhile; those whose work goes back start again. What gives way is kept:
    `wavectl snapshots restore` brings it back.
    """
    chosen = [
        name for name, given in (("file", files), ("agent", agents), ("wave", wave), ("session", everything)) if given
    ]
    if len(chosen) != 1:
        raise click.UsageError("say what goes back: one of --file, --agent, --wave, --all", ctx)
    scope = chosen[0]
    targets = {"file": files, "agent": agents, "wave": (wave,), "session": ()}[scope]
    client = connect(ctx)
    known = client.status(session)["session"]

    def do(dry: bool) -> dict[str, Any]:
        return client.rollback(scope, targets, known, snapshot, dry=dry)

    carry_out(ctx, do, yes=yes, as_json=as_json)


def carry_out(ctx: click.Context, do: Callable[[bool], dict[str, Any]], *, yes: bool, as_json: bool) -> None:
    """Say what would change, ask, do it, and say what was done. Exit status 1 when a file could not be brought back."""
    from wavectl.views.text import printable

    if not yes:
        plan = do(True)
        if not plan["total"]:
            click.echo("nothing differs from that snapshot", err=True)
        else:
            count = f"{plan['total']} file{'' if plan['total'] == 1 else 's'}"
            click.echo(f"{count} would go back to {printable(plan['to'])}:", err=True)
            for path in plan["files"][:MOST_SHOWN]:
                click.echo(f"  {printable(path)}", err=True)
            if plan["total"] > MOST_SHOWN:
                click.echo(f"  … and {plan['total'] - MOST_SHOWN} more", err=True)
        if plan["live"]:
            click.echo("agents that may write there stand still meanwhile", err=True)
        click.confirm("go on?", abort=True, err=True)
    done = do(False)
    if as_json:
        print_json(done)
    elif done["live"]:
        click.echo(f"begun: {', '.join(done['reactions'])}; follow it with `wavectl watch`")
    else:
        from wavectl.views.snapshots import restored

        print_lines(restored(done))
    if done.get("failed"):
        ctx.exit(1)
