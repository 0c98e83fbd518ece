"""`wavectl service`: waved as a service of systemd."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from wavectl.commands.options import json_option, print_json, print_lines

if TYPE_CHECKING:
    from wavectl.service import Scope

_SHOWN = ("LoadState", "ActiveState", "SubState", "UnitFileState", "StatusText", "MainPID", "NRestarts", "Result")


@click.group(name="service")
def command() -> None:
    """Run waved as a service of systemd: for yourself, or for the machine."""


def scope_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--user` or `--system`; root means the system's, everybody else their own."""
    return click.option(
        "--system/--user", "system", default=None, help="The machine's, or your own (default: root the machine's)."
    )(function)


def _scope(system: bool | None) -> Scope:
    import os

    from wavectl.service import scope_of

    return scope_of(os.geteuid() == 0 if system is None else system)


@command.command(name="install")
@scope_option
@click.option("--on-demand", is_flag=True, help="Have systemd listen, and start waved when somebody connects.")
@click.option("--dry-run", is_flag=True, help="Only show the files and commands.")
@json_option
def install(system: bool | None, on_demand: bool, dry_run: bool, as_json: bool) -> None:
    """Put the unit in place, enable it, start it. Done again after an upgrade, it brings the unit up to date."""
    from wavectl import service

    scope = _scope(system)
    found = service.service_files(scope)
    listening = service.socket_file(scope)
    on_demand = on_demand or listening.path.exists()
    found += [listening] if on_demand else []
    before = [["systemd-sysusers", str(found[0].path)]] if scope.system else []
    before += [["systemd-tmpfiles", "--create", str(found[1].path)]] if scope.system else []
    started = service.SOCKET if on_demand else service.UNIT
    reload, start = scope.systemctl("daemon-reload"), scope.systemctl("enable", "--now", started)
    if dry_run:
        _show_plan([(str(each.path), each.text) for each in found], [*before, reload, start], as_json)
        return
    service.require_manager(scope)
    if scope.system:
        for name in ("waved", "wavectl"):
            service.check_reachable(service.program(name))
    running = _state(scope)["ActiveState"] == "active"
    if on_demand and not listening.path.exists():
        _refuse_running(scope, running)
    if not running and not listening.path.exists():
        _refuse_rival(scope)
    changed = [str(each.path) for each in found if service.write(each)]
    for each in before:
        service.tell(each)
    service.tell(reload)
    service.tell(start)
    if running and str(scope.unit_file) in changed:
        service.tell(scope.systemctl("restart", service.UNIT))  # agents live on
    state = _state(scope)
    if as_json:
        print_json({"written": changed, "unit": str(scope.unit_file), **state})
        return
    how = f"runs as a service (pid {state['MainPID']})" if state["MainPID"] != "0" else "is started by the first client"
    print_lines([*(f"wrote {path}" for path in changed), f"waved {how}"])
    if scope.system:
        click.echo("let people control it: sudo usermod -aG waved USER; they use `wavectl --system`")


def _refuse_running(scope: Scope, running: bool) -> None:
    """systemd cannot listen where a daemon does already. Raises ConflictError."""
    from wavectl import service
    from waved.errors import ConflictError

    if running:
        words = " ".join(scope.systemctl("stop", service.UNIT))
        raise ConflictError(
            "the service is running, and listens itself", f"stop it first: {words} (which ends its sessions)"
        )
    enabled = scope.systemctl("disable", service.UNIT)
    if _state(scope)["UnitFileState"] == "enabled":
        service.tell(enabled)


def _refuse_rival(scope: Scope) -> None:
    """A private daemon has the same folders as the user's service: it has to go first. Raises ConflictError."""
    if scope.system:
        return
    from wavectl import transport
    from waved.config import locate
    from waved.errors import ConflictError, WavedError

    try:
        transport.probe(locate().endpoint)
    except WavedError:
        return
    hint = "`wavectl daemon stop --sessions detach` ends it; its agents go on, and the service takes them over"
    raise ConflictError("your private daemon is running", hint)


def _show_plan(texts: list[tuple[str, str]], commands: list[list[str]], as_json: bool) -> None:
    if as_json:
        print_json({"files": dict(texts), "commands": commands})
        return
    for path, text in texts:
        print_lines([f"# --- {path}", *text.splitlines(), ""])
    print_lines(["# --- then", *(" ".join(each) for each in commands)])


@command.command(name="uninstall")
@scope_option
@json_option
def uninstall(system: bool | None, as_json: bool) -> None:
    """Stop the service and remove its unit. Configuration, journal and the user `waved` stay."""
    from wavectl import service
    from waved.errors import NotFoundError

    scope = _scope(system)
    service.require_manager(scope)
    if not scope.unit_file.exists():
        raise NotFoundError(f"there is no {scope.unit_file}", "nothing is installed there")
    listening = service.socket_file(scope).path
    units = [service.SOCKET, service.UNIT] if listening.exists() else [service.UNIT]
    service.tell(scope.systemctl("disable", "--now", *units))
    removed = [scope.unit_file, *([listening] if listening.exists() else [])]
    if scope.system:
        removed += [each.path for each in service.service_files(scope)[:2]]
    for path in removed:
        path.unlink(missing_ok=True)
    service.tell(scope.systemctl("daemon-reload"))
    if as_json:
        print_json({"removed": [str(path) for path in removed]})
    else:
        print_lines([f"removed {path}" for path in removed])


@command.command(name="status")
@scope_option
@json_option
def status(system: bool | None, as_json: bool) -> int:
    """Show what systemd says of the service. Exit status 69 when it does not run."""
    from wavectl import service
    from wavectl.views.text import columns
    from waved.errors import ExitStatus

    scope = _scope(system)
    if scope.system:
        service.require_systemd()  # anybody may look
    else:
        service.require_manager(scope)
    state = _state(scope)
    if as_json:
        print_json(state)
    elif state["LoadState"] != "loaded":
        click.echo("waved is not installed as a service: `wavectl service install`")
    else:
        rows = [["service", f"{state['ActiveState']} ({state['SubState']}), {state['UnitFileState']}"]]
        rows += [["status", state["StatusText"]], ["process", state["MainPID"]], ["restarts", state["NRestarts"]]]
        rows += [["unit", str(scope.unit_file)]]
        print_lines(columns([row for row in rows if row[1]]))
    return int(ExitStatus.OK if state["ActiveState"] in ("active", "reloading") else ExitStatus.NO_DAEMON)


def _state(scope: Scope) -> dict[str, str]:
    from wavectl import service

    shown = service.tell(scope.systemctl("show", service.UNIT, f"--property={','.join(_SHOWN)}"))
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
