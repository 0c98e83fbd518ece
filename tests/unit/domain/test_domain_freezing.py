"""A person freezes and thaws agents."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Guarded, agent, kinds, of, one_wave

from waved.domain import events as ev
from waved.domain import requests
from waved.domain.view import view
from waved.errors import ConflictError, NotFoundError


def plan(*agents: dict[str, Any], reactions: list[Any]) -> dict[str, Any]:
    monitor = {"kind": "corruption", "patterns": ["const const"], "reactions": reactions}
    return {**one_wave(*agents), "monitor": [monitor]}


def asks(drive: Guarded, what: Any, *agents: str) -> list[ev.Event]:
    asked = what(drive.session, agents, by="alice")
    return [*asked, *drive.do(*asked)]


def run_of(drive: Guarded, key: str) -> dict[str, Any]:
    shown = view(drive.session, drive.now)
    runs = [one["runs"] for wave in shown["waves"] for one in wave["assignments"] if one["key"] == key]
    return dict(runs[0][-1])


def test_what_a_person_freezes_stands_still_until_a_person_thaws_it() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), reactions=["alert"]))
    following = asks(drive, requests.freeze, "a")
    assert [(event.run, event.reaction) for event in of(following, ev.RunFreezing)] == [("s/a#1", "")]
    drive.frozen("a#1")
    assert (run_of(drive, "a")["frozen"], run_of(drive, "a")["frozen_for"]) == (True, ["person"])
    drive.at(drive.now + 1e6)
    assert run_of(drive, "a")["frozen"]
    assert not run_of(drive, "b")["frozen"]

    assert kinds(asks(drive, requests.thaw)) == ["run.thaw-requested", "run.thawing"]
    assert drive.guards.frozen == {}
    assert drive.running == ["a#1", "b#1"]


def test_a_reaction_and_a_person_hold_the_same_run_each_for_itself() -> None:
    drive = Guarded(plan(agent("a"), reactions=["rollback-file"]))
    asks(drive, requests.freeze, "a")
    drive.frozen("a#1")
    assert of(drive.finds("a.ts", "a"), ev.RunFreezing) == []  # it stands still already
    drive.taken("s2")
    following = drive.restored("r1", paths=["a.ts"])
    assert "reaction.ended" in kinds(following)
    assert of(following, ev.RunThawing) == []  # the person's wish holds
    assert kinds(asks(drive, requests.thaw))[-1] == "run.thawing"


def test_thawing_what_a_reaction_keeps_says_what_keeps_it() -> None:
    drive = Guarded(plan(agent("a"), reactions=["rollback-file"]))
    drive.finds("a.ts", "a")
    drive.frozen("a#1")
    with pytest.raises(ConflictError, match="was frozen by a person") as refused:
        requests.thaw(drive.session, ["a"])
    assert "r1" in refused.value.hint


def test_what_cannot_be_frozen_goes_on_and_is_told() -> None:
    drive = Guarded(plan(agent("a"), reactions=["rollback-file"]))
    asks(drive, requests.freeze, "a")
    assert kinds(drive.frozen("a#1", ok=False)) == ["run.thawing"]
    assert drive.guards.frozen == {}
    assert drive.running == ["a#1"]


def test_it_is_refused_where_it_makes_no_sense() -> None:
    drive = Guarded(plan(agent("a"), agent("b"), reactions=["alert"]))
    asks(drive, requests.freeze, "a")
    with pytest.raises(ConflictError, match="frozen already"):
        requests.freeze(drive.session, ["a"])
    with pytest.raises(NotFoundError):
        requests.freeze(drive.session, ["nobody"])
    assert [event.run for event in of(asks(drive, requests.freeze), ev.RunFreezeRequested)] == ["s/b#1"]
    drive.ends("b#1", "exited")
    with pytest.raises(ConflictError, match="nothing of b is running"):
        requests.freeze(drive.session, ["b"])


def test_a_frozen_agent_can_be_stopped() -> None:
    drive = Guarded(plan(agent("a"), reactions=["rollback-file"]))
    asks(drive, requests.freeze)
    drive.frozen("a#1")
    assert kinds(requests.stop(drive.session, "a")) == ["run.stopping"]
    drive.do(*requests.stop(drive.session, "a"))
    drive.ends("a#1", "stopped")
    assert drive.guards.frozen == {}
