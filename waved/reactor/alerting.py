"""Alerts of `[[notify]]`: who is told of which, and told again where nobody can say whether they were."""

from __future__ import annotations

from typing import Any

from waved.config import Locations
from waved.domain import events as ev
from waved.domain.state import Session
from waved.journal.store import Journal
from waved.reactor.inbox import Inbox
from waved.reactor.notifying import Notifier, wants
from waved.reactor.sessions import Sessions
from waved.reactor.specs import NOTIFY

UNSENT = "too many notifications wait"


class Alerting:
    """The alerts of all live sessions."""

    def __init__(self, locations: Locations, sessions: Sessions, inbox: Inbox, journal: Journal) -> None:
        self._locations = locations
        self._sessions = sessions
        self._inbox = inbox
        self._journal = journal
        self._notifier = Notifier()

    def send(self, session: Session, event: ev.AlertRaised) -> None:
        """Tell whom the plan names."""
        guards = session.guards
        found = guards.finding(event.finding) if guards is not None else None
        monitor = found.monitor if found is not None else ""
        facts: dict[str, Any] = {
            "session": session.id,
            "id": event.finding,
            "severity": event.severity,
            "text": event.text,
        }
        if found is not None:
            names = ("monitor", "summary", "path", "line", "assignment", "run", "evidence", "subject")
            facts |= {name: getattr(found, name) for name in names} | {"time": found.made}
        values = self._sessions.environment(session.id, self._locations.session(session.id))
        env = {**values.get("base", {}), **values.get("session", {}), **values.get("agents", {}).get(NOTIFY, {})}
        for notify in session.plan.notify:
            if not wants(notify, event.severity, monitor):
                continue

            def job(notify: Any = notify) -> None:  # noqa: ANN401 — mypy cannot tell the loop's variable
                self._inbox.put(self._notifier.send(notify, event, facts, session.workspace, env))

            if not self._notifier.submit(job):
                self._inbox.put(ev.AlertSent(session.id, event.finding, "", ok=False, detail=UNSENT))

    def redo(self, session: Session) -> None:
        """Those nobody has said anything of since: told again rather than never."""
        waiting: dict[str, ev.AlertRaised] = {}
        for event in self._journal.of_kinds(session.id, "alert.raised", "alert.sent"):
            if isinstance(event, ev.AlertRaised):
                waiting[event.finding] = event
            elif isinstance(event, ev.AlertSent):
                waiting.pop(event.finding, None)
        for event in waiting.values():
            self.send(session, event)

    def close(self) -> None:
        """The daemon ends."""
        self._notifier.close()
