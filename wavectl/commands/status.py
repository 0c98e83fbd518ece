"""`wavectl status`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines, session_argument
from waved.errors import WavedError


@click.command(name="status")
@session_argument
@click.option("--checklists", is_flag=True, help="The checklists of waves and completion, with every item.")
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, checklists: bool, as_json: bool) -> None:
    """Show how SESSION (the newest if not given) stands."""
    client = connect(ctx)
    view = client.status(session)
    if as_json:
        print_json(view)
        return
    from wavectl.views.status import WIDE, status
    from wavectl.views.text import Paint, width

    if checklists:
        from wavectl.views.checklists import all_lines
        from wavectl.views.status import header, with_counts

        print_lines([header(with_counts(view), Paint.on(), view["now"]), *all_lines(view, Paint.on())])
        return
    if width() < WIDE:
        print_lines(status(view, Paint.on()))
        return
    usage: dict[str, Any] = {}
    if view["state"] != "ended":
        with suppress(WavedError):  # an older daemon does not know the question; what is known is shown all the same
            usage = client.request("runs.usage", {"session": view["session"]})["runs"]
    print_lines(status(view, Paint.on(), usage))
