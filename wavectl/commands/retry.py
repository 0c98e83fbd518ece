"""`wavectl retry`."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, known_agent, print_json, session_and_agents


@click.command(name="retry")
@click.argument("words", nargs=-1, metavar="[SESSION] [AGENT]...", shell_complete=complete_session)
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Run AGENTs of SESSION again (all that failed if none are named); an ended session is opened again."""
    client = connect(ctx)
    view, agents = session_and_agents(client, words)
    keys = client.retry(view["session"], [known_agent(view, agent) for agent in agents])
    if as_json:
        print_json({"session": view["session"], "assignments": keys})
    else:
        click.echo(f"again in session {view['session']}: {', '.join(keys)}")
        click.echo(f"follow it with `wavectl watch {view['session']}`", err=True)
