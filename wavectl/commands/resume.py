"""`wavectl resume`."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, session_argument


@click.command(name="resume")
@session_argument
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, as_json: bool) -> None:
    """Let SESSION (the newest if not given) go on after it was held; what was lost counts as failed."""
    client = connect(ctx)
    known = client.status(session)["session"]
    client.resume(known)
    if as_json:
        print_json({"session": known})
    else:
        click.echo(f"session {known} goes on; follow it with `wavectl watch {known}`")
