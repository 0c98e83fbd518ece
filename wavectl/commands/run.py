"""`wavectl run`: load a plan, hand it to the daemon (one is started if need be), follow it to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavectl.commands.options import connect, json_option, print_json

if TYPE_CHECKING:
    from wavectl.submission import Submission
    from waved.plan.load import LoadedPlan


@click.command(name="run")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--workspace", "-w", type=click.Path(path_type=Path), help="The folder agents work in; over the plan's own."
)
@click.option("--detach", "-d", is_flag=True, help="Return when the session is accepted; it runs on.")
@click.option("--waive", multiple=True, metavar="ITEM", help="Start although this checklist item fails (repeatable).")
@click.option("--var", "variables", multiple=True, metavar="KEY=VALUE", help="A value for templates: {{ vars.KEY }}.")
@click.option("--plain", is_flag=True, help="One line an event, even on a terminal.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    plan: Path,
    workspace: Path | None,
    detach: bool,
    waive: tuple[str, ...],
    variables: tuple[str, ...],
    plain: bool,
    as_json: bool,
) -> int:
    """Run PLAN and follow it to its end.

    With no daemon running, a private one is started for you; it ends by itself when it has been idle for ten minutes.
    Ctrl-C asks whether to detach or to stop the session. The exit status says how the session ended.
    """
    from wavectl import submission
    from waved.plan.load import load_plan

    loaded = load_plan(plan, _pairs(variables))
    what = submission.from_loaded(loaded, workspace=workspace, waive=waive)
    if not as_json:
        _print_advice(loaded)
    return submit_and_follow(ctx, what, detach=detach, plain=plain, as_json=as_json)


def submit_and_follow(ctx: click.Context, what: Submission, *, detach: bool, plain: bool, as_json: bool) -> int:
    """Hand over, then follow or (with `detach`) say how to rejoin; returns the exit status."""
    from wavectl.daemon import ensure

    client = connect(ctx)
    ensure(client.endpoint)
    session = client.submit(what)["session"]
    if not detach:
        from wavectl.follow import follow, presenter_for

        return int(follow(client, session, presenter_for(as_json=as_json, plain=plain)))
    if as_json:
        print_json({"session": session})
    else:
        click.echo(session)
        click.echo(f"follow it with `wavectl watch {session}`", err=True)
    return 0


def _pairs(variables: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for variable in variables:
        name, sign, value = variable.partition("=")
        if not sign or not name:
            raise click.BadParameter(f'"{variable}" is not KEY=VALUE', param_hint="--var")
        pairs[name] = value
    return pairs


def _print_advice(loaded: LoadedPlan) -> None:
    import sys

    from wavectl.views.text import Paint, one_line
    from waved.plan.lint import lint

    paint = Paint.on(sys.stderr)
    for advice in lint(loaded.plan):
        hint = f" ({advice.hint})" if advice.hint else ""
        click.echo(paint(one_line(f"advice: {advice.message}{hint}"), "dim"), err=True)
