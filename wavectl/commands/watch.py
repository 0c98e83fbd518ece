"""`wavectl watch`: rejoin a session."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, session_argument


@click.command(name="watch")
@session_argument
@click.option("--plain", is_flag=True, help="One line an event, even on a terminal.")
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, plain: bool, as_json: bool) -> int:
    """Follow SESSION (the newest if not given), as `wavectl run` does; the exit status says how it ended."""
    from wavectl.follow import follow, presenter_for

    client = connect(ctx)
    known = client.status(session)["session"]
    return int(follow(client, known, presenter_for(as_json=as_json, plain=plain)))
