"""The Python client of waved, for programs without an event loop. `wavectl.aio` has the same for asyncio.

    from wavectl import Client

    with Client(start=True) as client:
        view = client.deploy([
            {"name": "lint", "command": "ruff check ."},
            {"name": "tests", "command": ["pytest", "-q"], "timeout": "10m"},
        ])
        print(view["outcome"], [wave["skew"] for wave in view["waves"]])

Every method that asks the daemon raises NoDaemonError when it does not answer, and the class of `waved.errors` that the
daemon's error reply stands for. A client belongs to the thread that made it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq

from wavectl import history, submission, transport
from wavectl.cursor import LONG_POLL, Cursor, Event, long_poll
from wavectl.outcomes import WaitTimeoutError, is_settled
from wavectl.submission import Submission
from wavectl.transport import GIT_WAIT
from waved.errors import NoDaemonError, WavedError
from waved.ipc.wire import decode

Events = list[Event]
Summaries = list[dict[str, Any]]
Names = list[str]
Rows = list[dict[str, Any]]


class Client:
    """A connection to one daemon (requirement O6).

    `endpoint`: a socket's path, or `tcp://HOST:PORT` of a daemon elsewhere (docs/wavectl.md, "Other machines"); by
    default `$WAVED_SOCKET` or `$WAVED_HOST`, else the user's own daemon.
    `timeout`: seconds to wait for an answer. `reconnect`: seconds that a follower (`events(follow=True)`, `wait`,
    `deploy`, `run`) goes on trying when the daemon is gone, because it may be restarting.
    `start`: start a private daemon for this user when none answers.
    """

    def __init__(
        self, endpoint: str | None = None, timeout: float = 10.0, *, reconnect: float = 60.0, start: bool = False
    ) -> None:
        self.endpoint = transport.endpoint_of(endpoint)
        self.timeout = timeout
        self.reconnect = reconnect
        self.on_absence: Callable[[NoDaemonError], None] | None = None
        """Told each time before a request that may wait for the daemon is tried again; may raise, to give it up."""
        self._ids = itertools.count(1)
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._watch: transport.Watch | None = None
        if start:
            from wavectl.daemon import ensure

            ensure(self.endpoint)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the client opens a new one when it is used again."""
        self._drop()
        if self._context is not None:
            self._context.term()
            self._context = None

    # --- asking -----------------------------------------------------------------------------------------------------

    def request(
        self, method: str, params: Mapping[str, Any] | None = None, *, wait: float = 0.0, patience: float = 0.0
    ) -> dict[str, Any]:
        """One request and its answer (methods: docs/architecture.md, "Wire").

        `wait`: seconds the daemon itself may take (a long poll), on top of `timeout`. `patience`: seconds to go on
        trying when no daemon is there; only for methods that may be asked twice (`transport.may_be_asked_again`).
        """
        trying = transport.Patience(patience)
        asked = transport.with_token(method, params)
        failure: NoDaemonError | None = None
        while True:
            try:
                return self._exchange(method, asked, wait + self.timeout)
            except transport.BrokenError:
                failure = transport.lost(self.endpoint, method)
                if not transport.may_be_asked_again(method):
                    raise failure from None
                if patience < self.timeout:  # a restart is to be survived by a plain question too
                    patience = self.timeout
                    trying = transport.Patience(patience)
            except NoDaemonError as error:
                failure = error if failure is None or method in transport.READ_ONLY else failure
            pause = trying.pause() if transport.may_be_asked_again(method) else None
            if pause is None:
                raise failure from None
            if self.on_absence is not None:
                self.on_absence(failure)
            time.sleep(pause)

    def _exchange(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        request_id = next(self._ids)
        frame = transport.encode(request_id, method, params)
        channel, monitor = self._connected()
        channel.send(frame)
        deadline = time.monotonic() + seconds
        poller = zmq.Poller()
        poller.register(channel, zmq.POLLIN)
        poller.register(monitor, zmq.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            poller.poll(int(left * 1000) + 1)
            # What has arrived counts, even if the daemon ended right after it was sent.
            while channel.poll(0):
                envelope = decode(channel.recv())
                if envelope.get("id") == request_id or (envelope.get("id") == 0 and "error" in envelope):
                    return transport.result_of(envelope)
            if (failure := self._failure()) is not None:
                self._drop()
                raise failure
        self._drop()
        raise transport.no_daemon(self.endpoint, f"no answer within {seconds:g} s")

    def _connected(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        if self._failure() is not None:
            self._drop()
        if self._socket is None or self._monitor is None:
            transport.probe(self.endpoint)
            if self._context is None:
                self._context = zmq.Context()
            self._socket = self._context.socket(zmq.DEALER)
            try:
                self._watch = transport.prepare(self._socket, self.endpoint)
            except WavedError:
                self._drop()
                raise
            self._monitor = self._socket.get_monitor_socket(self._watch.events)
            self._monitor.linger = 0
            self._socket.connect(self.endpoint)
        return self._socket, self._monitor

    def _failure(self) -> Exception | None:
        """Why the connection is lost, if it is."""
        while self._monitor is not None and self._watch is not None and self._monitor.poll(0):
            failure = self._watch.heard(self._monitor.recv_multipart())
            if failure is not None:
                return failure
        return None

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(0)
        if self._monitor is not None:
            self._monitor.close(0)
        self._socket = self._monitor = self._watch = None

    # --- the wire's methods -----------------------------------------------------------------------------------------

    def daemon_status(self) -> dict[str, Any]:
        """Version, process, folders and load of the daemon."""
        return self.request("daemon.status")

    def daemon_stop(self, sessions: str = "refuse") -> None:
        """End the daemon. `sessions`: "refuse" (ConflictError while some run), "stop" them, or "detach" from them."""
        self.request("daemon.stop", {"sessions": sessions})

    def daemon_upgrade(self) -> dict[str, Any]:
        """Replace the running daemon by the version that is installed now; its agents go on.

        Returns {from, to, pid} when the new one answers. Raises ConflictError, and nothing has changed, when the
        installed version cannot run.
        """
        done = self.request("daemon.upgrade", wait=transport.UPGRADE_CHECK)
        self.request("daemon.status", patience=self.reconnect)
        return {"from": done["from"], "to": done["to"], "pid": done["pid"]}

    def submit(self, what: Submission) -> dict[str, Any]:
        """Hand a plan over: {session, after}: the new session's id and the number before its first event."""
        return self.request("session.submit", what.params())

    def list(
        self,
        limit: int = 50,
        state: str = "",
        outcome: str = "",
        name: str = "",
        workspace: str | os.PathLike[str] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Summaries:
        """Summaries of sessions, newest first; only those in this state, with this outcome, of this name (or glob of
        names, or id), on this workspace (its path on the daemon's machine), submitted since and until (unix seconds).
        """
        params = history.list_params(limit, state, outcome, name, workspace, since, until)
        found: Summaries = self.request("session.list", params)["sessions"]
        return found

    def prune(
        self,
        sessions: Sequence[str] = (),
        *,
        max_age: float | None = None,
        max_sessions: int | None = None,
        max_size: int | None = None,
        dry: bool = True,
    ) -> dict[str, Any]:
        """Forget sessions that have ended: their events, files and snapshots. `dry` (the default) only says which.

        Either those named, or those that ended more than `max_age` seconds ago, all but the newest `max_sessions`, the
        oldest beyond `max_size` bytes. Returns {dry, sessions: [{session, name, outcome, workspace, ended, bytes,
        why}], bytes, kept}. Raises ConflictError for one that goes on.
        """
        params = history.prune_params(sessions, max_age, max_sessions, max_size, dry=dry)
        return self.request("session.prune", params, wait=history.PRUNE_WAIT)

    def status(self, session: str = "", *, patience: float = 0.0) -> dict[str, Any]:
        """The session view. `session` here and below: an id, a unique prefix of one, a name, or "" for the newest."""
        return self.request("session.status", {"session": session}, patience=patience)

    def metrics(self, session: str = "") -> Rows:
        """All metrics of a session: [{name, title, value, unit, goal, verdict, detail}] (docs/metrics.md)."""
        found: Rows = self.request("session.metrics", {"session": session})["metrics"]
        return found

    def report(self, session: str = "", form: str = "md") -> dict[str, Any]:
        """The report of a session, even while it goes on: {session, format, content, live, path, unwritten}.

        `form`: "md", "html" or "json". `path`: where the daemon keeps it, on its machine; "" for one made just now.
        `unwritten`: what of it could not be written at the session's end; `write_report` has that tried again.
        """
        params = {"session": session, "format": form}
        return self.request("session.report", params, wait=GIT_WAIT)

    def write_report(self, session: str = "") -> None:
        """Have the report of an ended session written again, of which not all could be written at its end.

        It is written in the background; `status` says what became of it. Raises ConflictError when all is written.
        """
        self.request("report.write", {"session": session})

    def diff(
        self, session: str = "", paths: Sequence[str] = (), agents: Sequence[str] = (), *, stat: bool = False
    ) -> dict[str, Any]:
        """What a session has changed, to its end or to now: {files, diff, truncated, since, until}.

        `paths`: only these files, folders or patterns; `agents`: only what these changed; `stat`: without the diff.
        """
        params = {"session": session, "paths": [*paths], "agents": [*agents], "stat": stat}
        return self.request("session.diff", params, wait=GIT_WAIT)

    def stop(self, session: str = "", agent: str = "", reason: str = "") -> None:
        """End a session's agents (or one of them) and start no more; ConflictError when it has ended."""
        self.request("session.stop", {"session": session, "agent": agent, "reason": reason})

    def retry(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Run failed agents again (all that failed if none are named); returns the keys of their assignments."""
        keys: Names = self.request("session.retry", {"session": session, "agents": [*agents]})["assignments"]
        return keys

    def freeze(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Have agents (all that run, if none are named) stand still until `thaw`; the runs concerned."""
        reply = self.request("session.freeze", {"session": session, "agents": [*agents]})
        runs: Names = reply["runs"]
        return runs

    def thaw(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Let agents that a person has frozen go on (all of them, if none are named); the runs concerned."""
        reply = self.request("session.thaw", {"session": session, "agents": [*agents]})
        runs: Names = reply["runs"]
        return runs

    def resume(self, session: str = "") -> None:
        """Let a held session go on."""
        self.request("session.resume", {"session": session})

    def snapshots(self, session: str = "", *, everything: bool = False) -> Summaries:
        """The session's snapshots, oldest first; `everything`: those of all sessions on its workspace."""
        params = {"session": session, "all": everything}
        found: Summaries = (self.request("snapshots.list", params, wait=GIT_WAIT))["snapshots"]
        return found

    def snapshot_show(self, snapshot: str, session: str = "") -> dict[str, Any]:
        """One snapshot: what it left out (`skipped`), and what differs from the one before it (`changes`)."""
        params = {"session": session, "snapshot": snapshot}
        return self.request("snapshots.show", params, wait=GIT_WAIT)

    def snapshot_diff(
        self, since: str, until: str = "", session: str = "", paths: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What differs between two snapshots, or one and now: {diff, truncated}, the diff as git writes it."""
        params = {"session": session, "since": since, "until": until, "paths": [*paths]}
        return self.request("snapshots.diff", params, wait=GIT_WAIT)

    def snapshot_take(self, session: str = "") -> dict[str, Any]:
        """Keep the workspace as it is now: {snapshot}, its name."""
        return self.request("session.snapshot", {"session": session}, wait=GIT_WAIT)

    def snapshot_restore(
        self, snapshot: str, session: str = "", paths: Sequence[str] = (), *, dry: bool = False
    ) -> dict[str, Any]:
        """Bring the workspace, or some paths, back to a snapshot; answers as `rollback`."""
        params = {"session": session, "snapshot": snapshot, "paths": [*paths], "dry": dry}
        return self.request("snapshots.restore", params, wait=GIT_WAIT)

    def rollback(
        self, scope: str, targets: Sequence[str] = (), session: str = "", snapshot: str = "", *, dry: bool = False
    ) -> dict[str, Any]:
        """Bring files back. `scope`: "file" (`targets`: paths), "agent" (names), "wave", "session".

        Of a session that goes on: {live: true, reactions}, and it is done with the agents concerned frozen. Of one that
        has ended: {live: false, to, restored, removed, failed, present} when it is done; `present` is the snapshot of
        what was there. `dry` only says what would change: {live, to, files, total}.
        """
        params = {"session": session, "scope": scope, "targets": [*targets], "snapshot": snapshot, "dry": dry}
        return self.request("session.rollback", params, wait=GIT_WAIT)

    def approve(self, session: str = "", finding: str = "") -> Names:
        """Say that what was found is as it should be ("" for all that is open); the findings that are cleared."""
        params = {"session": session, "finding": finding}
        found: Names = (self.request("session.approve", params))["approved"]
        return found

    def export(self, session: str = "", path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Write all that is known of a session into one zip file (`path`, or SESSION.zip here), which must not exist.

        Returns {session, file, bytes, events, runs, files, problems}. Raises ConflictError when the file is there.
        """
        from wavectl.export import export

        return export(self, session, None if path is None else Path(path))

    def logs(
        self,
        session: str,
        run: str,
        offset: int = 0,
        limit: int = 262144,
        *,
        index: bool = False,
        patience: float = 0.0,
    ) -> dict[str, Any]:
        """A piece of a run's output: {data, offset, next, size, ended, records}; `index` asks for the records too."""
        params = {"session": session, "run": run, "offset": offset, "limit": limit, "index": index}
        return self.request("logs.read", params, patience=patience)

    # --- following --------------------------------------------------------------------------------------------------

    def batches(
        self, cursor: Cursor, *, follow: bool = True, wait: float = LONG_POLL, until: float | None = None
    ) -> Iterator[Events]:
        """New events in the portions they arrive in; empty ones too, when `wait` seconds passed without any.

        Ends when the session has ended (a cursor without a session never does), without `follow` when all is read, or
        at `until` (on `time.monotonic`'s clock). Survives restarts of the daemon for `reconnect` seconds each; never
        misses or repeats an event.
        """
        if follow and cursor.is_over:
            return
        while True:
            waiting = long_poll(cursor, wait, until) if follow else 0.0
            patience = self.reconnect if follow else 0.0
            reply = self.request("events.read", cursor.question(waiting), wait=waiting, patience=patience)
            fresh = cursor.take(reply["events"], more=reply["more"])
            if fresh or (cursor.caught_up and follow):
                yield fresh
            if cursor.caught_up and (not follow or cursor.is_over):
                return
            if until is not None and time.monotonic() >= until:
                return

    def events(self, session: str = "", after: int = 0, follow: bool = False) -> Iterator[Event]:
        """The session's events ("" for those of all sessions) with a number above `after`.

            for event in client.events("demo", follow=True):
                print(event["seq"], event["kind"], event["data"])

        With `follow` it goes on until the session has ended.
        """
        for batch in self.batches(Cursor(session, after), follow=follow):
            yield from batch

    def wait(
        self, session: str = "", timeout: float | None = None, on_event: Callable[[Event], None] | None = None
    ) -> dict[str, Any]:
        """Wait until the session has ended, or is held with nothing running; returns its view.

        `on_event` is called with each event. Raises WaitTimeoutError (exit status 6) after `timeout` seconds.
        """
        view = self.status(session, patience=self.reconnect)
        cursor = Cursor.at(view, from_start=on_event is not None)
        until = None if timeout is None else time.monotonic() + timeout
        if on_event is None and is_settled(view):
            return view
        for batch in self.batches(cursor, until=until):
            if on_event is not None:
                for event in batch:
                    on_event(event)
            if cursor.caught_up and (cursor.ended or cursor.held):
                view = self.status(cursor.session, patience=self.reconnect)
                if is_settled(view):
                    return view
        raise WaitTimeoutError(cursor.session, timeout or 0.0, self.status(cursor.session)["state"])

    # --- deploying --------------------------------------------------------------------------------------------------

    def deploy(
        self,
        agents: Sequence[Mapping[str, Any]],
        *,
        name: str = "deploy",
        workspace: str | os.PathLike[str] = ".",
        parallel: bool = True,
        monitoring: bool = True,
        wait: bool = True,
        timeout: str | float | None = None,
        gate: Mapping[str, Any] | None = None,
        waive: Sequence[str] = (),
        on_event: Callable[[Event], None] | None = None,
    ) -> dict[str, Any]:
        """Deploy a list of agents at once and wait for all of them (requirement O6).

            view = client.deploy([{"name": "api", "use": "claude", "prompt": "Write the API"}], on_event=print)

        Each agent is a table as in a plan (`name`, `command` or `use` and `prompt`, `timeout`, `produces`, …).
        `parallel=False` runs them one at a time, in the order given. `timeout`: for the whole session ("10m" or
        seconds). `gate`: as in a plan. `wait=False` returns at once with {session, after}; else the view is returned.
        `monitoring`: follow the session's events and hand each to `on_event`. It guards nothing by itself:
        deadlines and gates hold, and snapshots are taken, in either case; monitors are named in a plan.
        """
        what = submission.from_agents(
            agents, name=name, workspace=workspace, parallel=parallel, timeout=timeout, gate=gate, waive=waive
        )
        return self._hand_over(what, wait=wait, on_event=on_event if monitoring else None)

    def run(
        self,
        plan_path: str | os.PathLike[str],
        *,
        workspace: str | os.PathLike[str] | None = None,
        variables: Mapping[str, str] | None = None,
        waive: Sequence[str] = (),
        wait: bool = True,
        on_event: Callable[[Event], None] | None = None,
    ) -> dict[str, Any]:
        """Run a plan file; returns the view at the end, or {session, after} at once with `wait=False`.

        Raises PlanError (with `.problems`) when the plan is wrong.
        """
        what = submission.from_file(Path(plan_path), workspace=workspace, variables=variables, waive=waive)
        return self._hand_over(what, wait=wait, on_event=on_event)

    def _hand_over(self, what: Submission, *, wait: bool, on_event: Callable[[Event], None] | None) -> dict[str, Any]:
        accepted = self.submit(what)
        return self.wait(accepted["session"], on_event=on_event) if wait else accepted
