"""`wavectl status`."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines, session_argument


@click.command(name="status")
@session_argument
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, as_json: bool) -> None:
    """Show how SESSION (the newest if not given) stands."""
    view = connect(ctx).status(session)
    if as_json:
        print_json(view)
        return
    from wavectl.views.status import status
    from wavectl.views.text import Paint

    print_lines(status(view, Paint.on()))
