"""`wavectl prune`."""

from __future__ import annotations

import click

from wavectl.commands.options import complete_session, connect, json_option, print_json, print_lines
from wavectl.moments import duration, size


@click.command(name="prune")
@click.argument("sessions", nargs=-1, metavar="[SESSION]...", shell_complete=complete_session)
@click.option("--max-age", type=duration, metavar="DURATION", help='Those that ended longer ago than this ("30d").')
@click.option("--max-sessions", type=click.IntRange(min=0), metavar="N", help="All but the newest N that have ended.")
@click.option(
    "--max-size", type=size, metavar="SIZE", help='The oldest, as long as all together take more than this ("10GB").'
)
@click.option("--yes", is_flag=True, help="Do it. Without this, what would go is only shown.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    sessions: tuple[str, ...],
    max_age: float | None,
    max_sessions: int | None,
    max_size: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Forget sessions that have ended: their events, output, and the snapshots that no other session needs.

    Either the SESSIONs named, or those that a rule has go (with several rules: those of each). One that goes on is
    never touched. What is forgotten cannot be brought back: see `wavectl export`.
    """
    rules = any(rule is not None for rule in (max_age, max_sessions, max_size))
    if bool(sessions) == rules:
        raise click.UsageError(
            "name sessions, or give a rule: --max-age, --max-sessions, --max-size" + (" (not both)" if rules else ""),
            ctx,
        )
    found = connect(ctx).prune(sessions, max_age=max_age, max_sessions=max_sessions, max_size=max_size, dry=not yes)
    if as_json:
        print_json(found)
        return
    from wavectl.views.pruning import pruning_lines
    from wavectl.views.text import Paint

    print_lines(pruning_lines(found, Paint.on()))
