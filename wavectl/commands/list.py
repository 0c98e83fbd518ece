"""`wavectl list`."""

from __future__ import annotations

from pathlib import Path

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines
from wavectl.moments import moment

STATES = ("checking", "running", "held", "stopping", "ended")
OUTCOMES = ("succeeded", "failed", "stopped", "timed-out", "refused")


@click.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="Only sessions in this state.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only sessions that ended so.")
@click.option("--name", default="", help='Only sessions of this name or id; a glob ("checkout-*") fits any part.')
@click.option("--workspace", metavar="DIR", help="Only sessions on this folder.")
@click.option("--since", type=moment, metavar="WHEN", help='Submitted since then: a date, or so long ago ("2d").')
@click.option("--until", type=moment, metavar="WHEN", help="Submitted before then.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    state: str | None,
    outcome: str | None,
    name: str,
    workspace: str | None,
    since: float | None,
    until: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """List sessions, newest first."""
    client = connect(ctx)
    folder = str(Path(workspace).resolve()) if workspace and client.endpoint.startswith("ipc:") else workspace
    sessions = client.list(limit, state or "", outcome or "", name, folder, since, until)
    if as_json:
        print_json({"sessions": sessions})
        return
    from wavectl.views.listing import listing
    from wavectl.views.text import Paint

    if sessions:
        print_lines(listing(sessions, Paint.on()))
    if len(sessions) == limit:
        click.echo(f"the newest {limit}; there may be more: --limit, or narrow it down", err=True)
    elif not sessions:
        narrowed = any(each is not None for each in (outcome, workspace, since, until)) or name
        said = "no such sessions" if narrowed else "no sessions" + (f" in state {state}" if state else "")
        click.echo(f"{said}; `wavectl run PLAN` starts one", err=True)
