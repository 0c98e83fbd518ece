"""What the sync and the async client share: endpoints, envelopes, patience with a daemon that is being restarted.

A client sends one frame a request over a DEALER socket and knows its reply by the request's id. A socket monitor tells
when the daemon went away, so nobody waits for an answer that cannot come: methods that only read are asked again of
the next daemon, and so is a submission, which bears a token by which the daemon knows it. Other methods that change
something are not, because nobody can say whether they were carried out.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import zmq

from waved.config import locate
from waved.errors import BadRequestError, NoDaemonError, NotAllowedError, ProtocolError, WavedError, from_wire
from waved.ipc.wire import MAX_FRAME, Request, encode_request

READ_ONLY = frozenset(
    {
        "daemon.status",
        "session.list",
        "session.status",
        "events.read",
        "logs.read",
        "session.metrics",
        "files.list",
        "files.read",
        "session.report",
        "session.diff",
        "keys.list",
        "keys.server",
        "snapshots.list",
        "snapshots.show",
        "snapshots.diff",
    }
)
"""Methods that may be asked twice without harm."""
LOCAL_EVENTS = zmq.Event.CONNECTED | zmq.Event.DISCONNECTED | zmq.Event.CONNECT_RETRIED
"""What a socket monitor is asked to tell of a connection on this machine."""
START_HINT = "start one with `wavectl daemon start`"
UPGRADE_CHECK = 60.0
"""Seconds that a newly installed version has to show that it can run."""
GIT_WAIT = 120.0
"""Seconds that what reads or writes snapshots may take beyond the time of any request."""


class BrokenError(Exception):
    """The daemon went away before it answered; never leaves the clients."""


def endpoint_of(given: str | None, environ: Mapping[str, str] | None = None) -> str:
    """The ZeroMQ address to use: `given` (an address or a socket's path), else WAVED_SOCKET or WAVED_HOST, else that of
    the user's own daemon. Raises BadRequestError when it is no address.
    """
    env = os.environ if environ is None else environ
    chosen = given or env.get("WAVED_SOCKET")
    if not chosen and env.get("WAVED_HOST"):
        chosen = f"tcp://{env['WAVED_HOST'].removeprefix('tcp://')}"
    chosen = chosen or locate(env).endpoint
    if chosen.startswith("tcp://"):
        from wavectl import remote

        return remote.address_of(chosen)
    return chosen if "://" in chosen else f"ipc://{os.path.abspath(chosen)}"  # noqa: PTH100 — a text is wanted


def probe(endpoint: str) -> None:
    """See at once whether somebody listens; ZeroMQ itself would wait silently.

    Raises NoDaemonError, or NotAllowedError when the socket belongs to someone else.
    """
    if endpoint.startswith("tcp://"):
        from wavectl import remote

        remote.probe(endpoint)
    if not endpoint.startswith("ipc://"):
        return
    path = endpoint.removeprefix("ipc://")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probing:
        probing.setblocking(False)
        try:
            probing.connect(path)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise NotAllowedError(f"not allowed to use the socket {path}", _who_may(path)) from None
            if error.errno == errno.EAGAIN:
                return  # somebody listens, with a long queue
            raise no_daemon(endpoint, _why_not(error)) from None


def _who_may(path: str) -> str:
    """Whom a socket is for, as far as its folder tells."""
    import grp

    try:
        folder = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120 — a text from outside
        if folder.st_mode & 0o010:
            group = grp.getgrgid(folder.st_gid).gr_name
            return f"it is for members of the group {group}: sudo usermod -aG {group} USER, and log in again"
    except (OSError, KeyError):
        pass
    return "it belongs to another user; set WAVED_RUNTIME_DIR or --socket to your own"


def _why_not(error: OSError) -> str:
    reasons = {errno.ENOENT: "no such socket", errno.ECONNREFUSED: "nobody listens there any more"}
    return reasons.get(error.errno or 0, error.strerror or str(error))


def no_daemon(endpoint: str, why: str) -> NoDaemonError:
    """The error for a daemon that does not answer; names the socket and how to start one."""
    if endpoint.startswith("tcp://"):
        from wavectl import remote

        return remote.no_daemon(endpoint, why)
    return NoDaemonError(f"no daemon answers on {endpoint.removeprefix('ipc://')}: {why}", START_HINT)


def prepare(channel: zmq.Socket[Any], endpoint: str) -> Watch:
    """Make a socket ready to connect: over TCP it speaks CURVE. Raises NotAllowedError when it has no keys for that."""
    channel.linger = 0
    if endpoint.startswith("tcp://"):
        from wavectl import remote

        remote.secure(channel, endpoint)
        return Watch(endpoint, remote.EVENTS)
    return Watch(endpoint, LOCAL_EVENTS)


class Watch:
    """Makes sense of what a socket monitor tells of a connection."""

    def __init__(self, endpoint: str, events: int) -> None:
        self.events = events
        """What the monitor is to tell."""
        self._endpoint = endpoint
        self._secret = endpoint.startswith("tcp://")
        self._through = False
        """Whether there was a connection, by which a request may have gone."""

    def heard(self, parts: Sequence[bytes]) -> Exception | None:
        """Why the connection is lost, or cannot be: BrokenError or NotAllowedError; None: it is not."""
        kind = int.from_bytes(parts[0][:2], "little")
        if kind in (zmq.Event.HANDSHAKE_SUCCEEDED, zmq.Event.CONNECTED):
            self._through = True
            return None
        if self._secret:
            from wavectl import remote

            if kind == zmq.Event.HANDSHAKE_FAILED_AUTH:
                return remote.not_authorized(self._endpoint)
            if not self._through:
                return remote.not_the_server(self._endpoint)
        if not self._through:
            return self._not_yet()
        return BrokenError()

    def _not_yet(self) -> Exception | None:
        """Nothing has been sent. ZeroMQ tries again by itself, which helps when too many others want in as well."""
        try:
            probe(self._endpoint)
        except WavedError as error:
            return error
        return None


def with_token(method: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters of a request, with what lets a daemon know it again if it is asked twice."""
    found = dict(params or {})
    if method == "session.submit":
        found.setdefault("token", os.urandom(16).hex())
    return found


def may_be_asked_again(method: str) -> bool:
    """Whether it does no harm if a request was carried out already, and only its answer was lost."""
    return method in READ_ONLY or method == "session.submit"


def lost(endpoint: str, method: str) -> NoDaemonError:
    """The error for a connection that broke while a request was under way: of a change nobody can say what became."""
    if method in READ_ONLY:
        return no_daemon(endpoint, "it went away")
    message = f"the daemon went away before it answered {method}: it may have been done, or not"
    return NoDaemonError(message, "look at `wavectl list` and `wavectl status` before you ask again")


def encode(request_id: int, method: str, params: dict[str, Any]) -> bytes:
    """The frame of a request; raises BadRequestError when it is larger than a daemon accepts, or cannot be packed."""
    try:
        frame = encode_request(Request(request_id, method, params))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequestError(f"{method}: cannot be sent: {error}") from None
    if len(frame) > MAX_FRAME:
        raise BadRequestError(f"{method}: {len(frame)} bytes; at most {MAX_FRAME} can be sent", "make the plan smaller")
    return frame


def result_of(envelope: dict[str, Any]) -> dict[str, Any]:
    """The reply's content; an error reply is raised as the exception it stands for (`waved.errors.from_wire`)."""
    error = envelope.get("error")
    if isinstance(error, dict):
        raised: WavedError = from_wire(
            str(error.get("code", "error")), str(error.get("message", "")), str(error.get("hint", ""))
        )
        raise raised
    result = envelope.get("ok")
    if not isinstance(result, dict):
        raise ProtocolError("a reply that is neither a result nor an error", "is the socket really waved's?")
    return result


class Patience:
    """How long to go on trying after the daemon went away: short pauses first, then longer ones, up to an end."""

    FIRST_PAUSE = 0.02
    LONGEST_PAUSE = 0.5

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self._pause = self.FIRST_PAUSE

    def pause(self) -> float | None:
        """Seconds to wait before the next attempt; None when patience is used up. The first call starts the clock."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._seconds
        left = self._end - now
        if left <= 0:
            return None
        pause = min(self._pause, left)
        self._pause = min(self._pause * 2, self.LONGEST_PAUSE)
        return pause
