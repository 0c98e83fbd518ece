"""`wavectl report`: what a session was asked, did, changed, cost and said, in one document; live and afterwards."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from wavectl.client import Client
from wavectl.commands.options import connect, session_argument
from waved.errors import ResourceError, WavedError

FORMATS = ("md", "html", "json")


@click.command(name="report")
@session_argument
@click.option("--format", "-F", "form", type=click.Choice(FORMATS), help="Which form (default: md, or FILE's ending).")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it here.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(
    ctx: click.Context, session: str, form: str | None, output: Path | None, show: bool, as_json: bool
) -> int | None:
    """Print the report of SESSION (the newest if not given) as Markdown; one that goes on is told as it stands."""
    if as_json and form not in (None, "json"):
        raise click.UsageError("--json is --format json", ctx)
    chosen = "json" if as_json else form or _of_ending(output) or ("html" if show else "md")
    if show and chosen != "html":
        raise click.UsageError("--open opens the page: it goes with --format html", ctx)
    client = connect(ctx)
    found = client.report(session, chosen)
    _write_again(client, found)
    if output is None and not show:
        click.echo(_for_terminal(found["content"], chosen), nl=False)
        return None
    path = output or _temporary(found["session"])
    _write(path, found["content"])
    if not show:
        click.echo(f"wrote {path}", err=True)
        return None
    return _open(path)


def _write_again(client: Client, found: dict[str, Any]) -> None:
    """Say what could not be written at the session's end, and have it tried again."""
    problem = found.get("unwritten", "")  # a daemon of an older version does not say
    if not problem:
        return
    from wavectl.views.text import first_line

    click.echo(f"not written at the session's end: {first_line(problem)}", err=True)
    try:
        client.write_report(found["session"])
    except WavedError as error:
        click.echo(f"nor now: {error.message}", err=True)
    else:
        click.echo(f"it is written now; `wavectl status {found['session']}` says what became of it", err=True)


def _of_ending(output: Path | None) -> str | None:
    ending = output.suffix.removeprefix(".").lower() if output is not None else ""
    return {"md": "md", "markdown": "md", "html": "html", "htm": "html", "json": "json"}.get(ending)


def _for_terminal(content: str, form: str) -> str:
    """On a terminal Markdown cannot steer it, whatever agents have printed."""
    if form == "json" or not sys.stdout.isatty():
        return content
    from wavectl.views.text import printable

    return "".join(printable(line) for line in content.splitlines(keepends=True))


def _temporary(session: str) -> Path:
    """A file that only we can read, for the browser; it stays, because nobody knows when the browser has read it."""
    return Path(tempfile.mkdtemp(prefix="wavectl-report-")) / f"{session}.html"


def _write(path: Path, content: str) -> None:
    """Raises ResourceError."""
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror}", "name another file with --output") from None


def _open(path: Path) -> int | None:
    """In the browser that $BROWSER names, or the desktop's. Exit status 1 when there is none."""
    import webbrowser

    address = path.absolute().as_uri()
    # Of what a browser says to the terminal nobody wants to read anything.
    if _has_browser() and webbrowser.open(address):
        click.echo(f"opened {path}", err=True)
        return None
    click.echo(f"error: no browser could be started; the report is in {path}", err=True)
    return 1


def _has_browser() -> bool:
    """Whether a browser can show itself: else webbrowser would begin a text browser in the midst of ours."""
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")) or sys.platform == "darwin"
