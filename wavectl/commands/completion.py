"""`wavectl completion`: the script a shell completes from."""

from __future__ import annotations

import click


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
      bash   eval "$(wavectl completion bash)"          in ~/.bashrc
      zsh    eval "$(wavectl completion zsh)"           in ~/.zshrc
      fish   wavectl completion fish | source           in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "wavectl", "_WAVECTL_COMPLETE").source())
