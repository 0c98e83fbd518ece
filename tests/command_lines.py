"""Command lines of `wavectl` and `waved`, checked against the real commands without running them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from wavectl.cli import cli as wavectl
from waved.daemon import main as waved

PROGRAMS: dict[str, click.Command] = {"wavectl": wavectl, "waved": waved}


def mistake(words: Sequence[str]) -> str:
    """What is wrong with a command line whose first word is a program of ours (its path may stand before it)."""
    name = words[0].rpartition("/")[2]
    try:
        _parse(PROGRAMS[name], name, list(words[1:]), None)
    except click.exceptions.Exit:
        return ""
    except click.UsageError as error:
        return f"{shlex.join(words)}: {error.format_message()}"
    return ""


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None) -> None:
    with command.make_context(name, words, parent=parent) as ctx:
        if isinstance(command, click.Group):
            rest = [*ctx._protected_args, *ctx.args]
            if not rest:
                raise click.UsageError("a command is missing", ctx)
            found, sub, arguments = command.resolve_command(ctx, rest)
            assert sub is not None and found is not None
            _parse(sub, found, arguments, ctx)


def options_of(command: click.Command) -> set[str]:
    """All options of a command as they are written."""
    found = {"--help", "-h"}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


def unknown_in(span: str) -> list[str]:
    """The words of `wavectl …` in running text that are neither a command nor an option of the one they follow.

    Text is looser than a command line: arguments may be left out, alternatives stand beside each other.
    """
    command: click.Command | None = None
    known: set[str] = set()
    wrong = []
    for raw in span.split():
        word = raw.strip("[],.;…")
        if command is None:
            if word in PROGRAMS:
                command = PROGRAMS[word]
                known = options_of(command)
        elif word.startswith("-") and len(word) > 1:
            wrong += [each for each in word.split("|") if each.partition("=")[0].split("/")[0] not in known]
        elif isinstance(command, click.Group) and word:
            ctx = click.Context(command)
            for name in word.replace("\\", "").split("|"):
                sub = command.get_command(ctx, name)
                if sub is None:
                    if not name.isupper():
                        wrong.append(name)
                    continue
                known |= options_of(sub)
            if "|" not in word and not word.isupper():
                command = command.get_command(ctx, word) or command
    return wrong
