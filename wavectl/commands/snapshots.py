"""`wavectl snapshots`: what waved keeps of a workspace: list, look at, compare, bring back."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from wavectl.commands.options import (
    complete_session,
    connect,
    json_option,
    print_json,
    print_lines,
    socket_while_completing,
)
from wavectl.commands.rollback import carry_out

_COMPLETE_WITHIN = 1.0


def complete_snapshot(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of the session's snapshots for the shell; nothing when no daemon answers at once."""
    from wavectl.client import Client
    from waved.errors import WavedError

    try:
        with Client(socket_while_completing(ctx), timeout=_COMPLETE_WITHIN) as client:
            found = client.snapshots(str(ctx.params.get("session") or ""))
    except WavedError:
        return []
    return [
        CompletionItem(one["snapshot"], help=one["label"]) for one in found if one["snapshot"].startswith(incomplete)
    ]


session_option = click.option(
    "--session", "-s", default="", metavar="SESSION", shell_complete=complete_session,
    help="Of which session (default: the newest).",
)  # fmt: skip


@click.group(name="snapshots")
def command() -> None:
    """List, look at, compare or bring back what waved keeps of a workspace."""


@command.command(name="list")
@click.argument("session", default="", required=False, shell_complete=complete_session)
@click.option("--all", "everything", is_flag=True, help="Those of all sessions on its workspace.")
@json_option
@click.pass_context
def list_(ctx: click.Context, session: str, everything: bool, as_json: bool) -> None:
    """List the snapshots of SESSION (the newest if not given), oldest first."""
    found = connect(ctx).snapshots(session, everything=everything)
    if as_json:
        print_json(found)
        return
    from wavectl.views.snapshots import listing
    from wavectl.views.text import Paint

    print_lines(listing(found, Paint.on()))


@command.command(name="show")
@click.argument("snapshot", shell_complete=complete_snapshot)
@session_option
@json_option
@click.pass_context
def show(ctx: click.Context, snapshot: str, session: str, as_json: bool) -> None:
    """Show SNAPSHOT: when and why it was taken, what it could not keep, what differs from the one before it."""
    found = connect(ctx).snapshot_show(snapshot, session)
    if as_json:
        print_json(found)
        return
    from wavectl.views.snapshots import described
    from wavectl.views.text import Paint

    print_lines(described(found, Paint.on()))


@command.command(name="diff")
@click.argument("since", shell_complete=complete_snapshot)
@click.argument("until", default="", required=False, shell_complete=complete_snapshot)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="Only this file or folder (repeatable).")
@session_option
@json_option
@click.pass_context
def diff(ctx: click.Context, since: str, until: str, paths: tuple[str, ...], session: str, as_json: bool) -> None:
    """Show what changed from SINCE to UNTIL (the workspace as it is, if not given), as git shows it."""
    found = connect(ctx).snapshot_diff(since, until, session, paths)
    if as_json:
        print_json(found)
        return
    from wavectl.views.snapshots import coloured_diff
    from wavectl.views.text import Paint

    print_lines(coloured_diff(found["diff"], Paint.on()))
    if found["truncated"]:
        click.echo("… the rest is left out: name files with --path", err=True)


@command.command(name="restore")
@click.argument("snapshot", shell_complete=complete_snapshot)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="Only this file or folder (repeatable).")
@session_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def restore(ctx: click.Context, snapshot: str, paths: tuple[str, ...], session: str, yes: bool, as_json: bool) -> None:
    """Bring the workspace, or some files of it, back to SNAPSHOT. What is there now is kept in a snapshot before."""
    client = connect(ctx)

    def do(dry: bool) -> dict[str, Any]:
        return client.snapshot_restore(snapshot, session, paths, dry=dry)

    carry_out(ctx, do, yes=yes, as_json=as_json)
