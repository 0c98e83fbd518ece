"""`wavectl list`."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines

STATES = ("checking", "running", "held", "stopping", "ended")


@click.command(name="list")
@click.option("--state", type=click.Choice(STATES), help="Only sessions in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_context
def command(ctx: click.Context, state: str | None, limit: int, as_json: bool) -> None:
    """List sessions, newest first."""
    sessions = connect(ctx).list(limit=limit, state=state or "")
    if as_json:
        print_json({"sessions": sessions})
        return
    from wavectl.views.listing import listing
    from wavectl.views.text import Paint

    if sessions:
        print_lines(listing(sessions, Paint.on()))
    else:
        click.echo(
            "no sessions" + (f" in state {state}" if state else "") + "; `wavectl run PLAN` starts one", err=True
        )
