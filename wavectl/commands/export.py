"""`wavectl export`."""

from __future__ import annotations

from pathlib import Path

import click

from wavectl.commands.options import connect, json_option, print_json, session_argument


@click.command(name="export")
@session_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="SESSION.zip if not given."
)
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, output: Path | None, as_json: bool) -> None:
    """Put all that is known of SESSION (the newest if not given) into one zip file: events, plan, output, exit records,
    reports, metrics, view. Secrets are masked; the environment is not in it. It works while the session goes on.
    """
    from wavectl.export import export

    done = export(connect(ctx), session, output)
    if as_json:
        print_json(done)
        return
    from wavectl.views.text import one_line
    from waved.amounts import size

    click.echo(
        f"{done['file']}  {size(done['bytes'])}: {done['events']} events, {done['files']} files of {done['session']}"
    )
    for problem in done["problems"]:
        click.echo(f"left out: {one_line(problem)}", err=True)
