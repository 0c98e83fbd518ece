"""What clients may call (docs/architecture.md, "Wire"): one function a method, by name in `METHODS`.

A method returns its reply, or None when it answers later through `asked`. It changes nothing itself: it hands events
to the reactor, which journals them before the reply is sent.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waved import failpoints
from waved.domain import events as ev
from waved.domain import requests
from waved.domain.view import state_of, view
from waved.errors import BadRequestError, ConflictError, NotFoundError, ResourceError
from waved.ipc import wire
from waved.ipc.server import Asked
from waved.plan.load import plan_from_json
from waved.plan.models import Plan
from waved.reactor import file_methods as files
from waved.reactor import freeze_methods as freezing
from waved.reactor import history_methods as history
from waved.reactor import key_methods as keys
from waved.reactor import report_methods as reports
from waved.reactor import snapshot_methods as snapshots
from waved.reactor.identity import as_ourselves, without_our_own
from waved.reactor.logs import MAX_READ, read_output
from waved.reactor.measuring import measured
from waved.reactor.params import Params
from waved.reactor.reporting import is_wanted
from waved.reactor.specs import Environment
from waved.reactor.usage import usage_now
from waved.version import __version__

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

MAX_WAIT = 60.0
MAX_SESSIONS = 200
"""Sessions that may go on at once."""
MAX_TOKEN = 100
"""Characters of a submission's token."""
Reply = dict[str, Any] | None
Method = Callable[["Reactor", Params, Asked], Reply]


def daemon_status(reactor: Reactor, _params: Params, _asked: Asked) -> Reply:
    """Version, load, and what is wrong."""
    live = reactor.sessions.live.values()
    held = sum(1 for session in live if state_of(session) == "held")
    return {
        "version": __version__,
        "protocol": wire.PROTOCOL,
        "pid": os.getpid(),
        "started": reactor.started,
        "state_dir": str(reactor.locations.state),
        "sessions": {
            "running": len(live) - held,
            "held": held,
            "ended": reactor.sessions.total - len(live) - len(reactor.sessions.unreadable),
        },
        "runs": sum(len(session.active) for session in live),
        "workers": {"busy": reactor.pool.busy, "warm": reactor.pool.warm},
        "last_seq": reactor.journal.last_seq,
        "problems": reactor.problems(),
    }


def daemon_stop(reactor: Reactor, params: Params, _asked: Asked) -> Reply:
    """End the daemon: refuse while sessions go on, stop them first, or leave their agents running."""
    mode = params.text("sessions", "refuse")
    params.finish()
    if mode not in ("refuse", "stop", "detach"):
        raise BadRequestError(f"daemon.stop: `sessions` is {mode!r}; refuse, stop or detach is expected")
    if mode == "refuse" and reactor.sessions.live:
        raise ConflictError(
            f"{len(reactor.sessions.live)} session(s) go on: {', '.join(list(reactor.sessions.live)[:5])}",
            "`--sessions stop` ends them first, `--sessions detach` leaves their agents running",
        )
    reactor.closing.begin(mode, "asked by a client")
    return {}


