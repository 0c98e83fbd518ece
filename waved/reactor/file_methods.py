"""The methods about a session's files, for `wavectl export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waved.ipc.server import Asked
from waved.reactor.files import MAX_READ, listed, read
from waved.reactor.params import Params

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

Reply = dict[str, Any] | None


def files_list(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """The files of a session's folder that an export holds, with their sizes."""
    session = reactor.sessions.resolve(params.text("session", ""))
    params.finish()
    folder = reactor.locations.session(session)
    reactor.answer_later(asked, lambda: {"session": session, **listed(folder)})
    return None


def files_read(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """A piece of one of them, masked."""
    session = reactor.sessions.resolve(params.text("session", ""))
    path = params.text("path")
    offset = params.integer("offset", 0, 0, 2**62)
    limit = params.integer("limit", MAX_READ, 1, MAX_READ)
    params.finish()
    folder, mask = reactor.locations.session(session), reactor.masks.now
    reactor.answer_later(asked, lambda: read(folder, path, offset, limit, mask))
    return None
