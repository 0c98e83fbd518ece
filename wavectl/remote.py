"""Daemons on other machines: our own key, the keys of the daemons we know, and what can go wrong on the way.

Both live in `$XDG_CONFIG_HOME/waved` (else `~/.config/waved`): `client.key`, and `servers` with a line `ADDRESS KEY`
each. A daemon's key is never learnt from the network: somebody has to say it (`wavectl keys trust`).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq

from waved.config import PORT, is_address
from waved.errors import BadRequestError, NoDaemonError, NotAllowedError
from waved.ipc.keys import Pair, read_pair, written_key

EVENTS = (
    zmq.Event.DISCONNECTED | zmq.Event.CONNECT_RETRIED | zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
)  # fmt: skip
"""What a socket monitor is asked to tell of a connection over TCP."""
_PROBE_SECONDS = 5.0


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where keys are kept."""
    env = os.environ if environ is None else environ
    home = Path(env.get("HOME") or "~").expanduser()
    return Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "waved"


def client_key(environ: Mapping[str, str] | None = None) -> Path:
    """The file of our own key pair: `$WAVED_CLIENT_KEY`, else `client.key` in `folder`."""
    env = os.environ if environ is None else environ
    return Path(env["WAVED_CLIENT_KEY"]) if env.get("WAVED_CLIENT_KEY") else folder(env) / "client.key"


def address_of(host: str) -> str:
    """`tcp://HOST:PORT` for what a person wrote: HOST, HOST:PORT, or the whole. Raises BadRequestError."""
    text = host.removeprefix("tcp://")
    has_port = text.rpartition(":")[2].isdigit() and not (text.count(":") > 1 and "]:" not in text)
    address = f"tcp://{text}" if has_port else f"tcp://{text}:{PORT}"
    if not is_address(address):
        raise BadRequestError(f"{host[:200]!r} is no address of a daemon", f"tcp://HOST:{PORT} is expected")
    return address


def known_servers() -> dict[str, str]:
    """Keys of daemons, by address. Raises NotAllowedError when the file cannot be read or has a wrong line."""
    path = folder() / "servers"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotAllowedError(f"cannot read {path}: {error.strerror}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            address, key = line.split()
            found[address] = written_key(key)
        except (ValueError, BadRequestError):
            raise NotAllowedError(f"{path}:{number}: not `ADDRESS KEY`", "mend the line, or remove it") from None
    return found


def trust(host: str, key: str) -> str:
    """Know a daemon by its key from now on, in place of one it had before; returns its address."""
    address, key = address_of(host), written_key(key)
    _keep({**known_servers(), address: key})
    return address


def distrust(host: str) -> str:
    """Forget a daemon's key; returns its address. Raises BadRequestError when none is known."""
    address, servers = address_of(host), known_servers()
    if address not in servers:
        raise BadRequestError(f"no key of {address} is known", "`wavectl keys known` shows them")
    del servers[address]
    _keep(servers)
    return address


def _keep(servers: Mapping[str, str]) -> None:
    path = folder() / "servers"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text("".join(f"{address} {key}\n" for address, key in servers.items()))
        new.replace(path)
    except OSError as error:
        raise NotAllowedError(f"cannot write {path}: {error.strerror}") from None


def own_pair() -> Pair:
    """Our own key pair. Raises NotAllowedError when there is none."""
    path = client_key()
    try:
        return read_pair(path)
    except FileNotFoundError:
        raise NotAllowedError(
            f"a daemon on another machine wants a key, and there is none at {path}", "make one: wavectl keys new"
        ) from None


def secure(channel: zmq.Socket[Any], address: str) -> None:
    """Have a socket speak CURVE. Raises NotAllowedError when we have no key, or do not know the daemon's."""
    expected = os.environ.get("WAVED_SERVER_KEY") or known_servers().get(address)
    if expected is None:
        hint = f"on its machine `wavectl keys show-server` prints it; then here: wavectl keys trust {address} KEY"
        raise NotAllowedError(f"the key of the daemon at {address} is not known", hint)
    pair = own_pair()
    channel.setsockopt(zmq.IPV6, int("[" in address))
    channel.setsockopt(zmq.CURVE_SERVERKEY, bytes.fromhex(written_key(expected)))
    channel.setsockopt(zmq.CURVE_PUBLICKEY, bytes.fromhex(pair.public))
    channel.setsockopt(zmq.CURVE_SECRETKEY, bytes.fromhex(pair.secret))


def probe(address: str) -> None:
    """See whether somebody listens. Raises NoDaemonError."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PROBE_SECONDS).close()
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise no_daemon(address, why) from None


def no_daemon(address: str, why: str) -> NoDaemonError:
    """The error for a daemon elsewhere that does not answer."""
    hint = f'is waved running there, with `listen = "tcp://…:{PORT}"` in its configuration file, and let through?'
    return NoDaemonError(f"no daemon answers on {address}: {why}", hint)


def not_authorized(address: str) -> NotAllowedError:
    """The error for a daemon that does not let us in."""
    command = f"wavectl keys authorize --role view --name NAME {own_pair().public}"
    return NotAllowedError(f"the daemon at {address} does not know this client's key", f"on its machine: {command}")


def not_the_server(address: str) -> NotAllowedError:
    """The error for a handshake that failed before we could show who we are."""
    hint = "compare `wavectl keys show-server` on its machine with `wavectl keys known` here"
    return NotAllowedError(f"who answers on {address} has not the key that is known for it, or is no waved", hint)
