"""`wavectl events`: the journal of a session, as it is and as it grows."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import click

from wavectl.commands.options import connect, json_option, print_json, session_argument


@click.command(name="events")
@session_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until the session has ended.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="N", help="Only events with a higher number.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help='Only these ("run.ended", "wave.*"; repeatable).')
@click.option("--all", "everything", is_flag=True, help="Of all sessions, and the daemon's own.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, session: str, follow: bool, after: int, kinds: tuple[str, ...], everything: bool, as_json: bool
) -> None:
    """Show what happened in SESSION (the newest if not given), event by event; with --json one JSON object a line."""
    if everything and session:
        raise click.UsageError("give either a session or --all", ctx)
    client = connect(ctx)
    known = "" if everything else client.status(session)["session"]
    for event in client.events(known, after=after, follow=follow):
        if kinds and not any(fnmatchcase(event["kind"], kind) for kind in kinds):
            continue
        if as_json:
            print_json(event)
        else:
            click.echo(event_line(event))


def event_line(event: dict[str, Any]) -> str:
    """Number, time, kind and the fields that say something."""
    import time

    from wavectl.views.text import one_line

    stamp = time.strftime("%H:%M:%S", time.localtime(event["time"])) + f".{int(event['time'] % 1 * 1000):03d}"
    said = "  ".join(
        f"{name}={_short(value)}" for name, value in event["data"].items() if value not in ("", None, [], {})
    )
    return one_line(f"{event['seq']:>6}  {stamp}  {event['kind']:<22}  {said}").rstrip()


def _short(value: object, longest: int = 120) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[:longest] + "…"
