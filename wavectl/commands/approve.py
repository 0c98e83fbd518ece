"""`wavectl approve`: a person says that what a monitor found is as it should be."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, print_json


@click.command(name="approve")
@click.argument("words", nargs=-1, metavar="[SESSION] [FINDING]", shell_complete=complete_session)
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Approve FINDING (all that is open, if not given) of SESSION (the newest if not given).

    A session that is held for nothing else goes on. Its monitor is silent about the file until it changes.
    """
    from waved.errors import NotFoundError

    if len(words) > 2:
        raise click.UsageError("at most one session and one finding", ctx)
    client = connect(ctx)
    finding = words[1] if len(words) == 2 else ""
    try:
        view = client.status(words[0] if words else "")
    except NotFoundError:
        view = client.status("")
        if len(words) != 1 or words[0] not in {found["finding"] for found in view.get("findings", ())}:
            raise
        finding = words[0]  # `wavectl approve f3`
    approved = client.approve(view["session"], finding)
    if as_json:
        print_json({"session": view["session"], "approved": approved})
    else:
        click.echo(f"approved: {', '.join(approved)}")
