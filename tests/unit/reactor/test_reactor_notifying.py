"""Notifications: what a command gets, and that no secret address is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from waved.domain import events as ev
from waved.plan.guards import Notify
from waved.reactor import notifying
from waved.reactor.notifying import Notifier, names_in, wants

ALERT = ev.AlertRaised("s", "f1", "critical", "corruption in a.ts")


def test_who_is_told_of_what() -> None:
    assert wants(Notify(command="x"), "warning", "m")
    assert not wants(Notify(command="x"), "info", "m")
    assert not wants(Notify(command="x", monitors=["other"]), "critical", "m")


def test_a_command_gets_the_finding(tmp_path: Path) -> None:
    program = "import os, sys; open('told', 'w').write(sys.stdin.read() + os.environ['WAVED_FINDING_PATH'])"
    notify = Notify(command=[sys.executable, "-c", program])
    sent = Notifier().send(notify, ALERT, {"path": "a.ts"}, str(tmp_path), {})
    assert (sent.ok, sent.target) == (True, Path(sys.executable).name)
    told = (tmp_path / "told").read_text()
    assert json.loads(told.removesuffix("a.ts")) == {"path": "a.ts"}


@pytest.mark.parametrize(
    ("command", "why"),
    [("exit 3", "status 3"), ("echo no route >&2; exit 1", "no route"), (["/no/such"], "cannot be started")],
)
def test_why_a_command_failed_is_said(tmp_path: Path, command: Any, why: str) -> None:
    sent = Notifier().send(Notify(command=command), ALERT, {}, str(tmp_path), {})
    assert not sent.ok
    assert why in sent.detail


def test_one_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "PATIENCE", 0.2)
    sent = Notifier().send(Notify(command="sleep 60 & sleep 60"), ALERT, {}, str(tmp_path), {})
    assert "did not end" in sent.detail


def test_an_address_is_filled_in_and_never_told(tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    url = "json://localhost:1/$TOKEN"
    assert names_in("slack://${A}/$B_2/c") == ["A", "B_2"]
    missing = Notifier().send(Notify(url=url), ALERT, {}, str(tmp_path), {})
    assert "$TOKEN" in missing.detail
    sent = Notifier().send(Notify(url=url), ALERT, {}, str(tmp_path), {"TOKEN": "hunter2"})
    assert (sent.ok, sent.target) == (False, "json")
    assert "hunter2" not in repr(sent)
