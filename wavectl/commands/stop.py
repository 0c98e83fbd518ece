"""`wavectl stop`."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, known_agent, print_json, session_and_agents


@click.command(name="stop")
@click.argument("words", nargs=-1, metavar="[SESSION] [AGENT]", shell_complete=complete_session)
@click.option("--reason", default="", help="Kept with the session.")
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Stop SESSION (the newest if not given), or one AGENT of it: its whole process tree is ended."""
    if len(words) > 2:
        raise click.UsageError("at most one session and one agent", ctx)
    client = connect(ctx)
    view, agents = session_and_agents(client, words)
    agent = known_agent(view, agents[0]) if agents else ""
    client.stop(view["session"], agent, reason)
    if as_json:
        print_json({"session": view["session"], "agent": agent})
    else:
        click.echo(f"stopping {f'agent {agent} of ' if agent else ''}session {view['session']} ({view['name']})")
