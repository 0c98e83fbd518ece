"""`wavectl daemon`: start, stop, look at the daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from wavectl.commands.options import connect, json_option, print_json, print_lines


@click.group(name="daemon")
def command() -> None:
    """Start, stop, upgrade, or look at the daemon."""


@command.command(name="start")
@click.option("--foreground", is_flag=True, help="Stay in front, and log to stderr.")
@click.option("--idle-exit", type=float, metavar="SECONDS", help="End after this long without work (default: never).")
@click.option(
    "--log-file", type=click.Path(path_type=Path), help="Where it logs (default: waved.log in the state folder)."
)
@json_option
@click.pass_context
def start(ctx: click.Context, foreground: bool, idle_exit: float | None, log_file: Path | None, as_json: bool) -> None:
    """Start your private daemon in the background, and return when it is ready."""
    from wavectl import daemon, transport
    from waved.config import locate
    from waved.errors import ConflictError, NoDaemonError

    endpoint = transport.endpoint_of(ctx.obj.socket)
    if endpoint != locate().endpoint:
        hint = "unset WAVED_SOCKET (and leave out --socket); WAVED_RUNTIME_DIR chooses where the socket lies"
        raise ConflictError(f"a private daemon listens on {locate().control_socket}, not on {endpoint}", hint)
    try:
        transport.probe(endpoint)
    except NoDaemonError:
        pass
    else:
        raise ConflictError("a daemon is running already", "look at it with `wavectl daemon status`")
    if foreground:
        options = ["--idle-exit", f"{idle_exit:g}"] if idle_exit is not None else []
        options += ["--log-file", str(log_file.absolute())] if log_file else []
        sys.stdout.flush()
        daemon.foreground(options)
    daemon.start(idle_exit, log_file)
    status = connect(ctx).daemon_status()
    if as_json:
        print_json(status)
    else:
        click.echo(f"waved {status['version']} is ready (pid {status['pid']}), on {endpoint.removeprefix('ipc://')}")


@command.command(name="stop")
@click.option(
    "--sessions",
    type=click.Choice(["refuse", "stop", "detach"]),
    default="refuse",
    show_default=True,
    help="While sessions run: refuse, stop them first, or leave their agents running for the next daemon.",
)
@json_option
@click.pass_context
def stop(ctx: click.Context, sessions: str, as_json: bool) -> None:
    """Stop the daemon, and return when it has ended (of one elsewhere: when it has begun to)."""
    from wavectl import daemon

    client = connect(ctx)
    process = daemon.process_of(client)
    client.daemon_stop(sessions)
    if process is not None:
        daemon.wait_for_end(process)
    if as_json:
        print_json({"stopped": True})
    else:
        click.echo("the daemon has stopped" if process is not None else "the daemon stops")


@command.command(name="upgrade")
@json_option
@click.pass_context
def upgrade(ctx: click.Context, as_json: bool) -> None:
    """Replace the running daemon by the version that is installed now. Agents go on, and clients reconnect."""
    client = connect(ctx)
    done = client.daemon_upgrade()
    if as_json:
        print_json(done)
        return
    status = client.daemon_status()
    change = f"{done['from']} → {done['to']}" if done["from"] != done["to"] else f"{done['to']}, started anew"
    click.echo(f"waved {change} (pid {status['pid']}); {status['runs']} runs go on")


@command.command(name="status")
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the daemon: version, process, folders, load, problems."""
    client = connect(ctx)
    found = client.daemon_status()
    if as_json:
        print_json(found)
    else:
        print_lines(_lines(found, client.endpoint))


def _lines(status: dict[str, Any], endpoint: str) -> list[str]:
    import time

    from wavectl.views.text import Paint, columns, one_line
    from waved.amounts import lasting

    paint = Paint.on()
    sessions, workers = status["sessions"], status["workers"]
    rows = [
        ["waved", f"{status['version']} (protocol {status['protocol']}), pid {status['pid']}"],
        ["running", lasting(max(0.0, time.time() - status["started"]))],
        ["socket", endpoint.removeprefix("ipc://")],
        ["state", status["state_dir"]],
        ["sessions", f"{sessions['running']} running, {sessions['held']} held, {sessions['ended']} ended"],
        ["runs", f"{status['runs']} running; {workers['busy']} workers busy, {workers['warm']} warm"],
        ["events", str(status["last_seq"])],
    ]
    rows += [[paint("problem", "red"), one_line(problem)] for problem in status["problems"]]
    return columns(rows)
