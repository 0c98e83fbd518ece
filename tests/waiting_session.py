"""A session that works for minutes and waits through a night for a person, as the real core tells it."""

from __future__ import annotations

from tests.unit.domain.driving import Guarded, agent
from waved.domain import events as ev
from waved.domain.requests_guards import approve

NIGHT = 8 * 3600.0
PLAN = {
    "session": {"name": "shop"},
    "wave": [
        {"name": "build", "agent": [agent("api", owns=["a.ts"]), agent("ui"), agent("docs", needs=["ui"])]},
        {"name": "polish", "agent": [agent("reviewer")]},
    ],
    "monitor": [
        {
            "kind": "progress", "after": "30h",
            "reactions": [{"do": "start-agent", "agent": "medic"}, "hold"],
        }
    ],
    "responder": [agent("medic")],
    "snapshots": {"enabled": False},
}  # fmt: skip


def night() -> Guarded:
    """Three minutes of work, a responder, then a finding for which a person is waited for through the night."""
    drive = Guarded(PLAN)

    def begins(run: str) -> None:
        drive.do(ev.RunStarted("s", f"s/{run}", pid=1, exec_time=drive.now))

    begins("api#1")
    begins("ui#1")
    drive.at(160.0)
    drive.finds(by="api", monitor="progress")
    begins("medic@r1#1")
    drive.at(190.0)
    drive.ends("medic@r1#1", end_time=190.0)
    drive.at(200.0)
    drive.finds(by="api", monitor="progress")
    drive.frozen("api#1")
    drive.at(220.0)
    drive.ends("ui#1", end_time=220.0)
    drive.at(220.0 + NIGHT)
    drive.do(*approve(drive.session, by="alice"))
    drive.at(280.0 + NIGHT)
    begins("docs#1")
    drive.ends("api#1", end_time=drive.now)
    drive.at(300.0 + NIGHT)
    drive.ends("docs#1", end_time=drive.now)
    begins("reviewer#1")
    drive.at(360.0 + NIGHT)
    drive.ends("reviewer#1", end_time=drive.now)
    return drive
