"""A person has agents stand still, and go on (docs/architecture.md, "Wire")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waved.domain import events as ev
from waved.domain import requests
from waved.ipc.server import Asked
from waved.reactor.params import Params

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor


def session_freeze(reactor: Reactor, params: Params, asked: Asked) -> dict[str, Any]:
    """All processes of the agents' runs (of all agents, if none are named) stand still until they are thawed."""
    wanted, agents = params.text("session", ""), params.texts("agents")
    params.finish()
    reactor.require_journal()
    found = requests.freeze(reactor.sessions.get(wanted), agents, reactor.admission.name_of(asked))
    reactor.record(found)
    return {"runs": [event.run for event in found if isinstance(event, ev.RunFreezeRequested)]}


def session_thaw(reactor: Reactor, params: Params, asked: Asked) -> dict[str, Any]:
    """What a person has frozen goes on."""
    wanted, agents = params.text("session", ""), params.texts("agents")
    params.finish()
    reactor.require_journal()
    found = requests.thaw(reactor.sessions.get(wanted), agents, reactor.admission.name_of(asked))
    reactor.record(found)
    return {"runs": [event.run for event in found if isinstance(event, ev.RunThawRequested)]}
