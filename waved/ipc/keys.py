"""CURVE keys: how they are written, kept, and who is authorised (docs/security.md, "Access over TCP").

A key is written as 64 hexadecimal digits: ZeroMQ's own spelling (Z85) has characters that shells take for theirs.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from waved.errors import BadRequestError, ConflictError, NotAllowedError, NotFoundError

Role = Literal["view", "control"]
"""`view`: methods that change nothing; `control`: all but those about keys."""
MOST = 1_000
"""Clients that may be authorised."""
_KEY = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w.@+-]{1,64}")
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Pair:
    """A key pair, as written. The secret half is never shown."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"Pair({self.public})"


@dataclass(frozen=True, slots=True)
class Client:
    """A client that may connect over TCP."""

    key: str
    role: Role
    name: str
    since: float
    """When it was authorised, in seconds since 1970."""


def written_key(text: str) -> str:
    """A public key that a person wrote. Raises BadRequestError when it is none."""
    key = text.strip().lower()
    if not _KEY.fullmatch(key):
        raise BadRequestError(
            f"{text[:80]!r} is no key: 64 hexadecimal digits are expected", "`wavectl keys new` prints it"
        )
    return key


def new_pair() -> Pair:
    """A key pair that nobody has."""
    import zmq
    from zmq.utils import z85

    public, secret = zmq.curve_keypair()
    return Pair(z85.decode(public).hex(), z85.decode(secret).hex())


def read_pair(path: Path) -> Pair:
    """The key pair in a file. Raises FileNotFoundError; NotAllowedError when others may read it, or it is damaged."""
    import zmq
    from zmq.utils import z85

    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotAllowedError(f"cannot read the key {path}: {error.strerror}") from None
    if mode & 0o077:
        raise NotAllowedError(f"others may read the secret key {path}", f"chmod 600 {path}; better, make a new one")
    if not _KEY.fullmatch(text):
        raise NotAllowedError(f"{path} holds no secret key", "move it away, and make a new one")
    return Pair(z85.decode(zmq.curve_public(z85.encode(bytes.fromhex(text)))).hex(), text)


def write_pair(path: Path, pair: Pair) -> None:
    """Keep a key pair, readable by its owner alone. Raises ConflictError when there is one; NotAllowedError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{pair.secret}\n")
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise ConflictError(f"{path} exists already", "move it away first, if it is to be replaced") from None
    except OSError as error:
        raise NotAllowedError(f"cannot write {path}: {error.strerror}") from None


class Keyring:
    """The daemon's own key pair, and whom it lets in: `server.key` and `clients` in a folder of its state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clients: dict[str, Client] = self._read()

    def server(self) -> Pair:
        """The daemon's own, made when it is asked for first. Raises NotAllowedError."""
        path = self._folder / "server.key"
        try:
            return read_pair(path)
        except FileNotFoundError:
            write_pair(path, new_pair())
            return read_pair(path)

    def clients(self) -> list[Client]:
        """Who is authorised, oldest first."""
        return list(self._clients.values())

    def find(self, key: str) -> Client | None:
        """The client with this key, if it is authorised now."""
        return self._clients.get(key)

    def authorize(self, key: str, role: str, name: str) -> Client:
        """Let a client in from now on; one that is known gets the new role and name.

        Raises BadRequestError, ConflictError when another client has the name, NotAllowedError when it cannot be kept.
        """
        key = written_key(key)
        known = next((each for each in get_args(Role) if each == role), None)
        if known is None:
            raise BadRequestError(f"no role {role[:40]!r}", "view or control is expected")
        name = name or key[:8]
        if not _NAME.fullmatch(name):
            raise BadRequestError(
                f"{name[:80]!r} is no name for a client", "letters, digits and . _ @ + - are, 64 at most"
            )
        if any(client.name == name and client.key != key for client in self._clients.values()):
            raise ConflictError(f"another client is called {name!r}", "`wavectl keys list` shows them")
        if key not in self._clients and len(self._clients) >= MOST:
            raise ConflictError(f"{MOST} clients are authorised already", "`wavectl keys revoke` those that are gone")
        client = Client(key, known, name, time.time())
        self._write({**self._clients, key: client})
        return client

    def revoke(self, wanted: str) -> Client:
        """Let a client in no more: by its key, the beginning of it (eight digits), or its name.

        Raises NotFoundError; NotAllowedError when that cannot be kept, and then it is let in no more all the same,
        until the daemon is started again.
        """
        found = [
            client
            for client in self._clients.values()
            if client.name == wanted or (len(wanted) >= 8 and client.key.startswith(wanted.lower()))
        ]
        if len(found) != 1:
            problem = "several clients have keys that begin with" if found else "no client is called, or has the key,"
            raise NotFoundError(f"{problem} {wanted[:80]!r}", "`wavectl keys list` shows them")
        left = {key: client for key, client in self._clients.items() if key != found[0].key}
        self._clients = left
        self._write(left)
        return found[0]

    # --- the file: a client a line, `KEY ROLE SINCE NAME` -------------------------------------------------------

    def _read(self) -> dict[str, Client]:
        path = self._folder / "clients"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise NotAllowedError(f"cannot read {path}: {error.strerror}") from None
        found: dict[str, Client] = {}
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            words = line.split()
            role = next((each for each in get_args(Role) if words[1:2] == [each]), None)
            if len(words) != 4 or role is None or not _KEY.fullmatch(words[0]) or not words[2].isdigit():
                raise NotAllowedError(f"{path}:{number}: not `KEY ROLE SINCE NAME`", "mend the line, or remove it")
            found[words[0]] = Client(words[0], role, words[3], float(words[2]))
        return found

    def _write(self, clients: dict[str, Client]) -> None:
        path = self._folder / "clients"
        lines = [f"{each.key} {each.role} {each.since:.0f} {each.name}\n" for each in clients.values()]
        new = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(descriptor)
            new.replace(path)
        except OSError as error:
            raise NotAllowedError(
                f"cannot write {path}: {error.strerror}", "until it can be, nothing is kept"
            ) from None
        self._clients = clients
