"""`wavectl metrics`."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines, session_argument


@click.command(name="metrics")
@session_argument
@click.option("--agents", is_flag=True, help="Also of each agent, where that is measured.")
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, agents: bool, as_json: bool) -> None:
    """Show the metrics of SESSION (the newest if not given): value, goal, verdict. docs/metrics.md defines each."""
    metrics = connect(ctx).metrics(session)
    if as_json:
        print_json({"metrics": metrics})
        return
    from wavectl.views.metrics import metrics_lines
    from wavectl.views.text import Paint

    print_lines(metrics_lines(metrics, Paint.on()))
    if agents:
        from wavectl.views.metrics import agent_lines

        print_lines(agent_lines(metrics, Paint.on()))
