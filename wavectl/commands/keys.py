"""`wavectl keys`: who may use a daemon over TCP, and which daemons we know (docs/security.md, "Access over TCP")."""

from __future__ import annotations

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines


@click.group(name="keys")
def command() -> None:
    """Keys for daemons on other machines.

    On your machine: `new`, `show`, `trust`, `known`, `forget`. On the daemon's: `show-server`, `authorize`, `revoke`,
    `list`.
    """


@command.command(name="new")
@json_option
def new(as_json: bool) -> None:
    """Make your own key pair, and print the public half."""
    from wavectl import remote
    from waved.ipc.keys import new_pair, write_pair

    pair, path = new_pair(), remote.client_key()
    write_pair(path, pair)
    _print_own(pair.public, str(path), as_json)


@command.command(name="show")
@json_option
def show(as_json: bool) -> None:
    """Print the public half of your own key pair."""
    from wavectl import remote

    _print_own(remote.own_pair().public, str(remote.client_key()), as_json)


def _print_own(public: str, path: str, as_json: bool) -> None:
    if as_json:
        print_json({"key": public, "file": path})
    else:
        click.echo(public)


@command.command(name="trust")
@click.argument("host")
@click.argument("key")
def trust(host: str, key: str) -> None:
    """Know the daemon at HOST[:PORT] by KEY, which `wavectl keys show-server` prints on its machine."""
    from wavectl import remote

    click.echo(f"{remote.trust(host, key)} is known by this key from now on")


@command.command(name="forget")
@click.argument("host")
def forget(host: str) -> None:
    """Know the daemon at HOST[:PORT] no more."""
    from wavectl import remote

    click.echo(f"{remote.distrust(host)} is not known any more")


@command.command(name="known")
@json_option
def known(as_json: bool) -> None:
    """List the daemons that are known, with their keys."""
    from wavectl import remote

    servers = remote.known_servers()
    if as_json:
        print_json({"servers": servers})
    else:
        print_lines(f"{address}  {key}" for address, key in sorted(servers.items()))


@command.command(name="show-server")
@json_option
@click.pass_context
def show_server(ctx: click.Context, as_json: bool) -> None:
    """Print the daemon's public key; its pair is made when it is asked for first."""
    found = connect(ctx).request("keys.server")
    if as_json:
        print_json(found)
    else:
        click.echo(found["key"])


@command.command(name="list")
@json_option
@click.pass_context
def listed(ctx: click.Context, as_json: bool) -> None:
    """List who may use the daemon over TCP."""
    found = connect(ctx).request("keys.list")
    if as_json:
        print_json(found)
        return
    from datetime import datetime

    for client in found["clients"]:
        since = datetime.fromtimestamp(client["since"]).astimezone().strftime("%Y-%m-%d %H:%M")
        click.echo(f"{client['name']:<20}  {client['role']:<7}  {since}  {client['key']}")


@command.command(name="authorize")
@click.argument("key")
@click.option(
    "--role", type=click.Choice(["view", "control"]), default="view", show_default=True, help="What it may do."
)
@click.option("--name", default="", help="How it is called here (default: the key's beginning).")
@json_option
@click.pass_context
def authorize(ctx: click.Context, key: str, role: str, name: str, as_json: bool) -> None:
    """Let the client with this public KEY in; one that is known gets the new role and name."""
    done = connect(ctx).request("keys.authorize", {"key": key, "role": role, "name": name})
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done['name']} may {done['role']} from now on")


@command.command(name="revoke")
@click.argument("key")
@json_option
@click.pass_context
def revoke(ctx: click.Context, key: str, as_json: bool) -> None:
    """Let a client in no more, by its name, its KEY or the beginning of that; at once, also if it is connected."""
    done = connect(ctx).request("keys.revoke", {"key": key})
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done['name']} may do nothing any more")
