"""What whoever follows a session is told of a daemon that went away: that it did, and that it is back. On stderr."""

from __future__ import annotations

import time

import click

from wavectl.client import Client
from wavectl.views.text import printable
from waved.amounts import lasting
from waved.errors import NoDaemonError


class Absence:
    """Listens to a client that waits for its daemon."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since: float | None = None
        client.on_absence = self._missed

    def _missed(self, error: NoDaemonError) -> None:
        if self._since is None:
            self._since = time.monotonic()
            patience = f"waiting for it, {self._client.reconnect:g} s at most"
            click.echo(f"the daemon is away: {printable(error.message)}; {patience}", err=True)

    def over(self) -> None:
        """The daemon has answered."""
        if self._since is not None:
            click.echo(f"the daemon is back, after {lasting(time.monotonic() - self._since)}", err=True)
            self._since = None
