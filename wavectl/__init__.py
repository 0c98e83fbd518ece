"""wavectl: the command line and the Python client of waved.

    from wavectl import Client

    with Client() as client:
        print(client.daemon_status()["version"])

Names are imported when first used, so that `wavectl --help` does not pay for ZeroMQ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavectl.aio import AsyncClient
    from wavectl.client import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from wavectl.client import Client

        return Client
    if name == "AsyncClient":
        from wavectl.aio import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
