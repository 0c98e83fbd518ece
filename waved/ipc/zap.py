"""Who may connect over TCP: libzmq asks at each connection (ZAP, rfc.zeromq.org/spec/27), with the key that the client
has just shown to have the secret half of. The answer is given in the reactor's turn.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq

ENDPOINT = "inproc://zeromq.zap.01"
DOMAIN = b"waved"


class Gatekeeper:
    """Answers libzmq's questions; has to be made before the socket that they are about is bound."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], may_enter: Callable[[str], bool]) -> None:
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(ENDPOINT)
        self._may_enter = may_enter

    def answer(self, limit: int = 16) -> None:
        """Answer what was asked."""
        for _ in range(limit):
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.ZMQError:
                return
            version, number = (*parts, b"", b"")[:2]
            mechanism = parts[5] if len(parts) > 5 else b""
            key = parts[6].hex() if mechanism == b"CURVE" and len(parts) == 7 else ""
            said = (b"200", b"", key.encode()) if key and self._may_enter(key) else (b"400", b"not authorised", b"")
            self.socket.send_multipart([version, number, *said, b""])

    def close(self) -> None:
        """Close."""
        self.socket.close(0)
