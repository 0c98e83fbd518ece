"""The methods about keys: who may connect over TCP. Only somebody on the daemon's own machine may call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from waved.ipc.keys import Client
from waved.ipc.server import Asked
from waved.reactor.params import Params

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

log = structlog.get_logger("waved")


def server_key(reactor: Reactor, params: Params, _asked: Asked) -> dict[str, Any]:
    """The daemon's public key; its pair is made when it is asked for first."""
    params.finish()
    return {"key": reactor.keyring.server().public}


def listed(reactor: Reactor, params: Params, _asked: Asked) -> dict[str, Any]:
    """Who is authorised."""
    params.finish()
    return {"clients": [_described(client) for client in reactor.keyring.clients()]}


def authorize(reactor: Reactor, params: Params, _asked: Asked) -> dict[str, Any]:
    """Let a client in, from now on."""
    key, role, name = params.text("key"), params.text("role", "view"), params.text("name", "")
    params.finish()
    client = reactor.keyring.authorize(key, role, name)
    log.info("key.authorized", key=client.key, role=client.role, name=client.name)
    return _described(client)


def revoke(reactor: Reactor, params: Params, _asked: Asked) -> dict[str, Any]:
    """Let a client in no more: what it asks from now on is refused, and what it waits for is not told to it."""
    wanted = params.text("key")
    params.finish()
    client = reactor.keyring.revoke(wanted)
    log.info("key.revoked", key=client.key, name=client.name)
    return _described(client)


def _described(client: Client) -> dict[str, Any]:
    return {"key": client.key, "role": client.role, "name": client.name, "since": client.since}
