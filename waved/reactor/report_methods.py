"""What clients may ask of reports and changes: `session.report`, `session.diff` (docs/architecture.md, "Wire")."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from waved.domain.state import Session
from waved.errors import BadRequestError, ConflictError, InternalError, NotFoundError, WavedError
from waved.ipc.server import Asked
from waved.plan.reporting import FORMATS
from waved.reactor.differing import differing, end_of, span_of, why_not
from waved.reactor.params import Params
from waved.reactor.rollback import chosen
from waved.reactor.snapshot_methods import later
from waved.workspace.attribution import owns
from waved.workspace.shadow import DIFF_LIMIT, Shadow

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

Reply = dict[str, Any] | None


def session_report(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """The report of a session: as it was written at its end, or as it stands."""
    session = reactor.sessions.get(params.text("session", ""))
    form = params.text("format", "md")
    params.finish()
    if form not in FORMATS:
        raise BadRequestError(f"session.report: `format` is {form!r}; {', '.join(FORMATS)} is expected")

    unwritten = session.report.error if session.report is not None and session.phase == "ended" else ""

    def told(found: dict[str, Any]) -> None:
        reactor.server.answer(asked, {"session": session.id, "format": form, "unwritten": unwritten, **found})

    def failed(error: BaseException) -> None:
        known = error if isinstance(error, WavedError) else InternalError(f"{type(error).__name__}: {error}")
        reactor.server.refuse(asked, known)

    def render() -> None:
        try:
            reactor.reporting.render(session, form, told, failed)
        except WavedError as error:
            failed(error)

    if session.phase != "ended" or session.report is None or session.report.state != "written":
        reactor.reporting.render(session, form, told, failed)
        return None

    def look() -> None:
        found = reactor.reporting.kept(session, form)
        reactor.inbox.put(render if found is None else lambda: told(found))

    reactor.helpers.run(look, failed)
    return None


def report_write(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Write the report and the change log again, after a first time when not all of it could be."""
    session = reactor.sessions.get(params.text("session", ""))
    params.finish()
    report = session.report
    if session.phase != "ended" or report is None:
        raise ConflictError(f"no report of session {session.id} is to be written (yet)")
    if report.state == "writing":
        return {}
    if not report.error:
        raise ConflictError(f"the report of session {session.id} is written")
    reactor.require_room()
    reactor.sessions.environment(session.id, reactor.locations.session(session.id))  # what is masked is known from it
    reactor.report_again(session, by=reactor.admission.name_of(asked))
    return {}


def session_diff(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """What the session changed, from its first snapshot to its end; of one that goes on, to now."""
    session = reactor.sessions.get(params.text("session", ""))
    agents, paths = params.texts("agents"), params.texts("paths")
    stat_only = params.flag("stat", default=False)
    limit = params.integer("limit", DIFF_LIMIT, 1, 8 * DIFF_LIMIT)
    params.finish()
    span = span_of(session)
    if span is None:
        raise ConflictError(f"what session {session.id} changed is not known", why_not(session))
    picks = _picker(session, agents, paths)

    def job(shadow: Shadow) -> dict[str, Any]:
        until = end_of(shadow, span.until) if span.until else None
        called = span.called if until is not None or not span.until else "now: its own snapshots have expired"
        changes = differing(shadow, session, span, until, limit, picks, stat_only=stat_only)
        writers = _writers(session)
        return {
            "session": session.id, "since": "its first snapshot", "until": called, "live": session.phase != "ended",
            "files": [
                {
                    "path": each.path, "kind": each.kind, "added": each.added, "removed": each.removed,
                    "agents": writers.get(each.path, []),
                }
                for each in changes.files
            ],
            "diff": changes.diff, "truncated": changes.truncated,
        }  # fmt: skip

    return later(reactor, asked, session, job)


def _picker(session: Session, agents: list[str], paths: list[str]) -> Callable[[str], bool] | None:
    """Which files are meant: those of these agents that lie in these places. None: all."""
    if not agents:
        return (lambda path: bool(chosen([path], paths))) if paths else None
    nodes = [node for node in session.nodes.values() if {node.key, node.agent.name} & set(agents)]
    known = {name for node in nodes for name in (node.key, node.agent.name)}
    for name in agents:
        if name not in known:
            named = ", ".join(dict.fromkeys(node.agent.name for node in session.nodes.values()))
            raise NotFoundError(f"no agent {name!r} in session {session.id}", f"its agents: {named}")
    patterns = [pattern for node in nodes for pattern in node.agent.owns]
    guards = session.guards
    written = {path for node in nodes for path in node.wrote}
    for node in nodes:
        writing = guards.writings.get(node.key) if guards is not None else None
        written.update(writing.paths if writing is not None else ())
    if not patterns and not written:
        raise ConflictError(
            f"nobody has seen what {', '.join(agents)} changed",
            "agents that `owns` paths, or that a monitor watches, can be told apart; without --agent all is shown",
        )
    return lambda path: (path in written or owns(patterns, path)) and (not paths or bool(chosen([path], paths)))


def _writers(session: Session) -> dict[str, list[str]]:
    """By path: who was seen to change it."""
    found: dict[str, list[str]] = {}
    if session.guards is not None:
        for key, writing in session.guards.writings.items():
            for path in writing.paths if key else ():
                found.setdefault(path, []).append(key)
    return found
