"""M3: one probe of the preview: an HTTP request that is answered as the plan wants, whole, and in time.

Whoever answers may be anything: the time limit holds for all of it together, so a server that sends a byte a second
does not stretch it; no more is read than is needed; what comes is never trusted to be HTTP.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from waved.errors import WavedError
from waved.monitors.inspector import Inspector
from waved.plan.guards import Preview
from waved.version import __version__
from waved.workspace.inside import open_root

LARGEST = 64 * 1024
"""Bytes of the body that are read; an answer that is longer is whole enough."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})

Search = Callable[[str, bytes], bool | None]
"""Whether a pattern is found in a body; None when that takes too long."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe found."""

    up: bool
    reason: str
    """Why it is down, for a person; "" when it is up."""
    seconds: float
    status: int = 0
    """The HTTP status; 0 when there was none."""


class Prober:
    """Probes one preview; its methods block and belong on a helper thread, one at a time.

    `folder`: one of waved's own; `url`: the plan's, its port filled in.
    """

    def __init__(self, settings: Preview, url: str, folder: Path) -> None:
        self._settings = settings
        self._url = url
        self._folder = folder
        self._inspector: Inspector | None = None
        self._fd = -1

    def probe(self) -> Probe:
        """One request; takes `timeout` at most, and what the pattern takes. Never raises for what it meets."""
        try:
            return probe(self._url, self._settings, self._search)
        except WavedError as error:
            return Probe(False, f"cannot be probed: {error.message}", 0.0)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._inspector is not None:
            self._inspector.close()
            os.close(self._fd)
            self._inspector = None

    def _search(self, pattern: str, body: bytes) -> bool | None:
        # In another process: a pattern without end would stop every thread of the daemon.
        if self._inspector is None:
            self._fd = open_root(self._folder)
            self._inspector = Inspector(self._fd)
        return self._inspector.search(pattern, body)


def probe(url: str, settings: Preview, search: Search) -> Probe:
    """One request to `url`, judged by `settings`."""
    began = time.monotonic()
    try:
        status, body = _get(url, began + settings.timeout)
        reason = _wrong(status, body, settings, search)
    except (TimeoutError, _LateError):
        status, reason = 0, f"no whole answer within {settings.timeout:g} s"
    except ConnectionRefusedError:
        status, reason = 0, "nothing listens there"
    except (ssl.SSLError, ssl.CertificateError) as error:
        status, reason = 0, f"TLS failed: {error}"
    except http.client.IncompleteRead:
        status, reason = 0, "the answer broke off"
    except (http.client.HTTPException, UnicodeError, ValueError) as error:
        status, reason = 0, f"the answer is no HTTP: {type(error).__name__} {error}"[:200].rstrip()
    except OSError as error:
        status, reason = 0, f"cannot be reached: {error.strerror or error}"
    return Probe(not reason, reason, time.monotonic() - began, status)


def _wrong(status: int, body: bytes, settings: Preview, search: Search) -> str:
    if settings.status and status not in settings.status:
        return f"status {status}; wanted: {', '.join(map(str, settings.status))}"
    if not settings.status and status >= 400:
        return f"status {status}"
    if settings.match is None:
        return ""
    found = search(settings.match, body)
    if found is None:
        return f'the pattern "{settings.match}" takes too long on the answer'
    return "" if found else f'status {status}, but the answer does not match "{settings.match}"'


class _LateError(Exception):
    pass


def _get(url: str, deadline: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{url}" is no http:// or https:// address')
    connection = http.client.HTTPConnection(parts.hostname, _port(parts))
    with _connect(parts, deadline) as plain:
        secured = _secured(plain, parts, deadline)
        # Only what HTTPConnection asks of a socket: sendall, makefile, close.
        connection.sock = _Limited(secured, deadline)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"User-Agent": f"waved/{__version__}", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", path, headers={"Host": parts.netloc.rpartition("@")[2], **headers})
            answer = connection.getresponse()
            return answer.status, _body(answer)
        finally:
            connection.close()
            secured.close()


def _body(answer: http.client.HTTPResponse) -> bytes:
    body = b""
    while len(body) < LARGEST and (piece := answer.read(LARGEST - len(body))):
        body += piece
    if len(body) < LARGEST and answer.length:
        raise http.client.IncompleteRead(body, answer.length)
    return body


def _connect(parts: SplitResult, deadline: float) -> socket.socket:
    last: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in _addresses(str(parts.hostname), _port(parts), deadline):
        attempt = socket.socket(family, kind, protocol)
        try:
            attempt.settimeout(_left(deadline))
            attempt.connect(address)
        except OSError as error:
            attempt.close()
            last = error
        except BaseException:
            attempt.close()
            raise
        else:
            return attempt
    raise last


def _addresses(host: str, port: int, deadline: float) -> list[Any]:
    """getaddrinfo(3) has no time limit; a thread that waits for a name server is left behind, and ends by itself."""
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look, name="waved-name", daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if not found:
        raise _LateError
    if isinstance(found[0], Exception):
        raise OSError(f'the name "{host}" is not known')
    addresses: list[Any] = found[0]
    return addresses


def _secured(plain: socket.socket, parts: SplitResult, deadline: float) -> socket.socket:
    if parts.scheme != "https":
        return plain
    context = ssl.create_default_context()
    if parts.hostname in _LOCAL:
        # A dev server on this machine has a certificate of its own making; there is nobody in between.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    plain.settimeout(_left(deadline))
    return context.wrap_socket(plain, server_hostname=parts.hostname)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _LateError
    return left


class _Limited:
    """A socket whose every call counts against one deadline."""

    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._socket = plain
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._socket, self._deadline))

    def close(self) -> None:
        """The socket is its owner's."""


class _Reading(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: float) -> None:
        self._socket = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 — as in io.RawIOBase
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)
