"""`wavectl diff`: what a session changed, from before its first agent to its end, or to now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wavectl.commands.options import complete_session, connect, json_option, print_json, print_lines

if TYPE_CHECKING:
    from wavectl.client import Client


@click.command(name="diff")
@click.argument("words", nargs=-1, metavar="[SESSION] [PATH]…", shell_complete=complete_session)
@click.option("--agent", "-a", "agents", multiple=True, metavar="AGENT", help="Only what it changed (repeatable).")
@click.option("--stat", is_flag=True, help="Only which files, and how many lines.")
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], agents: tuple[str, ...], stat: bool, as_json: bool) -> None:
    """Show what SESSION (the newest if not given) changed, or only what it changed in some files or folders."""
    found = _found(connect(ctx), words, agents, stat)
    if as_json:
        print_json(found)
        return
    from wavectl.views.changes import changes_lines
    from wavectl.views.text import Paint, width

    print_lines(changes_lines(found, Paint.on(), width(), stat=stat))
    if found["truncated"]:
        click.echo("… the rest is left out: name files or folders, or use --stat", err=True)


def _found(client: Client, words: tuple[str, ...], agents: tuple[str, ...], stat: bool) -> dict[str, Any]:
    """A first word that names no session, but looks like a path, is a path of the newest one."""
    from waved.errors import NotFoundError

    if not words:
        return client.diff("", (), agents, stat=stat)
    try:
        return client.diff(words[0], words[1:], agents, stat=stat)
    except NotFoundError as error:
        if "no session" not in error.message or not any(sign in words[0] for sign in "/.*"):
            raise
        return client.diff("", words, agents, stat=stat)
