"""The methods about past sessions: which there are, and forgetting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waved.domain import events as ev
from waved.domain.history import Retention, Wanted
from waved.errors import BadRequestError, ConflictError
from waved.ipc.server import Asked
from waved.journal.store import Past
from waved.reactor.params import Params
from waved.reactor.pruning import chosen

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

Reply = dict[str, Any] | None
LATEST = 2.0**53
"""Unix seconds; no time that is asked for is later."""
LARGEST = 2**62


def session_list(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Summaries, newest first, of the sessions that are wanted."""
    limit = params.integer("limit", 50, 1, 1000)
    wanted = Wanted(
        params.text("state", ""),
        params.text("outcome", ""),
        params.text("name", ""),
        params.text("workspace", ""),
        _time(params, "since"),
        _time(params, "until"),
    )
    params.finish()
    if asked.only:
        # An agent that may look at its own session sees that alone, however many newer ones there are.
        found = reactor.sessions.find(wanted, 1_000_000) if asked.only in reactor.sessions.live else []
        return {"sessions": [item for item in found if item["session"] == asked.only]}
    return {"sessions": reactor.sessions.find(wanted, limit)}


def session_prune(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Forget past sessions, by name or by rule; `dry` (the default) only says which."""
    named = params.texts("sessions")
    rules = Retention(_optional(params, "max_age", LATEST), _whole(params, "max_sessions"), _whole(params, "max_size"))
    dry = params.flag("dry", default=True)
    params.finish()
    if bool(named) == rules.any:
        raise BadRequestError(
            "session.prune: say which sessions go: `sessions`, or at least one of `max_age`, `max_sessions`, `max_size`"
        )
    past = _named(reactor, named) if named else reactor.past()
    if not dry:
        reactor.require_journal()
    by = reactor.admission.name_of(asked)
    now, journal, locations = reactor.clock.now(), reactor.journal.path, reactor.locations

    def look() -> None:
        found = chosen(journal, locations, past, rules if rules.any else None, now)
        kept = len(past) - len(found) if rules.any else None
        answer = {"dry": dry, "sessions": found, "bytes": sum(each["bytes"] for each in found), "kept": kept}
        reactor.inbox.put(lambda: _decided(reactor, asked, answer, by))

    reactor.helpers.run(look, lambda error: reactor.refuse_defect(asked, error))
    return None


def _decided(reactor: Reactor, asked: Asked, answer: dict[str, Any], by: str) -> None:
    if not answer["dry"]:
        answer["sessions"] = forget(reactor, answer["sessions"], by)
        answer["bytes"] = sum(each["bytes"] for each in answer["sessions"])
        gone = [each["session"] for each in answer["sessions"]]
        reactor.pruning.when_gone(gone, lambda: reactor.server.answer(asked, answer))
        return
    reactor.server.answer(asked, answer)


def forget(reactor: Reactor, found: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Journal that these sessions go; those that do (one may have been opened again, or be gone, meanwhile)."""
    known = {past.session for past in reactor.past()}
    going = [each for each in found if each["session"] in known]
    reactor.note_all(
        [ev.SessionPruned("", each["session"], each["name"], each["outcome"], each["why"], by) for each in going]
    )
    return going


def _named(reactor: Reactor, names: list[str]) -> list[Past]:
    known = {past.session: past for past in reactor.past()}
    found: dict[str, Past] = {}
    for name in names:
        session = reactor.sessions.resolve(name)
        if session in reactor.reporting.writing:
            raise ConflictError(f"the report of session {session} is being written", "ask again in a moment")
        if session not in known:
            raise ConflictError(
                f"session {session} goes on: only sessions that have ended are pruned",
                f"end it: wavectl stop {session}",
            )
        found[session] = known[session]
    return sorted(found.values(), key=lambda past: past.finished, reverse=True)


def _time(params: Params, name: str) -> float | None:
    return _optional(params, name, LATEST)


def _optional(params: Params, name: str, high: float) -> float | None:
    """A number that may be missing."""
    return params.seconds(name, 0.0, high) if params.has(name) else None


def _whole(params: Params, name: str) -> int | None:
    return params.integer(name, 0, 0, LARGEST) if params.has(name) else None
