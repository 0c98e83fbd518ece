"""The Python client of waved for asyncio: the methods of `wavectl.client.Client`, as coroutines.

    async with AsyncClient() as client:
        async for event in client.events("demo", follow=True):
            print(event["kind"])

Any number of requests may be under way at once on one client.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq
import zmq.asyncio

from wavectl import history, submission, transport
from wavectl.cursor import LONG_POLL, Cursor, Event, long_poll
from wavectl.outcomes import WaitTimeoutError, is_settled
from wavectl.submission import Submission
from wavectl.transport import GIT_WAIT
from waved.errors import NoDaemonError, ProtocolError, WavedError
from waved.ipc.wire import decode

Events = list[Event]
Summaries = list[dict[str, Any]]
Names = list[str]
Rows = list[dict[str, Any]]


class _Line:
    """One socket to the daemon with the task that reads it; ended by the first sign that the daemon went away."""

    def __init__(self, context: zmq.asyncio.Context, endpoint: str) -> None:
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.lost = False
        self._socket = context.socket(zmq.DEALER)
        try:
            self._told = transport.prepare(self._socket, endpoint)
        except WavedError:
            self._socket.close(0)
            raise
        self._monitor = self._socket.get_monitor_socket(self._told.events)
        self._monitor.linger = 0
        self._socket.connect(endpoint)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._watch())]

    async def send(self, frame: bytes) -> None:
        await self._socket.send(frame)

    async def _read(self) -> None:
        while True:
            frame = await self._socket.recv()
            try:
                envelope = decode(frame)
            except ProtocolError as error:
                self._fail(error)
                continue
            request_id = envelope.get("id")
            if request_id == 0 and len(self.waiting) == 1:  # the daemon could not read whose frame it refused
                request_id = next(iter(self.waiting))
            future = self.waiting.pop(request_id, None) if isinstance(request_id, int) else None
            if future is not None and not future.done():
                future.set_result(envelope)

    async def _watch(self) -> None:
        while (failure := self._told.heard(await self._monitor.recv_multipart())) is None:
            pass
        # What has arrived counts, even if the daemon ended right after it was sent: let the reader take it first.
        while await self._socket.poll(0):
            await asyncio.sleep(0)
        self.lost = True
        self._fail(failure)

    def _fail(self, error: Exception) -> None:
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(error)
        self.waiting.clear()

    async def close(self) -> None:
        self.lost = True
        self._fail(transport.BrokenError())
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            # Whoever closes may be cancelled himself; a socket left open would have the context wait for ever.
            with suppress(zmq.ZMQError):
                self._socket.disable_monitor()
            self._socket.close(0)
            self._monitor.close(0)


class AsyncClient:
    """A connection to one daemon for asyncio programs; parameters and errors as `wavectl.client.Client`."""

    def __init__(
        self, endpoint: str | None = None, timeout: float = 10.0, *, reconnect: float = 60.0, start: bool = False
    ) -> None:
        self.endpoint = transport.endpoint_of(endpoint)
        self.timeout = timeout
        self.reconnect = reconnect
        self.on_absence: Callable[[NoDaemonError], None] | None = None
        """Told each time before a request that may wait for the daemon is tried again; may raise, to give it up."""
        self._start = start
        self._ids = itertools.count(1)
        self._context: zmq.asyncio.Context | None = None
        self._line: _Line | None = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; the client opens a new one when it is used again."""
        await self._drop()
        if self._context is not None:
            self._context.term()
            self._context = None

    # --- asking -----------------------------------------------------------------------------------------------------

    async def request(
        self, method: str, params: Mapping[str, Any] | None = None, *, wait: float = 0.0, patience: float = 0.0
    ) -> dict[str, Any]:
        """One request and its answer; as `Client.request`."""
        if self._start:
            from wavectl.daemon import ensure

            await asyncio.to_thread(ensure, self.endpoint)
            self._start = False
        trying = transport.Patience(patience)
        asked = transport.with_token(method, params)
        failure: NoDaemonError | None = None
        while True:
            try:
                return await self._exchange(method, asked, wait + self.timeout)
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
            await asyncio.sleep(pause)

    async def _exchange(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        request_id = next(self._ids)
        frame = transport.encode(request_id, method, params)
        line = await self._connected()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        line.waiting[request_id] = answer
        try:
            await line.send(frame)
            return transport.result_of(await asyncio.wait_for(answer, seconds))
        except TimeoutError:
            raise transport.no_daemon(self.endpoint, f"no answer within {seconds:g} s") from None
        finally:
            line.waiting.pop(request_id, None)

    async def _connected(self) -> _Line:
        if self._line is not None and self._line.lost:
            await self._drop()
        if self._line is None:
            transport.probe(self.endpoint)
            if self._context is None:
                self._context = zmq.asyncio.Context()
            self._line = _Line(self._context, self.endpoint)
        return self._line

    async def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    # --- the wire's methods -----------------------------------------------------------------------------------------

    async def daemon_status(self) -> dict[str, Any]:
        """Version, process, folders and load of the daemon."""
        return await self.request("daemon.status")

    async def daemon_stop(self, sessions: str = "refuse") -> None:
        """End the daemon; `sessions`: "refuse", "stop" or "detach"."""
        await self.request("daemon.stop", {"sessions": sessions})

    async def daemon_upgrade(self) -> dict[str, Any]:
        """Replace the running daemon by the version installed now: {from, to, pid} when the new one answers."""
        done = await self.request("daemon.upgrade", wait=transport.UPGRADE_CHECK)
        await self.request("daemon.status", patience=self.reconnect)
        return {"from": done["from"], "to": done["to"], "pid": done["pid"]}

    async def submit(self, what: Submission) -> dict[str, Any]:
        """Hand a plan over: {session, after}."""
        return await self.request("session.submit", what.params())

    async def list(
        self,
        limit: int = 50,
        state: str = "",
        outcome: str = "",
        name: str = "",
        workspace: str | os.PathLike[str] | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Summaries:
        """Summaries of sessions, newest first."""
        params = history.list_params(limit, state, outcome, name, workspace, since, until)
        found: Summaries = (await self.request("session.list", params))["sessions"]
        return found

    async def prune(
        self,
        sessions: Sequence[str] = (),
        *,
        max_age: float | None = None,
        max_sessions: int | None = None,
        max_size: int | None = None,
        dry: bool = True,
    ) -> dict[str, Any]:
        """Forget sessions that have ended; `dry` (the default) only says which."""
        params = history.prune_params(sessions, max_age, max_sessions, max_size, dry=dry)
        return await self.request("session.prune", params, wait=history.PRUNE_WAIT)

    async def status(self, session: str = "", *, patience: float = 0.0) -> dict[str, Any]:
        """The session view."""
        return await self.request("session.status", {"session": session}, patience=patience)

    async def metrics(self, session: str = "") -> Rows:
        """All metrics of a session."""
        reply = await self.request("session.metrics", {"session": session})
        found: Rows = reply["metrics"]
        return found

    async def report(self, session: str = "", form: str = "md") -> dict[str, Any]:
        """The report of a session, even while it goes on: {session, format, content, live, path, unwritten}.

        `form`: "md", "html" or "json". `path`: where the daemon keeps it, on its machine; "" for one made just now.
        `unwritten`: what of it could not be written at the session's end; `write_report` has that tried again.
        """
        params = {"session": session, "format": form}
        return await self.request("session.report", params, wait=GIT_WAIT)

    async def write_report(self, session: str = "") -> None:
        """Have the report of an ended session written again, of which not all could be written at its end.

        It is written in the background; `status` says what became of it. Raises ConflictError when all is written.
        """
        await self.request("report.write", {"session": session})

    async def diff(
        self, session: str = "", paths: Sequence[str] = (), agents: Sequence[str] = (), *, stat: bool = False
    ) -> dict[str, Any]:
        """What a session has changed, to its end or to now: {files, diff, truncated, since, until}.

        `paths`: only these files, folders or patterns; `agents`: only what these changed; `stat`: without the diff.
        """
        params = {"session": session, "paths": [*paths], "agents": [*agents], "stat": stat}
        return await self.request("session.diff", params, wait=GIT_WAIT)

    async def stop(self, session: str = "", agent: str = "", reason: str = "") -> None:
        """End a session's agents (or one of them) and start no more."""
        await self.request("session.stop", {"session": session, "agent": agent, "reason": reason})

    async def retry(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Run failed agents again; returns the keys of their assignments."""
        reply = await self.request("session.retry", {"session": session, "agents": [*agents]})
        keys: Names = reply["assignments"]
        return keys

    async def freeze(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Have agents (all that run, if none are named) stand still until `thaw`; the runs concerned."""
        reply = await self.request("session.freeze", {"session": session, "agents": [*agents]})
        runs: Names = reply["runs"]
        return runs

    async def thaw(self, session: str = "", agents: Sequence[str] = ()) -> Names:
        """Let agents that a person has frozen go on (all of them, if none are named); the runs concerned."""
        reply = await self.request("session.thaw", {"session": session, "agents": [*agents]})
        runs: Names = reply["runs"]
        return runs

    async def resume(self, session: str = "") -> None:
        """Let a held session go on."""
        await self.request("session.resume", {"session": session})

    async def snapshots(self, session: str = "", *, everything: bool = False) -> Summaries:
        """The session's snapshots, oldest first; `everything`: those of all sessions on its workspace."""
        params = {"session": session, "all": everything}
        found: Summaries = (await self.request("snapshots.list", params, wait=GIT_WAIT))["snapshots"]
        return found

    async def snapshot_show(self, snapshot: str, session: str = "") -> dict[str, Any]:
        """One snapshot: what it left out (`skipped`), and what differs from the one before it (`changes`)."""
        params = {"session": session, "snapshot": snapshot}
        return await self.request("snapshots.show", params, wait=GIT_WAIT)

    async def snapshot_diff(
        self, since: str, until: str = "", session: str = "", paths: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What differs between two snapshots, or one and now: {diff, truncated}, the diff as git writes it."""
        params = {"session": session, "since": since, "until": until, "paths": [*paths]}
        return await self.request("snapshots.diff", params, wait=GIT_WAIT)

    async def snapshot_take(self, session: str = "") -> dict[str, Any]:
        """Keep the workspace as it is now: {snapshot}, its name."""
        return await self.request("session.snapshot", {"session": session}, wait=GIT_WAIT)

    async def snapshot_restore(
        self, snapshot: str, session: str = "", paths: Sequence[str] = (), *, dry: bool = False
    ) -> dict[str, Any]:
        """Bring the workspace, or some paths, back to a snapshot; answers as `rollback`."""
        params = {"session": session, "snapshot": snapshot, "paths": [*paths], "dry": dry}
        return await self.request("snapshots.restore", params, wait=GIT_WAIT)

    async def rollback(
        self, scope: str, targets: Sequence[str] = (), session: str = "", snapshot: str = "", *, dry: bool = False
    ) -> dict[str, Any]:
        """Bring files back. `scope`: "file" (`targets`: paths), "agent" (names), "wave", "session".

        Of a session that goes on: {live: true, reactions}, and it is done with the agents concerned frozen. Of one that
        has ended: {live: false, to, restored, removed, failed, present} when it is done; `present` is the snapshot of
        what was there. `dry` only says what would change: {live, to, files, total}.
        """
        params = {"session": session, "scope": scope, "targets": [*targets], "snapshot": snapshot, "dry": dry}
        return await self.request("session.rollback", params, wait=GIT_WAIT)

    async def approve(self, session: str = "", finding: str = "") -> Names:
        """Say that what was found is as it should be ("" for all that is open); the findings that are cleared."""
        params = {"session": session, "finding": finding}
        found: Names = (await self.request("session.approve", params))["approved"]
        return found

    async def export(self, session: str = "", path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Write all that is known of a session into one zip file; on a thread, over a connection of its own."""
        from wavectl.client import Client

        def work() -> dict[str, Any]:
            with Client(self.endpoint, self.timeout, reconnect=self.reconnect) as client:
                return client.export(session, path)

        return await asyncio.to_thread(work)

    async def logs(
        self,
        session: str,
        run: str,
        offset: int = 0,
        limit: int = 262144,
        *,
        index: bool = False,
        patience: float = 0.0,
    ) -> dict[str, Any]:
        """A piece of a run's output: {data, offset, next, size, ended, records}."""
        params = {"session": session, "run": run, "offset": offset, "limit": limit, "index": index}
        return await self.request("logs.read", params, patience=patience)

    # --- following --------------------------------------------------------------------------------------------------

    async def batches(
        self, cursor: Cursor, *, follow: bool = True, wait: float = LONG_POLL, until: float | None = None
    ) -> AsyncIterator[Events]:
        """New events in the portions they arrive in; as `Client.batches`."""
        if follow and cursor.is_over:
            return
        while True:
            waiting = long_poll(cursor, wait, until) if follow else 0.0
            patience = self.reconnect if follow else 0.0
            reply = await self.request("events.read", cursor.question(waiting), wait=waiting, patience=patience)
            fresh = cursor.take(reply["events"], more=reply["more"])
            if fresh or (cursor.caught_up and follow):
                yield fresh
            if cursor.caught_up and (not follow or cursor.is_over):
                return
            if until is not None and time.monotonic() >= until:
                return

    async def events(self, session: str = "", after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """The session's events ("" for those of all sessions) with a number above `after`; as `Client.events`."""
        async for batch in self.batches(Cursor(session, after), follow=follow):
            for event in batch:
                yield event

    async def wait(
        self, session: str = "", timeout: float | None = None, on_event: Callable[[Event], None] | None = None
    ) -> dict[str, Any]:
        """Wait until the session has ended, or is held with nothing running; as `Client.wait`."""
        view = await self.status(session, patience=self.reconnect)
        cursor = Cursor.at(view, from_start=on_event is not None)
        until = None if timeout is None else time.monotonic() + timeout
        if on_event is None and is_settled(view):
            return view
        async for batch in self.batches(cursor, until=until):
            if on_event is not None:
                for event in batch:
                    on_event(event)
            if cursor.caught_up and (cursor.ended or cursor.held):
                view = await self.status(cursor.session, patience=self.reconnect)
                if is_settled(view):
                    return view
        raise WaitTimeoutError(cursor.session, timeout or 0.0, (await self.status(cursor.session))["state"])

    # --- deploying --------------------------------------------------------------------------------------------------

    async def deploy(
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
        """Deploy a list of agents at once and wait for all of them (requirement O6); as `Client.deploy`."""
        what = submission.from_agents(
            agents, name=name, workspace=workspace, parallel=parallel, timeout=timeout, gate=gate, waive=waive
        )
        return await self._hand_over(what, wait=wait, on_event=on_event if monitoring else None)

    async def run(
        self,
        plan_path: str | os.PathLike[str],
        *,
        workspace: str | os.PathLike[str] | None = None,
        variables: Mapping[str, str] | None = None,
        waive: Sequence[str] = (),
        wait: bool = True,
        on_event: Callable[[Event], None] | None = None,
    ) -> dict[str, Any]:
        """Run a plan file; as `Client.run`."""
        what = await asyncio.to_thread(
            submission.from_file, Path(plan_path), workspace=workspace, variables=variables, waive=waive
        )
        return await self._hand_over(what, wait=wait, on_event=on_event)

    async def _hand_over(
        self, what: Submission, *, wait: bool, on_event: Callable[[Event], None] | None
    ) -> dict[str, Any]:
        accepted = await self.submit(what)
        return await self.wait(accepted["session"], on_event=on_event) if wait else accepted
