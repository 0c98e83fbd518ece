"""Who may call what (docs/security.md): by the process that connected, or by the key of a remote client.

An agent runs as the daemon's own user, so the socket's mode does not keep it out. Its requests are refused because the
process that made the connection descends from a run's worker, is in its control group, or carries a run's name in its
environment.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from waved.domain.state import Session
from waved.errors import NotAllowedError
from waved.ipc.caller import Caller, still_lives
from waved.ipc.server import Asked, Server, unauthorised
from waved.plan.models import Control
from waved.pool import cgroup, tree
from waved.pool.messages import session_of
from waved.pool.pool import Pool
from waved.reactor.sessions import Sessions

VIEWING = frozenset(
    {
        "daemon.status", "session.list", "session.status", "session.metrics", "events.read", "logs.read",
        "files.list", "files.read", "runs.usage", "snapshots.list", "snapshots.show", "snapshots.diff",
        "session.report", "session.diff",
    }
)  # fmt: skip
"""Methods that change nothing: the role `view`."""
OWN = frozenset(
    {"session.status", "session.metrics", "events.read", "logs.read", "files.list", "files.read", "runs.usage"}
)
"""Methods about one session, for an agent that may look at its own; and `session.list`."""
KEYS = "keys."
_REMEMBERED = 4096
"""Connections whose origin is remembered."""
_UNKNOWN_RUN = "?"


class Admission:
    """Judges each request before it is carried out."""

    def __init__(self, sessions: Sessions, pool: Pool, server: Server) -> None:
        self._sessions = sessions
        self._pool = pool
        self._server = server
        self.shared = False
        """Whether others than our own user may connect: the socket's mode has then let the right ones in."""
        self._origins: OrderedDict[tuple[bytes, Caller], str] = OrderedDict()
        """The run that a connection comes from; "" for none."""

    def admit(self, asked: Asked) -> Asked:
        """The request as it may be carried out: narrowed to one session for some. Raises NotAllowedError."""
        if asked.caller.remote:
            return self._remote(asked)
        caller = asked.caller
        if caller.uid < 0:
            raise NotAllowedError("the system does not tell who asks")
        if not self.shared and caller.uid not in (0, os.getuid()):
            raise NotAllowedError(f"user {caller.uid} may not control this waved", "it is another user's")
        run = self._origin(asked)
        return self._agent(asked, run) if run else asked

    def name_of(self, asked: Asked) -> str:
        """Who asks, for people."""
        client = self._server.client_of(asked.caller)
        return "a client" if client is None else f"the remote client {client.name}"

    def _remote(self, asked: Asked) -> Asked:
        client = self._server.client_of(asked.caller)
        if client is None:
            raise unauthorised()
        method = asked.request.method
        if method.startswith(KEYS):
            raise NotAllowedError(
                "keys are managed on the daemon's own machine", "log in there, and use `wavectl keys`"
            )
        if client.role == "view" and method not in VIEWING:
            hint = f"on the daemon's machine: wavectl keys authorize --role control --name {client.name} {client.key}"
            raise NotAllowedError(f"{client.name} has the role `view`, which may not call {method}", hint)
        return asked

    # --- agents -------------------------------------------------------------------------------------------------

    def _agent(self, asked: Asked, run_id: str) -> Asked:
        """Requests of a run: what its plan grants."""
        session = self._sessions.live.get(session_of(run_id))
        control: Control = "none"
        if session is not None and (run := session.runs.get(run_id)) is not None:
            control = granted(session, run.purpose, run.assignment, run.agent)
        method = asked.request.method
        if control == "view" and method in VIEWING:
            return asked
        if control == "own" and session is not None:
            if method == "session.list":
                return replace(asked, only=session.id)
            if method in OWN:
                return self._narrowed(asked, session.id)
        name = "a run of waved" if run_id == _UNKNOWN_RUN else f"the run {run_id}"
        why = (
            "agents may not use the control socket" if control == "none" else f'its plan grants `control = "{control}"`'
        )
        raise NotAllowedError(
            f"{method} was asked from within {name}: {why}",
            'a plan can grant an agent `control = "own"` (its own session) or "view"; nothing lets it change anything',
        )

    def _narrowed(self, asked: Asked, own: str) -> Asked:
        wanted = asked.request.params.get("session", "")
        if wanted not in ("", own) and (not isinstance(wanted, str) or self._sessions.resolve(wanted) != own):
            raise NotAllowedError("an agent may look at its own session only", f"that is {own}")
        request = replace(asked.request, params={**asked.request.params, "session": own})
        return replace(asked, request=request, only=own)

    def _origin(self, asked: Asked) -> str:
        """The run that a connection comes from; "" when it comes from none."""
        known = (asked.route[0], asked.caller)
        found = self._origins.get(known)
        if found is None:
            found = self._origins[known] = self._find_origin(asked)
            if len(self._origins) > _REMEMBERED:
                self._origins.popitem(last=False)
        else:
            self._origins.move_to_end(known)
        return found

    def _find_origin(self, asked: Asked) -> str:
        pid = asked.caller.pid
        if pid in (0, os.getpid()):
            return ""  # of a pid namespace around ours, where no run of ours can be; or our own
        # Before and after: what was found out in between is true of the process that connected.
        lives = still_lives(asked.descriptor, pid)
        found = self._run_above(pid)
        if lives is not False:
            lives = still_lives(asked.descriptor, pid)
        if found is None and lives is not False and asked.caller.uid != os.getuid():
            # The service sees no process of others (ProtectProc=invisible). The kernel says who it is: no run of ours.
            return ""
        if found is None or lives is False:
            raise NotAllowedError("the process that made this connection has ended", "it cannot be told who asks")
        return found

    def _run_above(self, pid: int) -> str | None:
        """The run whose worker is `pid` or an ancestor of it; None when that cannot be told: a process is gone."""
        runs = {run.worker: run.id for session in self._sessions.live.values() for run in session.active.values()}
        above: int = pid
        below: tree.Process | None = None
        for _ in range(1000):
            if run := self._pool.run_of(above) or runs.get(above, ""):
                return run
            if above == os.getpid():
                return _UNKNOWN_RUN
            process = tree.look(above)
            if process is None:
                if below is None or (child := tree.look(below.pid)) is None or child.start != below.start:
                    return None
                if child.parent == above:
                    # It lives and cannot be seen (ProtectProc=invisible): another user's, and so none of a run.
                    return self._run_marked(pid, runs)
                process = child  # its parent has ended, and it was adopted
            if process.parent <= 1 and process.parent != os.getpid():
                return self._run_marked(pid, runs)
            below, above = process, process.parent
        return None

    def _run_marked(self, pid: int, runs: Mapping[int, str]) -> str:
        """The run whose control group a process is in, or that it was told it belongs to; "" for none of ours."""
        worker = cgroup.worker_of(pid)
        if worker and (run := self._pool.run_of(worker) or runs.get(worker, "")):
            return run
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return ""  # another user's, or gone: no agent is another user's
        for entry in environment.split(b"\0"):
            if entry.startswith(b"WAVED_RUN="):
                run = entry.removeprefix(b"WAVED_RUN=").decode(errors="replace")
                session = self._sessions.live.get(session_of(run))
                return run if session is not None and run in session.runs else ""
        return ""


def granted(session: Session, purpose: str, assignment: str, agent: str) -> Control:
    """What the plan grants a run of an agent; checks, the preview and commands of monitors are granted nothing."""
    if purpose == "agent":
        return session.nodes[assignment].agent.control
    if purpose == "responder":
        return next((each.control for each in session.plan.responders if each.name == agent), "none")
    return "none"
