"""The preview of a session (requirement M3): a port for it, and how it answers."""

from __future__ import annotations

import os
import socket

from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Session
from waved.reactor.inbox import Inbox
from waved.reactor.preview import preview_url
from waved.reactor.probing import Probing


class Previewing:
    """The previews of all live sessions."""

    def __init__(self, locations: Locations, inbox: Inbox) -> None:
        self._locations = locations
        self._inbox = inbox
        self._probers: dict[str, Probing] = {}

    def probe(self, session: Session) -> None:
        """It is being started, or its address is known: say how it answers from now on."""
        settings, url = session.plan.preview, preview_url(session)
        if settings is None or not url:
            return
        prober = self._probers.get(session.id)
        if prober is None:

            def tell(up: bool, seconds: float, reason: str) -> None:
                name, now_at = session.id, preview_url(session)
                answered: ev.Event = ev.PreviewAnswered(name, now_at, seconds)
                self._inbox.put(answered if up else ev.PreviewFailed(name, now_at, reason))

            folder = self._locations.session(session.id) / "guard"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            prober = self._probers[session.id] = Probing(settings, folder, tell)
        prober.begin(url)

    def lease(self, session: Session) -> None:
        """Find a port nobody listens on. It is free until the preview takes it, or somebody else has."""
        try:
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                port = int(sock.getsockname()[1])
        except OSError as error:
            self._inbox.put(ev.PortLeased(session.id, error=f"no port is free: {os.strerror(error.errno or 0)}"))
        else:
            self._inbox.put(ev.PortLeased(session.id, port))

    def end(self, session: str) -> None:
        """A session is over."""
        prober = self._probers.pop(session, None)
        if prober is not None:
            prober.close()

    def close(self) -> None:
        """The daemon ends."""
        for prober in self._probers.values():
            prober.close()
        self._probers.clear()
