"""Keeps the board up to date: event by event, asking the daemon no more often than a person can read.

One long poll waits for events. What comes is taken in at most a few times a second; a session's view is read anew when
its shape changed, and the longer that takes the more seldom. A daemon that went away is waited for without end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wavectl.aio import AsyncClient
from wavectl.outputs import OutputReader
from wavectl.top.board import Board
from wavectl.top.transcript import Transcript
from wavectl.views.lines import Narrator
from wavectl.views.used import everyone
from waved.errors import NoDaemonError, NotAllowedError, NotFoundError, WavedError

PACE = 0.25
"""Seconds between two looks at what happened: at most four a second."""
_LONG_POLL = 20.0
_SHARE = 60
"""A view is read again no sooner than after so many times what reading it took, """
_LONGEST = 2.0
"""or these seconds, if that is less."""
_ROUGH = 3.0
"""Seconds after which small changes are shown, too: files changed, snapshots taken."""
_PAGE = 2000
_BEFORE = 2000
"""So many events of the journal are looked through for what happened before somebody looked."""
_LIST_PACE = 1.0
_TAIL = 256 * 1024
"""Bytes of output that are looked at from its end on."""
_LIST_KINDS = [
    "session.submitted", "session.started", "session.held", "session.resumed", "session.retried",
    "session.stop-requested", "session.ended", "wave.started", "wave.ended", "assignment.ended", "run.started",
    "finding.made", "finding.cleared",
]  # fmt: skip
_METRICS_PACE = 5.0


class Feed:
    """What the application knows of the daemon comes from here."""

    def __init__(self, endpoint: str | None, board: Board, changed: Callable[[], None]) -> None:
        self._client = AsyncClient(endpoint, timeout=5.0)
        self._client.on_absence = _at_once
        self._board = board
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._output: asyncio.Task[None] | None = None
        self.hurry = False
        """A person has done something: what follows is to be seen at once."""
        self._after: int | None = None
        """The number of the last event of the session that was taken in."""
        self.gone = ""
        """Why the session that was looked at cannot be any more; "" while it can."""

    # --- who is followed ------------------------------------------------------------------------------------------

    def follow(self, session: str) -> None:
        """From now on follow this session; "": the list of all."""
        self.gone, self._after = "", None
        self._replace("_task", self._lasting(lambda: self._session(session) if session else self._list()))

    def read(self, transcript: Transcript | None, session: str = "") -> None:
        """Read that run's output as it comes; None: none any more."""
        if transcript is None or not transcript.run:
            self._replace("_output", None)
        else:
            self._replace("_output", self._lasting(lambda: self._read(transcript, session)))

    def _replace(self, name: str, work: Any) -> None:  # noqa: ANN401 — a coroutine, or None
        before: asyncio.Task[None] | None = getattr(self, name)
        if before is not None:
            before.cancel()
        setattr(self, name, asyncio.create_task(work) if work is not None else None)

    async def request(self, method: str, params: dict[str, Any], wait: float = 0.0) -> dict[str, Any]:
        """One request beside what is followed."""
        return await self._client.request(method, params, wait=wait)

    async def close(self) -> None:
        """Ask nothing any more."""
        tasks = [task for task in (self._task, self._output) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    # --- whether the daemon is there ------------------------------------------------------------------------------

    async def _lasting(self, work: Callable[[], Any]) -> None:
        """Do it, and again when the daemon has come back."""
        while True:
            try:
                await work()
                return
            except (NotFoundError, NotAllowedError) as error:
                self.gone = error.message
                self._changed()
                return
            except WavedError as error:
                self._missed(error)
            await asyncio.sleep(0.3)

    def _missed(self, error: WavedError) -> None:
        self._board.absent(error.message, error.hint if isinstance(error, NoDaemonError) else "", time.time())
        self._changed()

    def _heard(self) -> None:
        if self._board.answered(time.time()):
            self._changed()

    # --- sessions -------------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        while True:
            state = await self._client.daemon_status()
            sessions = await self._client.list(limit=1000)
            self._heard()
            self._board.daemon, self._board.sessions = state, sessions
            self._changed()
            after = state["last_seq"]
            params = {"session": "", "kinds": _LIST_KINDS, "after": after, "limit": 1, "wait": _LONG_POLL}
            await asyncio.gather(
                self._client.request("events.read", params, wait=_LONG_POLL), asyncio.sleep(_LIST_PACE)
            )

    async def _session(self, session: str) -> None:
        cost = await self._look(session)
        read_at = time.monotonic()
        metrics_at = 0.0
        board = self._board
        if board.view is None:
            return
        session, stale = board.view["session"], False
        if self._after is None:
            await self._past(session, board.view["last_seq"])
        after = self._after if self._after is not None else board.view["last_seq"]
        while True:
            began = time.monotonic()
            due = read_at + (0.0 if self.hurry else min(max(PACE, cost * _SHARE), _LONGEST))
            wait = _LONG_POLL
            if stale:
                wait = max(0.0, due - began)
            elif board.rough:
                wait = max(0.0, read_at + _ROUGH - began)
            params: dict[str, Any] = {
                "session": session,
                "kinds": [],
                "after": after,
                "limit": _PAGE,
                "wait": min(wait, _LONG_POLL),
            }
            reply = await self._client.request("events.read", params, wait=wait)
            self._heard()
            events = reply["events"]
            if events:
                after = self._after = events[-1]["seq"]
                stale = board.absorb(events) or stale
                self._changed()
            now = time.monotonic()
            if (stale and now >= due) or (board.rough and now >= read_at + _ROUGH):
                self.hurry = False
                cost, stale = await self._look(session), False
                read_at = time.monotonic()
                # What happened between the last reply and this view is in both; nothing is taken in twice that counts.
            if now >= metrics_at:
                await self._metrics(session)
                metrics_at = time.monotonic() + _METRICS_PACE
            if not reply["more"]:
                await asyncio.sleep(max(0.0, began + PACE - time.monotonic()))

    async def _past(self, session: str, until: int) -> None:
        """What happened before somebody looked: the last of it."""
        question = {"session": session, "kinds": [*Narrator.KINDS], "after": max(0, until - _BEFORE), "limit": _PAGE}
        reply = await self._client.request("events.read", {**question, "wait": 0.0})
        self._board.absorb([event for event in reply["events"] if event["seq"] <= until])
        self._after = until
        self._changed()

    async def _look(self, session: str) -> float:
        """Read the view; returns the seconds that took."""
        began = time.monotonic()
        view = await self._client.status(session)
        self._heard()
        self._board.look(view, time.time())
        self._changed()
        return time.monotonic() - began

    async def _metrics(self, session: str) -> None:
        if self.wants_metrics:
            with suppress(NotFoundError):
                self._board.metrics = await self._client.metrics(session)
                self._changed()

    wants_metrics = False
    """Metrics are looked at: they are folded over the whole journal, and so are not asked for otherwise."""

    # --- output ---------------------------------------------------------------------------------------------------

    async def _read(self, transcript: Transcript, session: str) -> None:
        from wavectl.activity import teller_for

        view = self._board.view
        program, workspace = _program(view, transcript.run)
        teller = teller_for(program, workspace) if program != "command" else None
        first = await self._client.request(
            "logs.read", {"session": session, "run": transcript.run, "offset": -_TAIL, "limit": 65536, "index": False}
        )
        offset = first["offset"]
        if offset > 0 and b"\n" in first["data"]:
            offset += first["data"].index(b"\n") + 1  # from the beginning of a line on
        transcript.clear()
        reader = OutputReader(transcript.run, offset=offset, teller=teller)
        pause = PACE
        while True:
            reply = await self._client.request("logs.read", {"session": session, **reader.question()})
            lines = reader.lines_of(reply)
            transcript.ended = reader.ended
            if lines or not transcript.loaded:
                transcript.take(lines)
                self._changed()
            if reader.ended:
                self._changed()
                return
            if reader.drained:
                pause = PACE if lines else min(pause * 1.5, 1.0)
                await asyncio.sleep(pause)


def _at_once(error: NoDaemonError) -> None:
    """Do not try again behind a person's back: that the daemon is away is shown."""
    raise error


def _program(view: dict[str, Any] | None, run: str) -> tuple[str, str]:
    """Which program a run is of, and where it works."""
    for one in everyone(view) if view is not None else ():
        if any(each["run"] == run for each in one["runs"]):
            return str(one["program"]), str(view["workspace"]) if view is not None else ""
    return "command", ""
