"""`wavectl thaw`."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, known_agent, print_json, session_and_agents


@click.command(name="thaw")
@click.argument("words", nargs=-1, metavar="[SESSION] [AGENT]...", shell_complete=complete_session)
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Let AGENTs of SESSION go on that were frozen by `wavectl freeze` (all of them, if none are named).

    What a reaction keeps frozen goes on with it: see `wavectl status`.
    """
    client = connect(ctx)
    view, agents = session_and_agents(client, words)
    runs = client.thaw(view["session"], [known_agent(view, agent) for agent in agents])
    if as_json:
        print_json({"session": view["session"], "runs": runs})
    else:
        click.echo(f"thawed in session {view['session']}: {', '.join(run.rpartition('/')[2] for run in runs)}")
