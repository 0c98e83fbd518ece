"""What the commands have in common: the client they use, `--json`, the SESSION argument and what it may mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from wavectl.client import Client

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_COMPLETE_WITHIN = 1.0


def json_option(function: Decorated) -> Decorated:
    """`--json`: one JSON document, or for a stream one line of JSON an item."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def session_argument(function: Decorated) -> Decorated:
    """`[SESSION]`: an id, a unique prefix of one, or a name; the newest session if not given."""
    return click.argument("session", default="", required=False, shell_complete=complete_session)(function)


def connect(ctx: click.Context) -> Client:
    """A client for the daemon the command line names; closed with the command."""
    from wavectl.client import Client

    client = Client(ctx.obj.socket if ctx.obj else None)
    ctx.call_on_close(client.close)
    return client


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False))


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout."""
    for line in lines:
        click.echo(line)


def session_and_agents(client: Client, words: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    """The view and the agents that `[SESSION] [AGENT]…` mean.

    A first word that names no session, but an agent of the newest one, is that agent: `wavectl logs tests`. Raises
    NotFoundError otherwise.
    """
    from waved.errors import NotFoundError

    if not words:
        return client.status(""), []
    try:
        return client.status(words[0]), list(words[1:])
    except NotFoundError:
        try:
            newest = client.status("")
        except NotFoundError:
            newest = None
        if newest is None or any(word not in agents_of(newest) for word in words):
            raise
        return newest, list(words)


def agents_of(view: dict[str, Any]) -> list[str]:
    """Names by which a session's agents can be called: agents and assignments, each once, in the plan's order."""
    names: dict[str, None] = {}
    for wave in view["waves"]:
        for assignment in wave["assignments"]:
            names.update({assignment["agent"]: None, assignment["key"]: None})
    return list(names)


def known_agent(view: dict[str, Any], name: str) -> str:
    """`name`, if the session has an agent or assignment of that name; else raises NotFoundError with a near match."""
    names = agents_of(view)
    if name in names:
        return name
    from difflib import get_close_matches

    from waved.errors import NotFoundError

    near = get_close_matches(name, names, n=1)
    hint = f'did you mean "{near[0]}"?' if near else "its agents: " + ", ".join(names[:12])
    raise NotFoundError(f'session {view["session"]} has no agent "{name}"', hint)


def socket_while_completing(ctx: click.Context) -> str | None:
    """The daemon that a command line being completed names: no callback has run yet."""
    given = ctx.find_root().params
    return f"tcp://{given['host'].removeprefix('tcp://')}" if given.get("host") else given.get("socket")


def complete_session(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Ids and names of sessions for the shell; nothing when no daemon answers at once."""
    from wavectl.client import Client
    from waved.errors import WavedError

    socket = socket_while_completing(ctx)
    try:
        with Client(socket, timeout=_COMPLETE_WITHIN) as client:
            sessions = client.list()
    except WavedError:
        return []
    found = {one["session"]: f"{one['name']} {one['outcome'] or one['state']}" for one in sessions}
    return [CompletionItem(name, help=text) for name, text in found.items() if name.startswith(incomplete)]
