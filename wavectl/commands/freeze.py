"""`wavectl freeze`."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, known_agent, print_json, session_and_agents


@click.command(name="freeze")
@click.argument("words", nargs=-1, metavar="[SESSION] [AGENT]...", shell_complete=complete_session)
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Have AGENTs of SESSION (all that run, if none are named) stand still, until `wavectl thaw`.

    Their whole process trees are stopped as they are; their own time limits stand still, too.
    """
    client = connect(ctx)
    view, agents = session_and_agents(client, words)
    runs = client.freeze(view["session"], [known_agent(view, agent) for agent in agents])
    if as_json:
        print_json({"session": view["session"], "runs": runs})
    else:
        click.echo(f"frozen in session {view['session']}: {', '.join(run.rpartition('/')[2] for run in runs)}")
