"""Whether a daemon is to end, how, and when it has: told to, idle, or giving way to a version that replaces it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from waved.domain import events as ev
from waved.errors import ConflictError, WavedError
from waved.ipc.server import Asked
from waved.reactor import upgrade
from waved.version import __version__

if TYPE_CHECKING:
    from waved.reactor.reactor import Reactor

STOP_MARGIN = 30.0
"""Seconds the end of a daemon may take besides the time that agents get to end."""
REPORT_PATIENCE = 10.0
"""Seconds the end of a daemon waits for reports that are being written; the next daemon writes those that are not."""


class Closing:
    """The end of one daemon."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self.done = False
        """It has ended."""
        self._mode = ""
        self._reason = ""
        self._reports_due = 0.0
        """How long the end waits for reports; 0: it does not."""

    def begin(self, mode: str, reason: str) -> None:
        """End the daemon: "stop" ends all sessions first, "detach" and "upgrade" leave their agents running. In the
        reactor's thread; from a signal handler, put it into the inbox.
        """
        reactor = self._reactor
        self._mode, self._reason = mode, reason
        if mode == "upgrade":
            reactor.manager.upgrading()
        else:
            reactor.manager.stopping(STOP_MARGIN + (self._longest_grace() if mode == "stop" else 0.0))
        if mode == "stop":
            for session in list(reactor.sessions.live.values()):
                if session.phase != "stopping":
                    reactor.record([ev.SessionStopRequested(session.id, f"waved is stopping ({reason})", by="daemon")])

    def begin_after(self, question: Callable[[], None]) -> None:
        """The daemon is to end, and `question`, on a helper thread, finds out how; it speaks through the inbox."""
        self._reactor.manager.stopping(STOP_MARGIN)
        self._reactor.helpers.run(question, lambda error: self._reactor.defect("end", error))

    def _longest_grace(self) -> float:
        """Seconds that agents which run now may take to end after they were asked to."""
        return max(
            (
                agent.stop_grace or session.plan.session.stop_grace
                for session in self._reactor.sessions.live.values()
                for wave in session.plan.waves
                for agent in wave.agents
            ),
            default=0.0,
        )

    def give_way(self, asked: Asked) -> None:
        """Have the installed version show that it can run, then end for it (`handover`); an error is the answer else.

        Raises ConflictError when the daemon is ending.
        """
        self._must_not_have_begun()
        reactor = self._reactor

        def check() -> None:
            try:
                version = upgrade.version_of(reactor.command)
            except WavedError as error:
                unfit = error
                reactor.inbox.put(lambda: reactor.server.refuse(asked, unfit))
            else:
                reactor.inbox.put(lambda: self._give_way_to(version, asked))

        reactor.helpers.run(check, lambda error: reactor.defect("daemon.upgrade", error))

    def _give_way_to(self, version: str, asked: Asked) -> None:
        try:
            self._must_not_have_begun()
        except WavedError as error:
            self._reactor.server.refuse(asked, error)
            return
        result = {"from": __version__, "to": version, "pid": os.getpid(), "started": self._reactor.started}
        self._reactor.reply(asked, result)
        self.begin("upgrade", f"upgrade to {version}")

    def _must_not_have_begun(self) -> None:
        if self._mode:
            raise ConflictError(f"the daemon is ending ({self._reason})")

    @property
    def gives_way(self) -> bool:
        """Whether it ended so that another version takes over in this process."""
        return self.done and self._mode == "upgrade"

    def look(self) -> None:
        """See whether it has ended, after each turn."""
        reactor = self._reactor
        now = reactor.clock.now()
        if (due := self._idle_until()) is not None and now >= due:
            self._mode, self._reason = "stop", "idle"
        over = self._mode in ("detach", "upgrade") or (not reactor.sessions.live and not self._awaits_reports(now))
        if self._mode and over and reactor.journalled:
            self.done = True
            reactor.note(ev.DaemonStopped("", self._reason, self._mode))

    def next_deadline(self) -> float | None:
        """When `look` is due at the latest; seconds on waved's clock."""
        times = [due for due in (self._idle_until(), self._reports_due or None) if due is not None]
        return min(times, default=None)

    def _idle_until(self) -> float | None:
        """When a daemon that nobody uses ends by itself."""
        reactor = self._reactor
        if reactor.idle_exit is None or reactor.sessions.live:
            return None
        return reactor.last_use + reactor.idle_exit

    def _awaits_reports(self, now: float) -> bool:
        """Whether reports of ended sessions are being written: a daemon that is to end waits a little for them."""
        if not self._mode or not self._reactor.reporting.writing:
            return False
        self._reports_due = self._reports_due or now + REPORT_PATIENCE
        return now < self._reports_due
