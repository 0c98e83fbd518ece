"""When a report is to be written, and what is remembered of it (C3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.domain.driving import agent
from waved.domain import events as ev
from waved.domain.checklists import checklists
from waved.domain.decide import decide
from waved.domain.fold import admissible, begin, fold
from waved.domain.requests import retry, stop
from waved.domain.state import Session
from waved.domain.view import view
from waved.plan.models import Plan
from waved.plan.reporting import change_log_of, files_in_workspace, own_patterns


def plan(**report: Any) -> dict[str, Any]:
    settings = {"name": "s", "folder": "docs/session/"}
    return {
        "session": settings,
        "wave": [{"name": "w", "agent": [agent("a")]}],
        **({"report": report} if report else {}),
    }


def ended(*, ok: bool = True, reported: bool = True) -> tuple[Session, list[ev.Event]]:
    """A session whose checklist passed (`ok`) and whose agent was stopped; and what was decided."""
    session = begin(ev.SessionSubmitted("s", plan(), "/w", reported=reported))
    decided: list[ev.Event] = []

    def record(*events: ev.Event) -> None:
        for event in events:
            fold(session, event)
        while following := decide(session, 1.0):
            for event in following:
                fold(session, event)
                decided.append(event)

    record(ev.ChecklistItemChecked("s", "git", ok=ok), ev.ChecklistEnded("s", ok=ok))
    if ok:
        record(*stop(session))
        for run in list(session.active.values()):
            record(ev.RunEnded("s", run.id, "stopped", reason="stopped"))
    return session, decided


def test_it_is_decided_with_the_end_and_once() -> None:
    session, decided = ended()
    assert [event.kind for event in decided[-2:]] == ["session.ended", "report.writing"]
    assert decide(session, 2.0) == []
    assert view(session, 2.0)["report"]["state"] == "writing"


@pytest.mark.parametrize(("ok", "reported"), [(False, True), (True, False)])
def test_what_was_refused_or_is_not_to_be_reported_is_not(ok: bool, reported: bool) -> None:
    session, decided = ended(ok=ok, reported=reported)
    assert decided[-1].kind == "session.ended"
    assert view(session, 2.0)["report"] is None


def test_it_is_told_once_and_no_more_when_the_session_goes_on() -> None:
    session, _ = ended()
    told = ev.ReportWritten("s", kept=True, files=["docs/session/waved-report.md"], change_log="c.md")
    assert admissible(session, told)
    fold(session, told)
    assert not admissible(session, told)
    items = {item.item: item.state for item in checklists(session, 2.0)[-1].items}
    assert (items["report"], items["change-log"]) == ("ticked", "ticked")
    for event in retry(session):
        fold(session, event)
    assert session.report is None
    assert not admissible(session, told)


def test_what_could_not_be_written_is_not_ticked() -> None:
    session, _ = ended()
    fold(session, ev.ReportWritten("s", error="the disk is full"))
    assert view(session, 2.0)["report"] | {"seconds": 0} == {
        "state": "failed", "files": [], "change_log": "", "snapshot": "", "error": "the disk is full", "seconds": 0,
    }  # fmt: skip
    items = {item.item: item for item in checklists(session, 2.0)[-1].items}
    assert (items["report"].state, items["report"].evidence) == ("unticked", "the disk is full")


def made(**report: Any) -> Plan:
    return Plan.model_validate(plan(**report))


def test_where_it_is_written_follows_from_the_plan() -> None:
    assert files_in_workspace(made())["md"] == "docs/session/waved-report.md"
    assert change_log_of(made()) == "docs/session/change_log.md"
    assert files_in_workspace(made(folder="x[1]/./y", formats=["html"])) == {"html": "x[1]/y/waved-report.html"}
    assert own_patterns(made(folder="x[1]", formats=["html"])) == ("x[[]1]/waved-report.html",)
    assert change_log_of(made(change_log="CHANGES.md")) == "CHANGES.md"
    assert change_log_of(made(change_log="")) == ""
    assert files_in_workspace(made(enabled=False)) == {}
    assert change_log_of(made(enabled=False)) == ""


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", ".git/hooks"])
def test_it_never_lies_outside_the_workspace(path: str) -> None:
    for key in ("folder", "change_log"):
        with pytest.raises(ValueError, match="must be a path in the workspace"):
            made(**{key: path})
