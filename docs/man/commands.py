"""Manual pages of programs made with click: usage, options and commands as `--help` tells them."""

from __future__ import annotations

from collections.abc import Iterator

import click
from roff import Writer


def options(writer: Writer, command: click.Command) -> None:
    """All options that `--help` shows, but `--help` itself."""
    ctx = click.Context(command)
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if isinstance(parameter, click.Option) and record is not None and "--help" not in parameter.opts:
            names, text = record
            writer.item(f"**{names}**", _as_markdown(text))


def usage(command: click.Command, path: str) -> str:
    """The command line as it is called."""
    pieces = command.collect_usage_pieces(click.Context(command))
    return " ".join([path, *pieces])


def tree(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below, with the words that call it, in the order of `--help`."""
    if not isinstance(command, click.Group):
        return
    ctx = click.Context(command)
    for name in command.list_commands(ctx):
        sub = command.get_command(ctx, name)
        if sub is not None and not sub.hidden:
            yield f"{path} {name}", sub
            yield from tree(sub, f"{path} {name}")


def described(writer: Writer, command: click.Command, path: str) -> None:
    """A command: how it is called, what for, its options."""
    writer.subsection(usage(command, path).replace("[OPTIONS]", "[options]"))
    writer.help(_as_markdown(command.help or ""))
    options(writer, command)


def _as_markdown(text: str) -> str:
    """Help texts quote code as Markdown does; a star in them is a star."""
    return text.replace("*", "\N{ASTERISK OPERATOR}") if text.count("*") > 1 else text
