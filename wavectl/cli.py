"""The `wavectl` program. A command's module is imported only when the command is used, so that each starts fast.

Nothing but click is imported here; errors of waved become one to three lines on stderr and an exit status
(`waved.errors.ExitStatus`, docs/wavectl.md), never a traceback.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn, TypeGuard

# Nothing of what is imported is garbage, and to look for some every 700 objects takes time from each command.
gc.set_threshold(20_000)

import click  # noqa: E402

COMMANDS = {
    "run": "Run a plan and follow it to its end.",
    "deploy": "Deploy several agents at once, without a plan file.",
    "plan": "Check, show, or write plans.",
    "watch": "Follow a session that is running.",
    "top": "Watch sessions live, with keys to act on them.",
    "list": "List sessions, newest first.",
    "status": "Show how a session stands.",
    "logs": "Show what agents printed.",
    "events": "Show what happened, event by event.",
    "metrics": "Show what was measured of a session, against its goals.",
    "report": "Show the report of a session, or open it.",
    "diff": "Show what a session changed.",
    "wait": "Wait until a session has ended.",
    "stop": "Stop a session, or one agent of it.",
    "retry": "Run failed agents again.",
    "freeze": "Have agents stand still.",
    "thaw": "Let frozen agents go on.",
    "resume": "Let a held session go on.",
    "approve": "Say that what a monitor found is right.",
    "rollback": "Bring files back to what they were.",
    "snapshots": "List, compare, bring back what is kept.",
    "export": "Put all that is known of a session into one file.",
    "prune": "Forget sessions that have ended.",
    "daemon": "Start, stop, upgrade, or look at the daemon.",
    "keys": "Say who may use the daemon over TCP.",
    "service": "Run the daemon as a service of systemd.",
    "doctor": "See what is installed of all that waved can use.",
    "completion": "Print the completion script of a shell.",
}
"""All commands, in the order of `--help`; each lives in `wavectl/commands/NAME.py` as `command`."""
SYSTEM_SOCKET = "/run/waved/control.sock"
"""Where the system service listens (RuntimeDirectory= of its unit)."""
_DETACHED = 130
_BROKEN_PIPE = 141
_INTERNAL = 70
_OUTPUT = 74
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Error numbers of a write, where no file is named: of the output."""


class Settings:
    """The options that hold for every command (`ctx.obj`). No dataclass: that alone would cost a third of the start."""

    def __init__(self, socket: str | None = None) -> None:
        self.socket = socket


class ReaderGoneError(Exception):
    """Whoever read our output went away (`| head`)."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 — click's signature
        """All names, without an import."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 — click's
        """Import the command's module; a name nobody knows is None (click then says so)."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"wavectl.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name nobody knows gets the nearest one as a hint."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else "; see `wavectl --help`"
            raise click.UsageError(f'no command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but for a reader that goes away: click would make exit status 1 of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGoneError from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 — click's
        """The list for `--help`, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 — click's
    if value and not ctx.resilient_parsing:
        from waved.version import __version__

        click.echo(f"wavectl {__version__}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--socket", metavar="PATH", envvar="WAVED_SOCKET", help="The daemon's socket (path or ZeroMQ address).")
@click.option("--host", metavar="HOST[:PORT]", help="Speak to a daemon on another machine (see `wavectl keys`).")
@click.option("--system", is_flag=True, help="Speak to the system service, not to a daemon of your own.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context, socket: str | None, host: str | None, system: bool) -> None:
    """Run fleets of coding agents in waves, in parallel, under guard."""
    if host and system:
        raise click.UsageError("--host and --system are two daemons: name one", ctx)
    ctx.obj = Settings(SYSTEM_SOCKET if system else f"tcp://{host.removeprefix('tcp://')}" if host else socket)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run the command line, and turn every error into lines and an exit status."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    _have_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    status = _run(argv)
    if arguments is not None:
        sys.exit(status)
    _leave(status)


def _have_streams() -> None:
    """Whoever started us may have closed some (`>&-`): what is opened next, like a socket to the daemon, would be
    printed to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _leave(status: int) -> NoReturn:
    """End the program without taking the interpreter apart: that took a sixth of a command's time, and the processor
    from the agents it had just had started. What was opened is closed by then, and what was printed is not lost.
    """
    with suppress(OSError, ValueError):  # whoever read our errors went away
        sys.stderr.flush()
    os._exit(status)


def _run(argv: list[str]) -> int:
    try:
        status = _invoke(argv)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGoneError):
        # Python must not notice again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        if not _is_of_output(error):
            raise
        return _complain_of_output(error)
    return status


def _invoke(argv: list[str]) -> int:
    wants_json = "--json" in argv
    try:
        result: Any = cli.main(argv, prog_name="wavectl", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.UsageError as error:
        where = f"see `{error.ctx.command_path} --help`" if error.ctx else ""
        return _complain("usage", error.format_message(), where, (), error.exit_code, wants_json)
    except click.ClickException as error:
        return _complain("error", error.format_message(), "", (), error.exit_code, wants_json)
    except (click.Abort, KeyboardInterrupt):
        return _DETACHED
    except (BrokenPipeError, ReaderGoneError):
        raise
    except Exception as error:  # noqa: BLE001 — the last line of defence: a person gets one line, not a traceback
        return _answer(error, wants_json)
    return result if isinstance(result, int) else 0


def _answer(error: Exception, wants_json: bool) -> int:
    from waved.errors import PlanError, WavedError

    if _is_of_output(error):
        return _complain_of_output(error)
    if not isinstance(error, WavedError):
        if os.environ.get("WAVED_DEBUG"):
            raise error
        hint = "this is a defect in wavectl; WAVED_DEBUG=1 shows where"
        return _complain("internal", f"{type(error).__name__}: {error}", hint, (), _INTERNAL, wants_json)
    problems = tuple(str(problem) for problem in error.problems) if isinstance(error, PlanError) else ()
    return _complain(error.code, error.message, error.hint, problems, int(error.exit_status), wants_json)


def _is_of_output(error: Exception) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE


def _complain_of_output(error: OSError) -> int:
    """The disk that our output goes to is full, for instance: half of it may be there."""
    message = f"what was to be printed cannot be written: {error.strerror}"
    return _complain("output", message, "free some space, and repeat the command if it only shows something", (),
                     _OUTPUT, wants_json=False)  # fmt: skip


def _complain(code: str, message: str, hint: str, problems: Sequence[str], status: int, wants_json: bool) -> int:
    if wants_json:
        import json

        body: dict[str, Any] = {"code": code, "message": message, "hint": hint}
        if problems:
            body["problems"] = list(problems)
        click.echo(json.dumps({"error": body}, ensure_ascii=False))
    from wavectl.views.text import printable

    with suppress(OSError):  # it cannot be said, and the status tells
        click.echo(f"error: {printable(message)}", err=True)
        for problem in problems:
            click.echo(f"  {printable(problem)}", err=True)
        if hint:
            click.echo(f"hint: {printable(hint)}", err=True)
    return status
