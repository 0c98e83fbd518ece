"""`wavectl wait`."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, session_argument


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds of "90s", "10m" or a plain number."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        from waved.plan.quantities import parse_duration

        try:
            return float(str(parse_duration(value)))
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None


@click.command(name="wait")
@session_argument
@click.option("--timeout", "-t", callback=seconds, metavar="TIME", help='Give up after this time ("90s", "10m").')
@json_option
@click.pass_context
def command(ctx: click.Context, session: str, timeout: float | None, as_json: bool) -> int:
    """Wait until SESSION (the newest if not given) has ended or is held; the exit status says how it ended."""
    from wavectl.outcomes import exit_status

    view = connect(ctx).wait(session, timeout)
    if as_json:
        print_json(view)
    else:
        from wavectl.views.status import header, with_counts
        from wavectl.views.text import Paint, first_line

        reason = f"  {first_line(view['reason'])}" if view["reason"] else ""
        click.echo(header(with_counts(view), Paint.on(), view["now"]) + reason)
    return int(exit_status(view))