def daemon_upgrade(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Give way to the installed version, in the same process; agents go on. Answered when that has shown it can run."""
    params.finish()
    reactor.closing.give_way(asked)
    return None


def session_submit(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Accept a plan: the checklist begins at once."""
    given = params.table("plan")
    source = params.text("source", "")
    plan_path = params.text("plan_path", "")
    workspace = params.text("workspace")
    environment = _environment(params.table("environment", {}))
    waived = params.texts("waive")
    submitted_by = params.text("submitted_by", "")
    token = params.text("token", "")[:MAX_TOKEN]
    params.finish()
    plan = plan_from_json(given)
    session_id, before = reactor.sessions.id_for(plan.session.name, token)
    if before is not None:
        return {"session": session_id, "after": before.seq - 1}
    if not os.path.isabs(workspace):  # noqa: PTH117 — a text from outside, not yet a path
        raise BadRequestError(f"session.submit: `workspace` must be an absolute path, not {workspace!r}")
    reactor.require_room()
    if len(reactor.sessions.live) >= MAX_SESSIONS:
        raise ResourceError(f"{MAX_SESSIONS} sessions go on already", "wait for one to end")
    environment = without_our_own(environment)
    if reactor.shared or asked.caller.remote:
        environment = as_ourselves(environment, remote=asked.caller.remote)
    folder = reactor.locations.session(session_id)
    try:
        failpoints.hit("submit.before-environment")
        reactor.sessions.keep_environment(session_id, environment, folder, plan)
        failpoints.hit("submit.after-environment")
        reactor.sessions.keep_private(folder / "plan.toml", reactor.masks.text(source))
    except OSError as error:
        reactor.sessions.forget(session_id)
        shutil.rmtree(folder, ignore_errors=True)
        raise ResourceError(f"cannot write {folder}: {error.strerror}", "free some space, or mend its rights") from None
    reactor.effects.expect(plan)
    after = reactor.journal.last_seq
    submitted = ev.SessionSubmitted(
        session_id,
        plan=_without_values(plan),
        workspace=os.path.realpath(workspace),
        plan_path=plan_path,
        submitted_by=reactor.admission.name_of(asked) if asked.caller.remote else submitted_by,
        waived=waived,
        guarded=True,
        reported=plan.report.enabled and is_wanted(),
        token=token,
    )
    reactor.submit(submitted)
    return {"session": session_id, "after": after}


def _environment(given: dict[str, Any]) -> Environment:
    """Check the shape: names to texts, by base, session, and agent."""
    agents = given.get("agents", {})
    tables = [given.get("base", {}), given.get("session", {})]
    if isinstance(agents, dict):
        tables += list(agents.values())
    right = set(given) <= {"base", "session", "agents"} and isinstance(agents, dict)
    if not right or not all(
        isinstance(table, dict) and all(isinstance(text, str) for pair in table.items() for text in pair)
        for table in tables
    ):
        raise BadRequestError("session.submit: `environment` must be {base, session, agents} of names and texts")
    return given


def _without_values(plan: Plan) -> dict[str, Any]:
    """The plan for the journal: of `env.set` only the names are kept, whatever the client sent."""
    dumped: dict[str, Any] = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    tables = [dumped["session"], *(agent for wave in dumped["wave"] for agent in wave["agent"])]
    tables += [*dumped.get("responder", ()), dumped.get("preview", {})]
    for table in tables:
        values = table.get("env", {}).get("set")
        if values:
            table["env"]["set"] = dict.fromkeys(values, "")
    return dumped


def session_status(reactor: Reactor, params: Params, _asked: Asked) -> Reply:
    """The whole view of one session."""
    wanted = params.text("session", "")
    params.finish()
    return view(reactor.sessions.get(wanted), reactor.clock.now())


def session_metrics(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """All metrics of a session with goal, value and verdict (S1–S6)."""
    wanted = params.text("session", "")
    params.finish()
    session, now = reactor.sessions.resolve(wanted), reactor.clock.now()
    reactor.answer_later(asked, lambda: measured(reactor.journal.path, session, now))
    return None


def session_stop(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """End a session, or one agent of it."""
    wanted = params.text("session", "")
    agent = params.text("agent", "")
    reason = params.text("reason", "")
    params.finish()
    reactor.require_journal()
    session = reactor.sessions.get(wanted)
    reactor.record(requests.stop(session, agent, reason, reactor.admission.name_of(asked)))
    return {}


def session_retry(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Run again what did not succeed."""
    wanted = params.text("session", "")
    agents = params.texts("agents")
    params.finish()
    session = reactor.sessions.get(wanted)
    reactor.require_room()
    found = requests.retry(session, agents, reactor.admission.name_of(asked))
    reactor.reopen(session)
    reactor.record(found)
    return {
        "assignments": [key for event in found if isinstance(event, ev.SessionRetried) for key in event.assignments]
    }


def session_resume(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Let a held session go on."""
    wanted = params.text("session", "")
    params.finish()
    reactor.require_journal()
    reactor.record(requests.resume(reactor.sessions.get(wanted), reactor.admission.name_of(asked)))
    return {}


def events_read(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """Events after a sequence number; waits for one when there is none."""
    wanted = params.text("session", "")
    kinds = params.texts("kinds")
    after = params.integer("after", 0, 0, 2**62)
    limit = params.integer("limit", 500, 1, 5000)
    wait = params.seconds("wait", 0.0, MAX_WAIT)
    params.finish()
    session_id = reactor.sessions.resolve(wanted) if wanted else ""
    due = reactor.clock.now() + wait if wait > 0 else None
    if len(kinds) > len(ev.KINDS):
        raise BadRequestError("events.read: more `kinds` than there are")
    reactor.telling.tell_now()
    reactor.followers.ask(
        session_id, frozenset(kinds), after, limit, due, lambda result: reactor.server.answer(asked, result)
    )
    return None


def runs_usage(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """What the runs of a session that go on use now."""
    wanted = params.text("session", "")
    params.finish()
    active = reactor.sessions.get(wanted).active.values()
    workers = {run.id: run.worker for run in active if run.worker}
    reactor.answer_later(asked, lambda: usage_now(workers))
    return None


def logs_read(reactor: Reactor, params: Params, asked: Asked) -> Reply:
    """A piece of a run's output."""
    wanted = params.text("session", "")
    run_id = params.text("run")
    offset = params.integer("offset", 0, -(2**62), 2**62)
    limit = params.integer("limit", 262_144, 0, MAX_READ)
    index = params.flag("index", default=False)
    params.finish()
    session = reactor.sessions.get(wanted)
    run = session.runs.get(run_id)
    if run is None:
        raise NotFoundError(f"no run {run_id!r} in session {session.id}", "`wavectl status` shows the runs")
    folder: Path = reactor.effects.folder_of(run_id)
    ended = run.state == "ended"
    reactor.answer_later(asked, lambda: read_output(folder, offset, limit, index=index, ended=ended))
    return None


READING = frozenset({"daemon.status", "session.list", "session.status"})
"""Methods that are answered even while the journal cannot be written."""
METHODS: dict[str, Method] = {
    "keys.server": keys.server_key,
    "keys.list": keys.listed,
    "keys.authorize": keys.authorize,
    "keys.revoke": keys.revoke,
    "daemon.status": daemon_status,
    "daemon.stop": daemon_stop,
    "daemon.upgrade": daemon_upgrade,
    "session.submit": session_submit,
    "session.list": history.session_list,
    "session.prune": history.session_prune,
    "session.status": session_status,
    "session.metrics": session_metrics,
    "session.report": reports.session_report,
    "session.diff": reports.session_diff,
    "report.write": reports.report_write,
    "session.stop": session_stop,
    "session.retry": session_retry,
    "session.resume": session_resume,
    "session.freeze": freezing.session_freeze,
    "session.thaw": freezing.session_thaw,
    "session.rollback": snapshots.session_rollback,
    "session.approve": snapshots.session_approve,
    "session.snapshot": snapshots.session_snapshot,
    "snapshots.list": snapshots.snapshots_list,
    "snapshots.show": snapshots.snapshots_show,
    "snapshots.diff": snapshots.snapshots_diff,
    "snapshots.restore": snapshots.snapshots_restore,
    "events.read": events_read,
    "runs.usage": runs_usage,
    "logs.read": logs_read,
    "files.list": files.files_list,
    "files.read": files.files_read,
}
